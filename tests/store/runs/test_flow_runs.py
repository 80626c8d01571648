"""Flow runs in the store: every change of state goes by the table, and every one leaves its trace."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from flowdeck.rules.exceptions import AmbiguousError, NotFoundError
from flowdeck.rules.states import FLOW_RUN_TRANSITIONS, StateType, named
from flowdeck.store.database.database import Database
from flowdeck.store.records import FlowRun, TaskCounts
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck.store.runs import flow_run_queries, flow_runs
from flowdeck.store.runs.flow_runs import marks
from tests.store.rows import force, make_call, make_child, make_run, state


def row(database: Database, key: int) -> FlowRun:
    """Return a run as readers see it."""
    return flow_run_queries.by_keys(database.reader(), [key])[0]


def history(database: Database, key: int) -> list[str]:
    """Return the names of the states that a run has been in."""
    return [record.state_name for record in flow_run_queries.states(database.reader(), key)]


def set_state(database: Database, key: int, target: StateType, **options: Any) -> bool:
    """Ask for a change of state."""
    return database.write(lambda connection: flow_runs.set_state(connection, key, state(target), 5_000, **options))


# -- transitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), product(StateType, StateType))
def test_every_pair_goes_by_the_table(database: Database, source: StateType, target: StateType) -> None:
    """A change that the table allows is made and noted; any other changes nothing at all."""
    key = make_run(database)
    if source is not StateType.RUNNING:
        database.write(lambda connection: force(connection, "flow_run", "key", key, source))
    before, noted = row(database, key), history(database, key)
    allowed = target in FLOW_RUN_TRANSITIONS[source]
    assert set_state(database, key, target) is allowed
    after = row(database, key)
    if allowed:
        assert after.state_type is target
        assert history(database, key) == [*noted, state(target).name]
    else:
        assert after == before
        assert history(database, key) == noted


def test_end_is_timed(database: Database) -> None:
    """A final state sets the end, another does not."""
    key = make_run(database)
    set_state(database, key, StateType.PAUSED)
    assert row(database, key).ended_at is None
    set_state(database, key, StateType.FAILED)
    ended = row(database, key).ended_at
    assert ended is not None
    assert ended.microsecond == 5_000


def test_replaced_process_is_refused(database: Database) -> None:
    """What an older incarnation says changes nothing; the current one's word counts, and that of an engine."""
    key = make_run(database, incarnation=2)
    assert not set_state(database, key, StateType.COMPLETED, incarnation=1)
    assert not set_state(database, key, StateType.COMPLETED, incarnation=3)
    assert row(database, key).state_type is StateType.RUNNING
    assert set_state(database, key, StateType.PAUSED, incarnation=2)
    assert set_state(database, key, StateType.FAILED)


def test_expected_narrows_the_table(database: Database) -> None:
    """A caller may insist on where the run is."""
    key = make_run(database)
    assert not set_state(database, key, StateType.FAILED, expected={StateType.PENDING})
    assert set_state(database, key, StateType.FAILED, expected={StateType.PENDING, StateType.RUNNING})


def test_run_that_is_not_there(database: Database) -> None:
    """A deleted run is changed by nobody."""
    assert not set_state(database, 99, StateType.FAILED)


# -- claiming ----------------------------------------------------------------------------------------------------------


def scheduled(database: Database, at: int, **changes: Any) -> int:
    """Make a run that is due at a moment."""
    return make_run(database, state=named("Scheduled"), scheduled_at=at, incarnation=0, **changes)


def test_claim_takes_what_has_been_due_longest(database: Database) -> None:
    """Once each, and each time with a new incarnation; what is not due stays."""
    late, early, future = scheduled(database, 20), scheduled(database, 10), scheduled(database, 1_000)
    claims = [database.write(lambda connection: flow_runs.claim(connection, 100)) for _ in range(3)]
    assert [claim and (claim[0], claim[2]) for claim in claims] == [(early, 1), (late, 1), None]
    assert row(database, early).state_type is StateType.PENDING
    assert row(database, future).state_type is StateType.SCHEDULED
    assert flow_runs.next_due_at(database.reader()) == 1_000


