"""Transactions inside of each other, inside of tasks and around flows; and when they are committed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowdeck import flow, task, transaction
from flowdeck.deck import Deck, RunQuery, TaskRun
from flowdeck.transactions import CommitMode, Transaction, get_transaction
from tests.execution.journal import Journal

Runs = Callable[[], list[TaskRun]]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def test_inner_transactions_end_with_the_outermost(journal: Journal) -> None:
    """LAZY: inner ones are committed with it, or undone with it, though they ended well."""

    @flow
    def main(fail: bool) -> None:
        with transaction():
            with transaction() as inner:
                journal.step(1)
            assert not inner.is_committed()
            journal.step(2, fail=fail)

    main(False)
    assert journal.lines == ["run 1", "run 2", "commit 1", "commit 2"]
    journal.lines.clear()
    with pytest.raises(ValueError):
        main(True)
    assert journal.lines == ["run 1", "run 2", "undo 1"]


def test_inner_rollback_that_is_caught_leaves_the_outer(journal: Journal) -> None:
    """As a savepoint does."""

    @flow
    def main() -> None:
        with transaction():
            journal.step(1)
            with pytest.raises(ValueError), transaction():
                journal.step(2)
                journal.step(3, fail=True)

    main()
    assert journal.lines == ["run 1", "run 2", "run 3", "undo 2", "commit 1"]


def test_nested_calls_fall_with_the_attempt_that_made_them(journal: Journal, calls: Runs) -> None:
    """An attempt that fails undoes what it called; the next one's calls stand."""
    attempts: list[int] = []

    @task(retries=1)
    def outer() -> None:
        attempts.append(1)
        journal.step(len(attempts))
        if len(attempts) == 1:
            raise RuntimeError

    @flow
    def main() -> None:
        with transaction():
            outer()

    main()
    assert journal.lines == ["run 1", "undo 1", "run 2", "commit 2"]
    assert [call.state_name for call in calls()] == ["Completed", "RolledBack", "Completed"]


def test_calls_of_a_flow_inside(journal: Journal, deck: Deck) -> None:
    """A subflow's calls belong to the transaction around it, and run again with it."""
    failed: list[int] = []

    @flow
    def child() -> int:
        return journal.step(1)

    @flow(retries=1)
    def main() -> None:
        with transaction():
            child()
            if not failed:
                failed.append(1)
                raise RuntimeError

    main()
    assert journal.lines == ["run 1", "undo 1", "run 1", "commit 1"]
    (run,) = [run for run in deck.flow_runs.select(RunQuery()) if run.flow_name == "child"]
    assert (run.attempt, run.state_name) == (2, "Completed")


@pytest.mark.parametrize(
    ("mode", "lines"),
    [
        (CommitMode.EAGER, ["run 1", "commit 1", "run 2", "commit 2", "end"]),
        (CommitMode.LAZY, ["run 1", "run 2", "end", "commit 1", "commit 2"]),
        (CommitMode.OFF, ["run 1", "run 2", "end", "undo 2", "undo 1"]),
        ("LAZY", ["run 1", "run 2", "end", "commit 1", "commit 2"]),
    ],
)
def test_commit_modes(journal: Journal, mode: CommitMode, lines: list[str]) -> None:
    """EAGER commits each call at its end, LAZY all at the end, OFF nothing."""

    @flow
    def main() -> None:
        with transaction(commit_mode=mode):
            journal.step(1)
            journal.step(2)
            journal.lines.append("end")

    main()
    assert journal.lines == lines


def test_commit_and_rollback_by_hand(journal: Journal) -> None:
    """Each does it once; what is committed is not undone any more."""

    @flow
    def main() -> None:
        with transaction(commit_mode=CommitMode.OFF) as txn:
            journal.step(1)
            assert txn.commit() is True
            assert txn.rollback() is False
        with transaction() as txn:
            journal.step(2)
            assert txn.rollback() is True
            assert txn.commit() is False
            journal.step(3)

    main()
    assert journal.lines == ["run 1", "commit 1", "run 2", "undo 2", "run 3", "undo 3"]


def test_call_in_a_process_of_its_own() -> None:
    """What its body sets there is at hand for its hooks, which run in the flow's process."""
    undone: list[int] = []

    @task(own_process=True)
    def step() -> int:
        found = get_transaction()
        assert found is not None
        found.set("place", 7)
        return 1

    @step.on_rollback
    def undo(txn: Transaction) -> None:
        undone.append(txn.get("place"))

    del undo

    @flow
    def main() -> None:
        with pytest.raises(RuntimeError), transaction():
            assert step() == 1
            raise RuntimeError

    main()
    assert undone == [7]
