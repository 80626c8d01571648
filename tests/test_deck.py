"""Deck: what front ends ask and command."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowEntry, FlowRun, RunQuery
from flowdeck.rules.clock import Clock
from flowdeck.rules.exceptions import (
    AmbiguousError,
    NotFoundError,
    ParameterError,
    RefusedError,
    StoreError,
    UsageError,
)
from flowdeck.rules.run_filter import of_flow
from flowdeck.rules.states import StateType
from flowdeck.store import engines, flow_runs
from flowdeck.store.catalogue import Catalogue, FlowDescription
from flowdeck.store.home import Home
from tests.store.rows import force, make_child, make_run

SCHEMA = {
    "type": "object",
    "properties": {"day": {"type": "integer"}, "note": {"type": "string", "default": ""}},
    "required": ["day"],
    "additionalProperties": False,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow file."""
    path = tmp_path / "flows"
    path.mkdir()
    (path / "etl.py").write_text("")
    return path


@pytest.fixture
def entry(deck: Deck, folder: Path) -> FlowEntry:
    """A flow of the catalogue."""
    put_flow(deck, folder, "etl.py", "load_day")
    return deck.flow("load-day")


def put_flow(deck: Deck, folder: Path, file: str, function: str, name: str | None = None) -> None:
    """Note a flow as discovery does."""
    flow_description = FlowDescription(function, name or function.replace("_", "-"), 3, None, SCHEMA)
    Catalogue(deck._database).put_file(str(folder), file, "sha", "python", "ok", None, [flow_description])


def in_state(deck: Deck, state_type: StateType, **changes: Any) -> FlowRun:
    """Make a run in a state."""
    key = make_run(deck._database, **changes)
    deck._database.write(lambda connection: force(connection, "flow_run", "key", key, state_type))
    run = deck.flow_run_by_key(key)
    assert run is not None
    return run


# -- making runs -------------------------------------------------------------------------------------------------------


