"""The catalogue of watched folders, their files and their flows."""

from __future__ import annotations

import pytest

from flowdeck.rules.states import StateType, named
from flowdeck.store.catalogue import Catalogue, FileState, FlowDescription
from flowdeck.store.database.database import Database
from flowdeck.store.run_values import RunError
from flowdeck.store.runs import flow_runs
from tests.store.rows import make_child, make_run

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": []}
ERROR = RunError("SyntaxError", "invalid syntax", "", "/flows/etl.py", 3)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    return Catalogue(database)


def described(function: str, line: int) -> FlowDescription:
    return FlowDescription(function, function.replace("_", "-"), line, f"Does {function}.", SCHEMA)


def put(catalogue: Catalogue, *functions: str, file: str = "etl.py", folder: str = "/flows") -> None:
    """Note a good look at a file."""
    flows = [described(function, line) for line, function in enumerate(functions, 1)]
    catalogue.put_file(folder, file, "sha", "python", "ok", None, flows)


def test_folders_are_watched_once_and_in_order(catalogue: Catalogue) -> None:
    """Asking again changes nothing."""
    for folder in ("/b", "/a", "/b"):
        catalogue.watch_folder(folder)
    assert catalogue.folders() == ["/b", "/a"]


def test_entries_are_in_order_of_folder_file_and_line(catalogue: Catalogue) -> None:
    """As a person reads them; of all folders or of one."""
    put(catalogue, "second_file", file="z.py")
    put(catalogue, "b_flow", "a_flow")
    put(catalogue, "elsewhere", folder="/other")
    entries = catalogue.entries("/flows")
    assert [entry.entrypoint for entry in entries] == ["etl.py:b_flow", "etl.py:a_flow", "z.py:second_file"]
    assert len(catalogue.entries()) == 4
    first = entries[0]
    assert (first.name, first.line, first.description) == ("b-flow", 1, "Does b_flow.")
    assert first.parameter_schema == SCHEMA
    assert (first.status, first.error, first.last_run_id) == ("ok", None, None)


def test_broken_file_keeps_the_flows_of_its_last_good_version(catalogue: Catalogue) -> None:
    """They are shown with the error, and not forgotten for a slip of the keyboard."""
    put(catalogue, "load")
    catalogue.put_file("/flows", "etl.py", "sha2", "python", "import_error", ERROR, None)
    (entry,) = catalogue.entries()
    assert (entry.function, entry.status, entry.error) == ("load", "import_error", ERROR)


def test_file_that_was_never_good(catalogue: Catalogue) -> None:
    """It stands for itself, with its error."""
    catalogue.put_file("/flows", "etl.py", "sha", "python", "import_error", ERROR, None)
    (entry,) = catalogue.entries()
    assert (entry.function, entry.entrypoint, entry.parameter_schema) == (None, "etl.py", None)


def test_file_without_flows_is_remembered_but_not_shown(catalogue: Catalogue) -> None:
    """So that it is not looked at again until it changes."""
    put(catalogue)
    assert catalogue.entries() == []
    assert catalogue.files("/flows") == {"etl.py": FileState("etl.py", "sha", "python", "ok")}


def test_flows_follow_the_file(catalogue: Catalogue) -> None:
    """What was renamed is gone under its old name; a removed file takes its flows along; a folder too."""
    put(catalogue, "old_name")
    put(catalogue, "new_name")
    assert [entry.function for entry in catalogue.entries()] == ["new_name"]
    catalogue.remove_file("/flows", "etl.py")
    assert catalogue.entries() == []
    catalogue.watch_folder("/flows")
    put(catalogue, "load")
    catalogue.forget_folder("/flows")
    assert (catalogue.entries(), catalogue.folders()) == ([], [])


def test_entry_knows_the_newest_run_of_its_function(catalogue: Catalogue, database: Database) -> None:
    """Runs of other functions, other files and subflow runs are not its own."""
    put(catalogue, "etl")
    old, new = make_run(database), make_run(database)
    make_run(database, function="other")
    make_run(database, source_file="/flows/other.py")
    make_child(database, old)
    database.write(lambda connection: flow_runs.set_state(connection, new, named("Failed"), 7_000_000))
    (entry,) = catalogue.entries()
    last_id = database.reader().execute("SELECT id FROM flow_run WHERE key = ?", (new,)).fetchone()[0]
    assert (entry.last_run_id, entry.last_run_state) == (last_id, StateType.FAILED)
    assert entry.last_run_ended_at is not None
    assert entry.last_run_ended_at.second == 7
