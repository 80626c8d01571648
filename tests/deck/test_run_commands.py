"""Deck: what can be done to a run: retry, rerun, cancel, delete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowEntry, RunQuery
from flowdeck.rules.exceptions import (
    NotFoundError,
    ParameterError,
    RefusedError,
)
from flowdeck.rules.runs.run_filter import of_flow
from flowdeck.rules.states import StateType
from flowdeck.store.runs import flow_runs
from tests.deck.seeds import in_state
from tests.store.rows import make_child

# -- retry -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state_type", [StateType.FAILED, StateType.CRASHED, StateType.CANCELLED])
def test_retry_is_the_next_attempt(deck: Deck, folder: Path, state_type: StateType) -> None:
    """Same id; nothing of the last attempt's process is left in the row."""
    run = in_state(deck, state_type, source_file=str(folder / "etl.py"), pid=7, pid_token="x")
    columns = {"exit_code": 1, "signal": 9, "cancel_forced": 1, "host_pid": 8, "host_token": "y"}
    deck._database.write(lambda connection: flow_runs.set_columns(connection, run.key, columns))
    retried = deck.flow_runs.retry(run.id)
    assert (retried.id, retried.attempt, retried.state_name) == (run.id, 2, "Scheduled")
    assert (retried.pid, retried.host_pid, retried.exit_code, retried.signal, retried.ended_at) == (None,) * 5
    forced = deck._database.reader().execute("SELECT cancel_forced FROM flow_run WHERE key = ?", (run.key,)).fetchone()
    assert forced == (None,)
    claim = deck._database.write(lambda connection: flow_runs.claim(connection, 2**60))
    assert claim == (run.key, run.id, 2)


@pytest.mark.parametrize(
    ("state_type", "changes", "sentence"),
    [
        (StateType.RUNNING, {}, r"is not over \(Running\); cancel it first"),
        (StateType.COMPLETED, {}, "completed; say so explicitly"),
        (StateType.FAILED, {"source_file": None}, "has no file to start from"),
        (StateType.FAILED, {"source_file": "/gone/etl.py"}, "/gone/etl.py is gone"),
        (
            StateType.FAILED,
            {"parameters": '{"table": "<DataFrame>"}'},
            "parameter 'table' was a value that JSON cannot",
        ),
    ],
)
def test_retry_that_is_refused(
    deck: Deck, folder: Path, state_type: StateType, changes: dict[str, Any], sentence: str
) -> None:
    """One sentence; the row is as it was."""
    run = in_state(deck, state_type, **{"source_file": str(folder / "etl.py"), **changes})
    with pytest.raises(RefusedError, match=sentence):
        deck.flow_runs.retry(run.id)
    assert deck.flow_runs.by_key(run.key) == run


def test_retry_of_a_run_whose_process_is_gone(deck: Deck, folder: Path) -> None:
    """It is refused until an engine has noted that, and says so: there is nothing to cancel."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    run = in_state(deck, StateType.RUNNING, source_file=str(folder / "etl.py"), pid=child.pid, pid_token="x")
    with pytest.raises(RefusedError, match=r"is not over \(Running\): its process is gone, and no engine runs to note"):
        deck.flow_runs.retry(run.id)


def test_retry_of_a_completed_run_when_asked(deck: Deck, folder: Path) -> None:
    """Explicitly."""
    run = in_state(deck, StateType.COMPLETED, source_file=str(folder / "etl.py"))
    assert deck.flow_runs.retry(run.id, completed=True).attempt == 2


def test_two_retries_at_once(deck: Deck, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds that somebody was faster."""
    run = in_state(deck, StateType.FAILED, source_file=str(folder / "etl.py"))
    monkeypatch.setattr(deck.flow_runs, "find", lambda _: run)
    deck.flow_runs.retry(run.id)
    with pytest.raises(RefusedError, match="was changed by someone else just now"):
        deck.flow_runs.retry(run.id)


# -- rerun -------------------------------------------------------------------------------------------------------------