def test_claim_leaves_a_retry_to_its_own_process(database: Database) -> None:
    """A run that waits inside of a script for its next attempt is nobody else's."""
    scheduled(database, 10, pid=4711)
    assert database.write(lambda connection: flow_runs.claim(connection, 100)) is None
    assert flow_runs.next_due_at(database.reader()) is None


# -- cancelling --------------------------------------------------------------------------------------------------------


def cancel(database: Database, key: int, *, forced: bool = False) -> None:
    """Cancel a run."""
    database.write(lambda connection: flow_runs.cancel(connection, key, "On request.", 9_000, forced=forced))


def test_cancel_before_the_start_is_immediate(database: Database) -> None:
    """No process has it, so that nobody has to be waited for."""
    key = scheduled(database, 10)
    cancel(database, key)
    assert row(database, key).state_type is StateType.CANCELLED


def test_cancel_tells_the_whole_tree(database: Database) -> None:
    """Subflow runs that are not over are cancelling too; others and their own siblings' trees are not touched."""
    root, other = make_run(database), make_run(database)
    child = make_child(database, root)
    grandchild = make_child(database, child)
    done = make_child(database, root)
    set_state(database, done, StateType.COMPLETED)
    cancel(database, root)
    types = [row(database, key).state_type for key in (root, child, grandchild, done, other)]
    assert types == [*[StateType.CANCELLING] * 3, StateType.COMPLETED, StateType.RUNNING]


def test_cancel_of_a_scripts_own_retry_waits_for_the_script(database: Database) -> None:
    """It is SCHEDULED by type, but its process lives and has to see the cancel."""
    key = make_run(database, pid=4711)
    set_state(database, key, StateType.SCHEDULED)
    cancel(database, key)
    assert row(database, key).state_type is StateType.CANCELLING


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_delete_takes_everything_below(database: Database) -> None:
    """Subflow runs at any depth, calls, states and counts go; those of other runs stay."""
    root, other = make_run(database), make_run(database)
    child = make_child(database, root)
    grandchild = make_child(database, child)
    for key in (root, child, grandchild, other):
        make_call(database, key, 1)
    database.write(lambda connection: flow_runs.delete(connection, [root]))
    for sql in (
        "SELECT key FROM flow_run",
        "SELECT DISTINCT flow_run FROM task_run",
        "SELECT DISTINCT flow_run FROM state",
        "SELECT flow_run FROM flow_run_count",
    ):
        assert database.reader().execute(sql).fetchall() == [(other,)], sql


def test_key_is_never_given_out_again(database: Database) -> None:
    """What a process still says of a deleted run is not taken for the next run's."""
    key = make_run(database)
    database.write(lambda connection: flow_runs.delete(connection, [key]))
    assert make_run(database) > key


# -- counts ------------------------------------------------------------------------------------------------------------


def test_retry_counts_from_zero(database: Database) -> None:
    """Counts are of the current attempt; the earlier calls stay in the table."""
    key = make_run(database)
    make_call(database, key, 1, StateType.COMPLETED)
    make_call(database, key, 2, StateType.FAILED)
    database.write(lambda connection: flow_runs.add_log_counts(connection, key, 3, 4))
    counted = row(database, key)
    assert (counted.task_counts, counted.warning_count, counted.error_count) == (TaskCounts(2, 1, 1, 0), 3, 4)
    set_state(database, key, StateType.FAILED)
    set_state(database, key, StateType.SCHEDULED, columns={"attempt": 2})
    counted = row(database, key)
    assert (counted.task_counts, counted.warning_count, counted.error_count) == (TaskCounts(), 0, 0)
    assert database.reader().execute("SELECT count(*) FROM task_run").fetchone() == (2,)


