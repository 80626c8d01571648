"""Task calls in the store: their states, their guards, the counts beside them, and the lines of the tree."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from flowdeck.rules.states import TASK_RUN_TRANSITIONS, TERMINAL, State, StateType, named
from flowdeck.store.calls import task_run_queries, task_runs
from flowdeck.store.database.database import Database
from flowdeck.store.records import TaskCounts
from flowdeck.store.run_values import RunError, error_to_json
from flowdeck.store.runs import flow_run_queries, flow_runs
from tests.store.rows import force, make_call, make_run, new_call, state

Change = Callable[[Any, int, State], bool]


def set_final(connection: Any, task_run_id: int, target: State) -> bool:
    return task_runs.set_final(connection, task_run_id, 1, target, 5_000, None, task_runs.RecordedValue("42"))


CHANGES: dict[StateType, Change] = {
    StateType.RUNNING: lambda connection, task_run_id, target: task_runs.set_running(
        connection, new_call(task_run_id // 100_000_000, task_run_id % 100_000_000), target, 5_000, 2, "w"
    ),
    StateType.SCHEDULED: lambda connection, task_run_id, target: task_runs.set_waiting(
        connection, task_run_id, 1, target, 5_000, None
    ),
    StateType.PENDING: lambda connection, task_run_id, _: task_runs.set_not_ready(
        connection, task_run_id, 1, named("NotReady"), 5_000
    ),
    **dict.fromkeys(sorted(TERMINAL), set_final),
}
"""How a call comes into a state of this type. No call is ever PAUSED or CANCELLING."""


def call(database: Database, task_run_id: int) -> Any:
    """Return a call as readers see it."""
    return task_run_queries.by_id(database.reader(), task_run_id)


def states_of(database: Database, task_run_id: int) -> list[str]:
    """Return the names of the states that a call has been in."""
    rows = database.reader().execute("SELECT state_name FROM state WHERE task_run = ? ORDER BY seq", (task_run_id,))
    return [name for (name,) in rows.fetchall()]


@pytest.mark.parametrize(("source", "target"), product(TASK_RUN_TRANSITIONS, CHANGES))
def test_every_pair_goes_by_the_table(database: Database, source: StateType, target: StateType) -> None:
    """A change that the table allows is made and noted; any other changes nothing at all."""
    key = make_run(database)
    task_run_id = make_call(database, key, 1, source)
    before, noted = call(database, task_run_id), states_of(database, task_run_id)
    allowed = target in TASK_RUN_TRANSITIONS[source]
    assert database.write(lambda connection: CHANGES[target](connection, task_run_id, state(target))) is allowed
    if allowed:
        assert call(database, task_run_id).state_type is target
        assert len(states_of(database, task_run_id)) == len(noted) + 1
    else:
        assert call(database, task_run_id) == before
        assert states_of(database, task_run_id) == noted


@pytest.mark.parametrize("state_type", [one for one in StateType if one is not StateType.RUNNING])
def test_call_begins_only_while_its_run_runs(database: Database, state_type: StateType) -> None:
    """A run that is being cancelled, is over or waits starts nothing: neither a new call nor one that was queued."""
    key = make_run(database)
    make_call(database, key, 1, StateType.PENDING)
    database.write(lambda connection: force(connection, "flow_run", "key", key, state_type))
    assert not database.write(
        lambda connection: task_runs.insert(connection, new_call(key, 2), named("Running"), 1, 1, None)
    )
    queued = new_call(key, 1)
    assert not database.write(
        lambda connection: task_runs.set_running(connection, queued, named("Running"), 1, 1, None)
    )
    assert database.reader().execute("SELECT count(*) FROM task_run").fetchone() == (1,)


def test_what_was_done_is_recorded_while_its_run_is_cancelled(database: Database) -> None:
    """Done is done: the end of a call needs no running flow."""
    key = make_run(database)
    task_run_id = make_call(database, key, 1)
    database.write(lambda connection: force(connection, "flow_run", "key", key, StateType.CANCELLING))
    assert database.write(lambda connection: set_final(connection, task_run_id, named("Completed")))


def test_replaced_process_is_refused(database: Database) -> None:
    """A process that is no more in charge neither begins nor ends a call."""
    key = make_run(database, incarnation=2)
    assert not database.write(
        lambda connection: task_runs.insert(connection, new_call(key, 1), named("Running"), 1, 1, None)
    )
    task_run_id = make_call(database, key, 1, incarnation=2)
    refused: list[Change] = [*CHANGES.values()]
    for change in refused:
        assert not database.write(lambda connection, change=change: change(connection, task_run_id, named("Failed")))
    assert states_of(database, task_run_id) == ["Running"]


def test_row_takes_attempt_and_incarnation_of_its_run(database: Database) -> None:
    """What the caller believes of them does not count."""
    key = make_run(database)
    database.write(lambda connection: flow_runs.set_columns(connection, key, {"attempt": 3}))
    task_run_id = make_call(database, key, 1)
    assert call(database, task_run_id).flow_attempt == 3


def test_counts_follow_every_change(database: Database) -> None:
    """The counts beside a run always add up to its calls."""
    key = make_run(database)

    def counts() -> TaskCounts:
        return flow_run_queries.by_keys(database.reader(), [key])[0].task_counts

    running = make_call(database, key, 1)
    make_call(database, key, 2, StateType.PENDING)
    make_call(database, key, 3, StateType.CRASHED)
    assert counts() == TaskCounts(total=3, completed=0, failed=1, running=1)
    assert counts().other == 1
    error = error_to_json(RunError("ValueError", "no", ""))
    database.write(lambda connection: task_runs.set_waiting(connection, running, 1, named("AwaitingRetry"), 1, error))
    assert counts().running == 0
    database.write(lambda connection: CHANGES[StateType.RUNNING](connection, running, named("Retrying")))
    database.write(lambda connection: set_final(connection, running, named("Completed")))
    assert counts() == TaskCounts(total=3, completed=1, failed=1, running=0)


def test_attempts_of_a_call(database: Database) -> None:
    """A retry keeps the start of the first attempt, and the failure that it came from until it ends well."""
    key = make_run(database)
    task_run_id = make_call(database, key, 1)
    error = RunError("ValueError", "no", "")
    database.write(
        lambda connection: task_runs.set_waiting(
            connection, task_run_id, 1, named("AwaitingRetry"), 3_000, error_to_json(error)
        )
    )
    assert call(database, task_run_id).error == error
    database.write(lambda connection: CHANGES[StateType.RUNNING](connection, task_run_id, named("Retrying")))
    retrying = call(database, task_run_id)
    assert (retrying.attempt, retrying.started_at.microsecond) == (2, 2_000)
    database.write(lambda connection: set_final(connection, task_run_id, named("Completed")))
    assert call(database, task_run_id).error is None
    assert call(database, task_run_id).result_preview == "42"
    assert states_of(database, task_run_id) == ["Running", "AwaitingRetry", "Retrying", "Completed"]


def test_cancel_in_a_wait_keeps_the_failure(database: Database) -> None:
    """What the last attempt failed of is still to be seen."""
    key = make_run(database)
    task_run_id = make_call(database, key, 1)
    error = RunError("ValueError", "no", "")
    database.write(
        lambda connection: task_runs.set_waiting(
            connection, task_run_id, 1, named("AwaitingRetry"), 3_000, error_to_json(error)
        )
    )
    database.write(lambda connection: set_final(connection, task_run_id, named("Cancelled")))
    assert call(database, task_run_id).error == error


def test_close_open_ends_what_is_not_over(database: Database) -> None:
    """Calls of other runs, calls that are over, and NotReady ones keep their state."""
    key, other = make_run(database), make_run(database)
    open_ones = [
        make_call(database, key, number, state_type)
        for number, state_type in enumerate((StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING), 1)
    ]
    done, foreign = make_call(database, key, 4, StateType.COMPLETED), make_call(database, other, 1)
    not_ready = make_call(database, key, 5, StateType.PENDING)
    database.write(lambda connection: task_runs.set_not_ready(connection, not_ready, 1, named("NotReady"), 1))
    assert database.write(lambda connection: task_runs.close_open(connection, key, named("Crashed", "gone"), 9)) == 3
    assert {call(database, one).state_type for one in open_ones} == {StateType.CRASHED}
    assert [call(database, one).state_name for one in (done, foreign, not_ready)] == [
        "Completed",
        "Running",
        "NotReady",
    ]


def test_last_number(database: Database) -> None:
    """Numbers of calls go on over attempts, and know nothing of the next run's."""
    key, other = make_run(database), make_run(database)
    assert task_runs.last_number(database.reader(), key) == 0
    make_call(database, key, 7)
    make_call(database, other, 9)
    assert task_runs.last_number(database.reader(), key) == 7