def test_rerun_is_a_new_run_of_the_same_flow(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """With the parameters and tags of the old one, which stays as it is; of subflow runs and live ones too."""
    old = deck.flow_runs.create(entry, {"day": 3}, tags=["a"])
    new = deck.flow_runs.rerun(old.id)
    assert (new.origin_run_id, new.root_run_id, new.state_name) == (old.id, new.id, "Scheduled")
    assert (new.flow_name, new.entrypoint, new.working_dir, new.source_file, new.function) == (
        old.flow_name, old.entrypoint, old.working_dir, old.source_file, old.function,
    )  # fmt: skip
    assert (dict(new.parameters), new.tags, new.attempt) == ({"day": 3}, ("a",), 1)
    assert deck.flow_runs.by_key(old.key) == old


def test_rerun_takes_other_parameters_name_and_tags(deck: Deck, entry: FlowEntry) -> None:
    """Parameters are given whole: one that is left out takes its default."""
    old = deck.flow_runs.create(entry, {"day": 3, "note": "x"})
    new = deck.flow_runs.rerun(old.id, {"day": 4}, name="again", tags=["b"], triggered_by="cli")
    assert (dict(new.parameters), new.name, new.tags, new.triggered_by) == ({"day": 4}, "again", ("b",), "cli")


def test_rerun_holds_the_parameters_against_the_flow_as_it_is_now(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """A file may have changed since."""
    old = deck.flow_runs.create(entry, {"day": 3})
    with pytest.raises(ParameterError, match="day must be a whole number"):
        deck.flow_runs.rerun(old.id, {"day": "soon"})
    with pytest.raises(ParameterError, match="gone is not a parameter"):
        deck.flow_runs.rerun(old.id, {"day": 3, "gone": 1})


def test_rerun_of_a_script_run_goes_by_its_record(deck: Deck, folder: Path) -> None:
    """No watched folder holds its file: same file, same working directory, same Python, any parameters."""
    place = {"working_dir": str(folder.parent), "source_file": str(folder / "etl.py"), "function": "load_day"}
    old = in_state(deck, StateType.FAILED, **place, parameters='{"day": "x"}', interpreter="/opt/python")
    new = deck.flow_runs.rerun(old.id)
    assert (new.working_dir, new.source_file, new.function, new.interpreter) == (
        str(folder.parent), str(folder / "etl.py"), "load_day", "/opt/python",
    )  # fmt: skip
    assert (new.entrypoint, dict(new.parameters)) == ("flows/etl.py:load_day", {"day": "x"})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source_file": None}, "has no file to start from"),
        ({"source_file": "/gone/etl.py"}, "cannot be rerun: /gone/etl.py is gone"),
        ({"parameters": '{"table": "<DataFrame>"}'}, "parameter 'table' was a value that JSON cannot hold. Give"),
    ],
)
def test_rerun_that_is_refused(deck: Deck, folder: Path, changes: dict[str, Any], sentence: str) -> None:
    """One sentence; no run is made."""
    run = in_state(deck, StateType.FAILED, **{"source_file": str(folder / "etl.py"), **changes})
    with pytest.raises(RefusedError, match=sentence):
        deck.flow_runs.rerun(run.id)
    assert len(deck.flow_runs.select()) == 1


def test_rerun_of_a_value_that_was_not_kept_when_it_is_given_anew(deck: Deck, folder: Path) -> None:
    """Only what is handed over counts."""
    run = in_state(
        deck, StateType.FAILED, source_file=str(folder / "etl.py"), parameters='{"table": "<DataFrame>", "day": 1}'
    )
    assert dict(deck.flow_runs.rerun(run.id, {"day": 1, "table": "t.csv"}).parameters) == {"day": 1, "table": "t.csv"}


# -- cancel and delete -------------------------------------------------------------------------------------------------


def test_cancel(deck: Deck, entry: FlowEntry) -> None:
    """At once before the start; of a running one the row says what is wanted, by force or not."""
    assert deck.flow_runs.cancel(deck.flow_runs.create(entry, {"day": 1}).id).state_name == "Cancelled"
    run = in_state(deck, StateType.RUNNING)
    assert deck.flow_runs.cancel(run.id).state_message == "Cancelled on request."
    deck.flow_runs.cancel(run.id, force=True)
    forced = deck._database.reader().execute("SELECT cancel_forced, state_type FROM flow_run WHERE key = ?", (run.key,))
    assert forced.fetchone() == (1, "CANCELLING")


def test_cancel_that_is_refused(deck: Deck) -> None:
    """A run that is over; a subflow, which names its root."""
    over, root = in_state(deck, StateType.FAILED), in_state(deck, StateType.RUNNING)
    child = deck.flow_runs.by_key(make_child(deck._database, root.key))
    assert child is not None
    with pytest.raises(RefusedError, match="is over already: Failed"):
        deck.flow_runs.cancel(over.id)
    with pytest.raises(RefusedError, match=f"cancel {root.id}"):
        deck.flow_runs.cancel(child.id)


def test_delete_takes_rows_and_logs(deck: Deck) -> None:
    """Of the run and of its subflows."""

    @task
    def step() -> None: ...

    @flow
    def inner() -> None: ...

    @flow
    def outer() -> None:
        step()
        inner()

    outer()
    other = in_state(deck, StateType.FAILED)
    logs = deck.home / "logs"
    assert len(list(logs.iterdir())) == 2
    deck.flow_runs.delete(deck.flow_runs.select(RunQuery(filter=of_flow("outer")))[0].id)
    assert list(logs.iterdir()) == []
    assert [run.id for run in deck.flow_runs.select(RunQuery())] == [other.id]


def test_delete_of_what_waits_to_start(deck: Deck, entry: FlowEntry) -> None:
    """It never will."""
    run = deck.flow_runs.create(entry, {"day": 1})
    deck.flow_runs.delete(run.id)
    with pytest.raises(NotFoundError):
        deck.flow_runs.find(run.id)


@pytest.mark.parametrize("state_type", [StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.CANCELLING])
def test_delete_of_a_live_run_is_refused(deck: Deck, state_type: StateType) -> None:
    """Also when it began only just now: the row decides, not what the caller saw."""
    run = in_state(deck, state_type)
    with pytest.raises(RefusedError, match="cancel it before you delete it"):
        deck.flow_runs.delete(run.id)


def test_delete_leaves_a_scripts_own_retry(deck: Deck) -> None:
    """It is SCHEDULED, but its process lives."""
    run = in_state(deck, StateType.SCHEDULED, pid=4711)
    with pytest.raises(RefusedError):
        deck.flow_runs.delete(run.id)


def test_delete_of_a_subflow_is_refused(deck: Deck) -> None:
    """It goes with its root."""
    root = in_state(deck, StateType.FAILED)
    child = deck.flow_runs.by_key(make_child(deck._database, root.key))
    assert child is not None
    with pytest.raises(RefusedError, match=f"delete its root run {root.id}"):
        deck.flow_runs.delete(child.id)
