"""States: the names that authors know, and the value or the failure in them."""

from __future__ import annotations

import pytest

from flowdeck import states
from flowdeck.rules.exceptions import CancelledRun, CrashedRun, FailedRun, UnfinishedRun
from flowdeck.rules.states import NAMES, TASK_RUN_TRANSITIONS, TERMINAL, StateType, named


@pytest.mark.parametrize("name", [name for name in states.__all__ if name not in {"State", "StateType"}])
def test_states_are_made_by_their_names(name: str) -> None:
    """Each with the type that it refines; data, message and name may be given."""
    made = getattr(states, name)(data=1, message="said")
    assert (made.type, made.name, made.data, made.message) == (NAMES[name], name, 1, "said")
    assert getattr(states, name)(name="Skipped").name == "Skipped"


def test_exception_as_data_is_what_it_failed_of() -> None:
    """As authors of Prefect write it."""
    error = ValueError("no")
    failed = states.Failed(data=error)
    assert failed.exception is error
    assert failed.result(raise_on_failure=False) is error
    with pytest.raises(ValueError, match="no"):
        failed.result()


def test_unknown_word_is_refused() -> None:
    """Rather than lost."""
    with pytest.raises(TypeError, match="massage"):
        states.Failed(massage="no")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Failed", FailedRun),
        ("TimedOut", FailedRun),
        ("Crashed", CrashedRun),
        ("Cancelled", CancelledRun),
        ("NotReady", UnfinishedRun),
        ("Running", UnfinishedRun),
    ],
)
def test_result_of_a_state_without_its_exception(name: str, kind: type[BaseException]) -> None:
    """One of ours tells what it is; it is returned instead if that is asked for."""
    with pytest.raises(kind, match="said"):
        named(name, "said").result()
    assert isinstance(named(name).result(raise_on_failure=False), kind)


def test_result_of_a_completed_state() -> None:
    """Its value, whichever of the names it has."""
    assert [named(name, data=4).result() for name in ("Completed", "Cached", "RolledBack")] == [4, 4, 4]


def test_final_states() -> None:
    """By type, and NotReady; nothing else by its name."""
    final = {name for name, kind in NAMES.items() if named(name).is_final()}
    assert final == {name for name, kind in NAMES.items() if kind in TERMINAL} | {"NotReady"}


def test_call_with_a_known_value_need_not_run() -> None:
    """PENDING to COMPLETED: for what is reused or cached."""
    assert StateType.COMPLETED in TASK_RUN_TRANSITIONS[StateType.PENDING]
