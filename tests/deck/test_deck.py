"""Deck: flows and new runs, folders, engine and home."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowdeck.deck import Deck, FlowEntry
from flowdeck.rules.clock import Clock
from flowdeck.rules.exceptions import (
    AmbiguousError,
    NotFoundError,
    ParameterError,
    RefusedError,
    StoreError,
    UsageError,
)
from flowdeck.rules.states import StateType
from flowdeck.store import engines
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.home import Home
from tests.deck.seeds import in_state, put_flow

# -- making runs -------------------------------------------------------------------------------------------------------


def test_run_is_scheduled_for_an_engine(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """With all that an engine needs: folder, file, parameters, when."""
    run = deck.flow_runs.create(entry, {"day": 3}, triggered_by="tui", tags=["a"])
    assert (run.state_name, run.attempt, run.incarnation) == ("Scheduled", 1, 0)
    assert (run.flow_name, run.entrypoint, run.working_dir) == ("load-day", "etl.py:load_day", str(folder))
    assert (run.source_file, run.function) == (str(folder / "etl.py"), "load_day")
    assert (run.parameters, run.tags, run.triggered_by) == ({"day": 3}, ("a",), "tui")
    assert run.scheduled_at is not None
    assert run.pid is None
    assert run.root_run_id == run.id
    assert deck.flows.find("load-day").last_run_id == run.id


def test_run_at_a_time_and_under_a_name(deck: Deck, entry: FlowEntry) -> None:
    """As asked for."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    run = deck.flow_runs.create(entry, {"day": 3}, name="monthly", scheduled_at=at)
    assert (run.name, run.scheduled_at) == ("monthly", at)
    assert deck.flow_runs.find("monthly").id == run.id


@pytest.mark.parametrize("parameters", [{}, {"day": "soon"}, {"day": 1, "hour": 2}])
def test_wrong_parameters_are_refused(deck: Deck, entry: FlowEntry, parameters: dict[str, Any]) -> None:
    """Before anything is made; the sentence names flow and parameter."""
    with pytest.raises(ParameterError, match=r"Flow 'load-day': .*(day|hour)"):
        deck.flow_runs.create(entry, parameters)
    assert deck.flow_runs.select() == []


def test_request_with_a_key_is_made_once(deck: Deck, entry: FlowEntry) -> None:
    """Asked again, the first run is given back; also when two ask at once."""
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(deck.flow_runs.create(entry, {"day": 3}, key="monday").id))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 4
    assert deck.flow_runs.create(entry, {"day": 3}, key="tuesday").id != made[0]


def test_broken_file_has_no_run(deck: Deck, folder: Path) -> None:
    """One sentence."""
    Catalogue(deck._database).put_file(str(folder), "bad.py", "sha", "python", "import_error", None, None)
    (broken,) = deck.flows.entries()
    with pytest.raises(RefusedError, match=r"bad\.py could not be imported"):
        deck.flow_runs.create(broken, {})


# -- flows -------------------------------------------------------------------------------------------------------------


def test_flow_by_name_function_or_place(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """The exact name first, then the function, then FILE:FUNCTION, relative or whole."""
    del entry
    for reference in ("load-day", "load_day", "etl.py:load_day", f"{folder}/etl.py:load_day"):
        assert deck.flows.find(reference).function == "load_day"
    for reference in ("load", "etl.py", "etl.py:", "other.py:load_day"):
        with pytest.raises(NotFoundError, match="There is no flow"):
            deck.flows.find(reference)


def test_ambiguous_flow_lists_its_candidates(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """To choose from."""
    del entry
    put_flow(deck, folder, "other.py", "load_day")
    with pytest.raises(AmbiguousError, match=r"etl\.py:load_day, .*other\.py:load_day"):
        deck.flows.find("load-day")
    assert deck.flows.find("other.py:load_day").file == "other.py"


def test_file_and_function_mean_the_file_of_this_folder_first(
    deck: Deck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two watched folders have the same file: FILE:FUNCTION is that of the folder in which the user stands."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    monkeypatch.chdir(tmp_path / "b")
    assert deck.flows.find("etl.py:load").folder == str(tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AmbiguousError):
        deck.flows.find("etl.py:load")


def test_flows_of_a_folder_that_is_gone_make_nothing_ambiguous(deck: Deck, tmp_path: Path) -> None:
    """They stay listed, for a disk that comes back, but a name means what can be run."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    (tmp_path / "a").rmdir()
    assert deck.flows.find("load").folder == str(tmp_path / "b")
    assert len(deck.flows.entries()) == 2


def test_run_name_has_a_length(deck: Deck, entry: FlowEntry) -> None:
    """A name is for one column of a table."""
    with pytest.raises(UsageError, match="1 to 200 characters, not 201"):
        deck.flow_runs.create(entry, {"day": 1}, name="n" * 201)


def test_name_beats_function(deck: Deck, entry: FlowEntry, folder: Path) -> None:
    """A flow that is called like another's function."""
    del entry
    put_flow(deck, folder, "other.py", "something", name="load_day")
    assert deck.flows.find("load_day").file == "other.py"


# -- folders, engine, home ---------------------------------------------------------------------------------------------


def test_watched_folder_is_a_real_path(deck: Deck, folder: Path, tmp_path: Path) -> None:
    """So that a link and its target are one folder."""
    (tmp_path / "link").symlink_to(folder)
    deck.folders.watch(tmp_path / "link")
    deck.folders.watch(folder)
    assert deck.engine.status().folders == (str(folder),)


def test_folder_that_is_gone_can_be_taken_from_the_watched_ones(deck: Deck, tmp_path: Path) -> None:
    """Its flows go with it; one that nobody watches is refused with those that are."""
    for name in ("gone", "stays"):
        (tmp_path / name).mkdir()
        deck.folders.watch(tmp_path / name)
        put_flow(deck, tmp_path / name, "etl.py", "load", "load")
    (tmp_path / "gone").rmdir()
    deck.folders.unwatch(tmp_path / "gone")
    assert deck.engine.status().folders == (str(tmp_path / "stays"),)
    assert [entry.folder for entry in deck.flows.entries()] == [str(tmp_path / "stays")]
    with pytest.raises(NotFoundError, match=rf"gone is not watched\. Watched folders: {tmp_path / 'stays'}\."):
        deck.folders.unwatch(tmp_path / "gone")


def test_folder_that_is_not_there(deck: Deck, tmp_path: Path) -> None:
    """One sentence; a file is no folder."""
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(NotFoundError, match=f"There is no folder {tmp_path / name}"):
            deck.folders.watch(tmp_path / name)


def test_engine_that_is_gone_does_not_count(deck: Deck) -> None:
    """A row of a killed engine is no engine; stopping it is nothing to do."""
    engines.register(deck._database, "1", "cli")
    assert deck.engine.status().running
    deck._database.write(lambda connection: connection.execute("UPDATE engine SET pid_token = 'another'"))
    assert not deck.engine.status().running
    assert deck.engine.stop() is False


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
                assert deck.flow_runs.find(run.id).key == run.key
                deck.flow_runs.select()
                deck.flow_runs.delete(run.id)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert deck.flow_runs.select() == []


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
    run = deck.flow_runs.create(deck.flows.find("load-day"), {"day": 1})
    assert run.created_at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    deck.close()


def test_unknown_task_run(deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """One sentence."""
    del log_of
    with pytest.raises(NotFoundError, match="There is no task run 5"):
        deck.task_runs.find(5)