def test_run_is_scheduled_for_an_engine(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """With all that an engine needs: folder, file, parameters, when."""
    run = deck.create_flow_run(entry, {"day": 3}, triggered_by="tui", tags=["a"])
    assert (run.state_name, run.attempt, run.incarnation) == ("Scheduled", 1, 0)
    assert (run.flow_name, run.entrypoint, run.working_dir) == ("load-day", "etl.py:load_day", str(folder))
    assert (run.source_file, run.function) == (str(folder / "etl.py"), "load_day")
    assert (run.parameters, run.tags, run.triggered_by) == ({"day": 3}, ("a",), "tui")
    assert run.scheduled_at is not None
    assert run.pid is None
    assert run.root_run_id == run.id
    assert deck.flow("load-day").last_run_id == run.id


def test_run_at_a_time_and_under_a_name(deck: Deck, entry: FlowEntry) -> None:
    """As asked for."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    run = deck.create_flow_run(entry, {"day": 3}, name="monthly", scheduled_at=at)
    assert (run.name, run.scheduled_at) == ("monthly", at)
    assert deck.flow_run("monthly").id == run.id


@pytest.mark.parametrize("parameters", [{}, {"day": "soon"}, {"day": 1, "hour": 2}])
def test_wrong_parameters_are_refused(deck: Deck, entry: FlowEntry, parameters: dict[str, Any]) -> None:
    """Before anything is made; the sentence names flow and parameter."""
    with pytest.raises(ParameterError, match=r"Flow 'load-day': .*(day|hour)"):
        deck.create_flow_run(entry, parameters)
    assert deck.flow_runs() == []


def test_request_with_a_key_is_made_once(deck: Deck, entry: FlowEntry) -> None:
    """Asked again, the first run is given back; also when two ask at once."""
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(deck.create_flow_run(entry, {"day": 3}, key="monday").id))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 4
    assert deck.create_flow_run(entry, {"day": 3}, key="tuesday").id != made[0]


def test_broken_file_has_no_run(deck: Deck, folder: Path) -> None:
    """One sentence."""
    Catalogue(deck._database).put_file(str(folder), "bad.py", "sha", "python", "import_error", None, None)
    (broken,) = deck.flows()
    with pytest.raises(RefusedError, match=r"bad\.py could not be imported"):
        deck.create_flow_run(broken, {})


# -- flows -------------------------------------------------------------------------------------------------------------


def test_flow_by_name_function_or_place(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """The exact name first, then the function, then FILE:FUNCTION, relative or whole."""
    del entry
    for reference in ("load-day", "load_day", "etl.py:load_day", f"{folder}/etl.py:load_day"):
        assert deck.flow(reference).function == "load_day"
    for reference in ("load", "etl.py", "etl.py:", "other.py:load_day"):
        with pytest.raises(NotFoundError, match="There is no flow"):
            deck.flow(reference)


def test_ambiguous_flow_lists_its_candidates(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """To choose from."""
    del entry
    put_flow(deck, folder, "other.py", "load_day")
    with pytest.raises(AmbiguousError, match=r"etl\.py:load_day, .*other\.py:load_day"):
        deck.flow("load-day")
    assert deck.flow("other.py:load_day").file == "other.py"


def test_file_and_function_mean_the_file_of_this_folder_first(
    deck: Deck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two watched folders have the same file: FILE:FUNCTION is that of the folder in which the user stands."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    monkeypatch.chdir(tmp_path / "b")
    assert deck.flow("etl.py:load").folder == str(tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AmbiguousError):
        deck.flow("etl.py:load")


def test_flows_of_a_folder_that_is_gone_make_nothing_ambiguous(deck: Deck, tmp_path: Path) -> None:
    """They stay listed, for a disk that comes back, but a name means what can be run."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    (tmp_path / "a").rmdir()
    assert deck.flow("load").folder == str(tmp_path / "b")
    assert len(deck.flows()) == 2


def test_run_name_has_a_length(deck: Deck, entry: FlowEntry) -> None:
    """A name is for one column of a table."""
    with pytest.raises(UsageError, match="1 to 200 characters, not 201"):
        deck.create_flow_run(entry, {"day": 1}, name="n" * 201)


def test_name_beats_function(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """A flow that is called like another's function."""
    del entry
    put_flow(deck, folder, "other.py", "something", name="load_day")
    assert deck.flow("load_day").file == "other.py"


# -- retry -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state_type", [StateType.FAILED, StateType.CRASHED, StateType.CANCELLED])
def test_retry_is_the_next_attempt(deck: Deck, folder: Path, state_type: StateType) -> None:
    """Same id; nothing of the last attempt's process is left in the row."""
    run = in_state(deck, state_type, source_file=str(folder / "etl.py"), pid=7, pid_token="x")
    columns = {"exit_code": 1, "signal": 9, "cancel_forced": 1, "host_pid": 8, "host_token": "y"}
    deck._database.write(lambda connection: flow_runs.set_columns(connection, run.key, columns))
    retried = deck.retry(run.id)
    assert (retried.id, retried.attempt, retried.state_name) == (run.id, 2, "Scheduled")
    assert (retried.pid, retried.host_pid, retried.exit_code, retried.signal, retried.ended_at) == (None,) * 5
    forced = deck._reader().execute("SELECT cancel_forced FROM flow_run WHERE key = ?", (run.key,)).fetchone()
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
        deck.retry(run.id)
    assert deck.flow_run_by_key(run.key) == run


def test_retry_of_a_completed_run_when_asked(deck: Deck, folder: Path) -> None:
    """Explicitly."""
    run = in_state(deck, StateType.COMPLETED, source_file=str(folder / "etl.py"))
    assert deck.retry(run.id, completed=True).attempt == 2


def test_two_retries_at_once(deck: Deck, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds that somebody was faster."""
    run = in_state(deck, StateType.FAILED, source_file=str(folder / "etl.py"))
    monkeypatch.setattr(deck, "flow_run", lambda _: run)
    deck.retry(run.id)
    with pytest.raises(RefusedError, match="was changed by someone else just now"):
        deck.retry(run.id)


# -- rerun -------------------------------------------------------------------------------------------------------------


def test_rerun_is_a_new_run_of_the_same_flow(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """With the parameters and tags of the old one, which stays as it is; of subflow runs and live ones too."""
    old = deck.create_flow_run(entry, {"day": 3}, tags=["a"])
    new = deck.rerun(old.id)
    assert (new.origin_run_id, new.root_run_id, new.state_name) == (old.id, new.id, "Scheduled")
    assert (new.flow_name, new.entrypoint, new.working_dir, new.source_file, new.function) == (
        old.flow_name, old.entrypoint, old.working_dir, old.source_file, old.function,
    )  # fmt: skip
    assert (dict(new.parameters), new.tags, new.attempt) == ({"day": 3}, ("a",), 1)
    assert deck.flow_run_by_key(old.key) == old


def test_rerun_takes_other_parameters_name_and_tags(deck: Deck, entry: FlowEntry) -> None:
    """Parameters are given whole: one that is left out takes its default."""
    old = deck.create_flow_run(entry, {"day": 3, "note": "x"})
    new = deck.rerun(old.id, {"day": 4}, name="again", tags=["b"], triggered_by="cli")
    assert (dict(new.parameters), new.name, new.tags, new.triggered_by) == ({"day": 4}, "again", ("b",), "cli")


def test_rerun_holds_the_parameters_against_the_flow_as_it_is_now(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """A file may have changed since."""
    old = deck.create_flow_run(entry, {"day": 3})
    with pytest.raises(ParameterError, match="day must be a whole number"):
        deck.rerun(old.id, {"day": "soon"})
    with pytest.raises(ParameterError, match="gone is not a parameter"):
        deck.rerun(old.id, {"day": 3, "gone": 1})


def test_rerun_of_a_script_run_goes_by_its_record(deck: Deck, folder: Path) -> None:
    """No watched folder holds its file: same file, same working directory, same Python, any parameters."""
    place = {"working_dir": str(folder.parent), "source_file": str(folder / "etl.py"), "function": "load_day"}
    old = in_state(deck, StateType.FAILED, **place, parameters='{"day": "x"}', interpreter="/opt/python")
    new = deck.rerun(old.id)
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
        deck.rerun(run.id)
    assert len(deck.flow_runs()) == 1


def test_rerun_of_a_value_that_was_not_kept_when_it_is_given_anew(deck: Deck, folder: Path) -> None:
    """Only what is handed over counts."""
    run = in_state(
        deck, StateType.FAILED, source_file=str(folder / "etl.py"), parameters='{"table": "<DataFrame>", "day": 1}'
    )
    assert dict(deck.rerun(run.id, {"day": 1, "table": "t.csv"}).parameters) == {"day": 1, "table": "t.csv"}


# -- cancel and delete -------------------------------------------------------------------------------------------------


def test_cancel(deck: Deck, entry: FlowEntry) -> None:
    """At once before the start; of a running one the row says what is wanted, by force or not."""
    assert deck.cancel(deck.create_flow_run(entry, {"day": 1}).id).state_name == "Cancelled"
    run = in_state(deck, StateType.RUNNING)
    assert deck.cancel(run.id).state_message == "Cancelled on request."
    deck.cancel(run.id, force=True)
    forced = deck._reader().execute("SELECT cancel_forced, state_type FROM flow_run WHERE key = ?", (run.key,))
    assert forced.fetchone() == (1, "CANCELLING")


def test_cancel_that_is_refused(deck: Deck) -> None:
    """A run that is over; a subflow, which names its root."""
    over, root = in_state(deck, StateType.FAILED), in_state(deck, StateType.RUNNING)
    child = deck.flow_run_by_key(make_child(deck._database, root.key))
    assert child is not None
    with pytest.raises(RefusedError, match="is over already: Failed"):
        deck.cancel(over.id)
    with pytest.raises(RefusedError, match=f"cancel {root.id}"):
        deck.cancel(child.id)


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
    deck.delete(deck.flow_runs(RunQuery(filter=of_flow("outer")))[0].id)
    assert list(logs.iterdir()) == []
    assert [run.id for run in deck.flow_runs(RunQuery())] == [other.id]


def test_delete_of_what_waits_to_start(deck: Deck, entry: FlowEntry) -> None:
    """It never will."""
    run = deck.create_flow_run(entry, {"day": 1})
    deck.delete(run.id)
    with pytest.raises(NotFoundError):
        deck.flow_run(run.id)


@pytest.mark.parametrize("state_type", [StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.CANCELLING])
def test_delete_of_a_live_run_is_refused(deck: Deck, state_type: StateType) -> None:
    """Also when it began only just now: the row decides, not what the caller saw."""
    run = in_state(deck, state_type)
    with pytest.raises(RefusedError, match="cancel it before you delete it"):
        deck.delete(run.id)


def test_delete_leaves_a_scripts_own_retry(deck: Deck) -> None:
    """It is SCHEDULED, but its process lives."""
    run = in_state(deck, StateType.SCHEDULED, pid=4711)
    with pytest.raises(RefusedError):
        deck.delete(run.id)


def test_delete_of_a_subflow_is_refused(deck: Deck) -> None:
    """It goes with its root."""
    root = in_state(deck, StateType.FAILED)
    child = deck.flow_run_by_key(make_child(deck._database, root.key))
    assert child is not None
    with pytest.raises(RefusedError, match=f"delete its root run {root.id}"):
        deck.delete(child.id)


# -- folders, engine, home ---------------------------------------------------------------------------------------------


def test_watched_folder_is_a_real_path(deck: Deck, folder: Path, tmp_path: Path) -> None:
    """So that a link and its target are one folder."""
    (tmp_path / "link").symlink_to(folder)
    deck.watch_folder(tmp_path / "link")
    deck.watch_folder(folder)
    assert deck.engine_status().folders == (str(folder),)


def test_folder_that_is_gone_can_be_taken_from_the_watched_ones(deck: Deck, tmp_path: Path) -> None:
    """Its flows go with it; one that nobody watches is refused with those that are."""
    for name in ("gone", "stays"):
        (tmp_path / name).mkdir()
        deck.watch_folder(tmp_path / name)
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    (tmp_path / "gone").rmdir()
    deck.unwatch_folder(tmp_path / "gone")
    assert deck.engine_status().folders == (str(tmp_path / "stays"),)
    assert [entry.folder for entry in deck.flows()] == [str(tmp_path / "stays")]
    with pytest.raises(NotFoundError, match=rf"gone is not watched\. Watched folders: {tmp_path / 'stays'}\."):
        deck.unwatch_folder(tmp_path / "gone")


def test_folder_that_is_not_there(deck: Deck, tmp_path: Path) -> None:
    """One sentence; a file is no folder."""
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(NotFoundError, match=f"There is no folder {tmp_path / name}"):
            deck.watch_folder(tmp_path / name)


def test_engine_that_is_gone_does_not_count(deck: Deck) -> None:
    """A row of a killed engine is no engine; stopping it is nothing to do."""
    engines.register(deck._database, "1", "cli")
    assert deck.engine_status().running
    deck._database.write(lambda connection: connection.execute("UPDATE engine SET pid_token = 'another'"))
    assert not deck.engine_status().running
    assert deck.stop_engine() is False


def test_engine_lock_is_exclusive(home: Home) -> None:
    """One engine a home; it is free when it is released."""
    first, second = engines.EngineLock(home), engines.EngineLock(home)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_deck_from_many_threads(deck: Deck) -> None:
    """Each reads by itself, while others write."""
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(10):
                run = in_state(deck, StateType.FAILED)
                assert deck.flow_run(run.id).key == run.key
                deck.flow_runs()
                deck.delete(run.id)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert deck.flow_runs() == []


def test_home_that_cannot_be_used(tmp_path: Path) -> None:
    """One sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"):
        Deck(tmp_path / "file")


def test_clock_of_deck(home: Home, folder: Path) -> None:
    """Times come from the one clock that it was given."""

    class Fixed(Clock):
        def now_microseconds(self) -> int:
            return 1_000_000_000_000_000

    deck = Deck(home.path, clock=Fixed())
    put_flow(deck, folder, "etl.py", "load_day")
    run = deck.create_flow_run(deck.flow("load-day"), {"day": 1})
    assert run.created_at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    deck.close()


def test_unknown_task_run(deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """One sentence."""
    del log_of
    with pytest.raises(NotFoundError, match="There is no task run 5"):
        deck.task_run(5)