# -- the tree ----------------------------------------------------------------------------------------------------------


def test_call_lines_are_calls_and_groups_in_order(database: Database) -> None:
    """A map is one line, where its first item stands."""
    key = make_run(database)
    make_call(database, key, 1, StateType.COMPLETED, task_name="first")
    for number in range(2, 6):
        make_call(database, key, number, StateType.COMPLETED, task_name="item", group=1, index=number - 2)
    make_call(database, key, 6, StateType.FAILED, task_name="last", name="my own name")
    lines = task_run_queries.call_lines(database.reader(), key)
    assert [(line.name, line.group, line.counts.total) for line in lines] == [
        ("first-0", None, 1), ("item ×4", 1, 4), ("my own name", None, 1),
    ]  # fmt: skip
    assert [line.state_type for line in lines] == [StateType.COMPLETED, StateType.COMPLETED, StateType.FAILED]
    assert lines[1].first_id == new_call(key, 2).id


S = StateType


@pytest.mark.parametrize(
    ("types", "name", "message"),
    [
        ([S.PENDING, S.PENDING], "Pending", None),
        ([S.PENDING, S.COMPLETED], "Running", None),
        ([S.RUNNING, S.FAILED], "Running", None),
        ([S.COMPLETED, S.COMPLETED], "Completed", None),
        ([S.COMPLETED, S.FAILED, S.CRASHED], "Failed", "2 of 3 failed."),
        ([S.COMPLETED, S.CANCELLED], "Cancelled", "1 of 2 did not run."),
    ],
)
def test_state_of_a_group(database: Database, types: list[StateType], name: str, message: str | None) -> None:
    """Not over while an item is not; then Failed if one failed."""
    key = make_run(database)
    for number, state_type in enumerate(types, 1):
        make_call(database, key, number, state_type, group=1)
    (line,) = task_run_queries.call_lines(database.reader(), key)
    assert (line.state_name, line.state_message) == (name, message)
    assert (line.ended_at is None) == (name in ("Pending", "Running"))


def test_only_the_current_attempt_is_shown(database: Database) -> None:
    """Earlier attempts are there for who asks for them."""
    key = make_run(database)
    make_call(database, key, 1)
    database.write(lambda connection: flow_runs.set_columns(connection, key, {"attempt": 2}))
    second = make_call(database, key, 2)
    reader = database.reader()
    assert [line.first_id for line in task_run_queries.call_lines(reader, key)] == [second]
    of_run = task_run_queries.of_flow_run
    assert [one.id for one in of_run(reader, key, group=None, flow_attempt=None, limit=0)] == [second]
    assert [one.flow_attempt for one in of_run(reader, key, group=None, flow_attempt=1, limit=0)] == [1]


def test_items_of_a_group_are_asked_for_apart(database: Database) -> None:
    """Only its own, in order, as many as are wanted."""
    key = make_run(database)
    for number in range(1, 6):
        make_call(database, key, number, group=1 if number < 4 else 2)
    found = task_run_queries.of_flow_run(database.reader(), key, group=1, flow_attempt=None, limit=2)
    assert [one.id for one in found] == [new_call(key, 1).id, new_call(key, 2).id]