def test_log_counts_add_up_or_are_replaced(database: Database) -> None:
    """Processes add; a recount of the file replaces."""
    key = make_run(database)
    for _ in range(2):
        database.write(lambda connection: flow_runs.add_log_counts(connection, key, 1, 2))
    assert (row(database, key).warning_count, row(database, key).error_count) == (2, 4)
    database.write(lambda connection: flow_runs.set_log_counts(connection, key, 7, 0))
    assert (row(database, key).warning_count, row(database, key).error_count) == (7, 0)


# -- questions ---------------------------------------------------------------------------------------------------------

ID = "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5{}"


@pytest.fixture
def named_runs(database: Database) -> Database:
    """Three runs with known ids, two of them of one name."""
    for last, name in (("0", "calm-otter"), ("1", "calm-otter"), ("2", "bold-owl")):
        make_run(database, id=ID.format(last), name=name)
    return database


@pytest.mark.parametrize(
    ("reference", "last"),
    [(ID.format("1"), "1"), (ID.format("1").upper(), "1"), ("3f4a50", "0"), ("bold-owl", "2"), (" bold-owl ", "2")],
)
def test_run_is_found(named_runs: Database, reference: str, last: str) -> None:
    """By id, by a unique end of it, by a unique name."""
    assert flow_run_queries.find(named_runs.reader(), reference).id == ID.format(last)


@pytest.mark.parametrize("reference", ["", "4a5", "nobody", "%%%%", "____", "3f4a5_", "calm"])
def test_run_is_not_found(named_runs: Database, reference: str) -> None:
    """Fewer than four characters, patterns and parts of names stand for nothing."""
    with pytest.raises(NotFoundError, match="There is no flow run"):
        flow_run_queries.find(named_runs.reader(), reference)


@pytest.mark.parametrize("reference", ["calm-otter", "0191"])
def test_ambiguous_reference_lists_its_runs(named_runs: Database, reference: str) -> None:
    """The sentence names whole ids, to choose from."""
    with pytest.raises(AmbiguousError, match=ID.format("1")):
        flow_run_queries.find(named_runs.reader(), reference)


def test_more_keys_than_sqlite_takes_in_one_statement(database: Database) -> None:
    """A reader that is far behind asks for all runs at once."""
    keys = [make_run(database) for _ in range(3)]
    found = flow_run_queries.by_keys(database.reader(), [*range(40_000), *keys])
    assert [run.key for run in found] == sorted(keys, reverse=True)
    assert flow_run_queries.by_keys(database.reader(), []) == []


def test_active_counts(database: Database) -> None:
    """Root runs that are not over by type, and recent failures."""
    parent = make_run(database)
    make_child(database, parent)
    scheduled(database, 10)
    failed = make_run(database)
    set_state(database, failed, StateType.CRASHED)
    counts = flow_run_queries.counts_by_type(database.reader(), failed_since=5_000)
    assert counts == {StateType.RUNNING: 1, StateType.SCHEDULED: 1, StateType.FAILED: 1}
    assert StateType.FAILED not in flow_run_queries.counts_by_type(database.reader(), failed_since=5_001)


def test_states_of_a_run_are_apart_from_those_of_its_calls(database: Database) -> None:
    """The history of the run itself has no state of a call in it."""
    key = make_run(database)
    make_call(database, key, 1)
    assert history(database, key) == ["Running"]
    assert make_call(database, key, 2) == key * CALLS_PER_RUN + 2


def test_marks() -> None:
    """One question mark a value."""
    assert marks([1, 2, 3]) == "?, ?, ?"


def test_error_of_an_earlier_attempt_does_not_explain_a_crash(database: Database) -> None:
    """A run that is killed while it waits for its next attempt shows the kill, not what failed before."""
    key = make_run(database)
    at = 2_000
    waits = named("AwaitingRetry")
    database.write(lambda c: flow_runs.set_state(c, key, waits, at, columns={"error": '{"type": "ValueError"}'}))
    database.write(lambda c: flow_runs.set_state(c, key, named("Crashed", "Killed."), at))
    assert database.reader().execute("SELECT error FROM flow_run").fetchone() == (None,)
