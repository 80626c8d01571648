"""What a flow is called with: bound, coerced, recorded, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow
from flowdeck.deck import Deck, FlowRun, RunQuery
from flowdeck.execution.starts import run_creation
from flowdeck.rules.exceptions import ParameterError
from flowdeck.rules.states import named
from flowdeck.store.runs import flow_runs
from tests.execution.dialects import Dialect
from tests.store.rows import new_run

LastRun = Callable[[], FlowRun]


def test_arguments_are_bound_and_coerced(dialect: Dialect, last_run: LastRun) -> None:
    """By position, by name, by default; what the annotation asks is made of them and recorded."""

    @dialect.flow()
    async def main(day: int, *more: int, rate: float = 0.5, **rest: str) -> Any:
        return day, more, rate, rest

    assert dialect.run(main, "3", "4", rate="1.5", note="x") == (3, (4,), 1.5, {"note": "x"})
    assert last_run().parameters == {"day": 3, "more": [4], "rate": 1.5, "rest": {"note": "x"}}
    assert dialect.run(main, day=1) == (1, (), 0.5, {})


def test_refused_parameters_are_a_failed_run(dialect: Dialect, deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """The body does not run; row, error and log have the sentence, and the exception is raised at the call."""

    @dialect.flow()
    async def main(day: int) -> None:
        pytest.fail("it ran")

    with pytest.raises(ParameterError) as caught:
        dialect.run(main, "soon")
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.state_message) == ("Failed", str(caught.value))
    assert 'flow "main"' in str(caught.value)
    assert "day" in str(caught.value)
    assert run.error is not None
    assert (run.error.type, run.error.message, run.error.file) == ("ParameterError", str(caught.value), __file__)
    assert (run.started_at, run.error_count) == (None, 1)
    assert run.ended_at is not None
    assert run.parameters == {"day": "soon"}
    assert log_of() == [f"Not started: {caught.value}"]


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [((), {}, "is missing the parameter day"), ((1, 2), {}, "takes 1 values by position"), ((1,), {"x": 1}, "x")],
)
def test_call_that_does_not_fit(args: tuple[int, ...], kwargs: dict[str, int], words: str, deck: Deck) -> None:
    """The same."""

    @flow
    def main(day: int) -> None: ...

    with pytest.raises(ParameterError, match=words):
        main(*args, **kwargs)
    assert deck.flow_runs.select()[0].state_name == "Failed"


def test_subflow_that_is_refused_has_no_row(dialect: Dialect, deck: Deck) -> None:
    """Its caller's run shows the exception."""

    @dialect.flow()
    async def inner(day: int) -> None: ...

    @dialect.flow()
    async def outer() -> None:
        await dialect.call(inner, "soon")

    with pytest.raises(ParameterError):
        dialect.run(outer)
    assert [run.flow_name for run in deck.flow_runs.select(RunQuery())] == ["outer"]


def test_validation_can_be_switched_off(dialect: Dialect) -> None:
    """Then arguments are bound and nothing more."""

    @dialect.flow(validate_parameters=False)
    async def main(day: int) -> Any:
        return day

    assert dialect.run(main, "soon") == "soon"


def test_parameter_that_json_cannot_hold(dialect: Dialect, last_run: LastRun) -> None:
    """The flow gets the very object; the record has the name of its type."""
    thing = object()

    @dialect.flow()
    async def main(value: Any) -> Any:
        return value

    assert dialect.run(main, thing) is thing
    assert last_run().parameters == {"value": "<object>"}


def test_where_a_run_comes_from(last_run: LastRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """File, function, folder and interpreter; behind other decorators too."""
    import functools
    import sys

    def noisy(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @flow
    @noisy
    def my_flow() -> None: ...

    monkeypatch.chdir(tmp_path)
    my_flow()
    run = last_run()
    assert (run.flow_name, run.function, run.source_file) == ("my-flow", "my_flow", __file__)
    assert (run.entrypoint, run.working_dir, run.interpreter) == (f"{__file__}:my_flow", str(tmp_path), sys.executable)
    assert run.triggered_by == "script"


# -- runs that an engine claimed ---------------------------------------------------------------------------------------


def claimed(parameters: dict[str, Any], deck: Deck) -> int:
    """Make a run as an engine claims it for this process; return its key."""
    new = new_run(state=named("Pending"), parameters=json.dumps(parameters), triggered_by="tui")
    return deck._database.write(lambda connection: flow_runs.insert(connection, new))


def test_claimed_run_takes_its_parameters_from_its_record(dialect: Dialect, deck: Deck) -> None:
    """As JSON values by name: those of `*args` and `**kwargs` too."""
    seen: list[Any] = []

    @dialect.flow()
    async def main(day: int, /, *more: int, rate: float = 0.5, **rest: str) -> None:
        seen.append((day, more, rate, rest))

    key = claimed({"day": 3, "more": [4, 5], "rest": {"note": "x"}}, deck)
    assert main.run_claimed(run_creation.shared_database(), key, 1).is_completed()
    assert seen == [(3, (4, 5), 0.5, {"note": "x"})]
    assert deck.flow_runs.select()[0].state_name == "Completed"


def test_claimed_run_that_does_not_fit_fails(dialect: Dialect, deck: Deck) -> None:
    """The file was changed meanwhile: the run says what does not fit."""

    @dialect.flow()
    async def main(day: int) -> None: ...

    key = claimed({"hour": 3}, deck)
    state = main.run_claimed(run_creation.shared_database(), key, 1)
    assert state.is_failed()
    assert "has no parameter hour" in str(deck.flow_runs.select()[0].state_message)
