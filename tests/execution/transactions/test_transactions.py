"""Transactions: calls that stand or fall together, and their hooks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task, transaction
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.exceptions import FailedRun, MissingContextError, UsageError
from flowdeck.store.database.database import Database
from flowdeck.transactions import Transaction, get_transaction
from tests.execution.journal import Journal, current
from tests.support.scripts import Scripts

Runs = Callable[[], list[TaskRun]]


@pytest.fixture
def journal() -> Journal:
    return Journal()


# -- commit and rollback -----------------------------------------------------------------------------------------------


def test_commit_at_the_end(journal: Journal, calls: Runs) -> None:
    """Commit hooks run when the `with` ends, in order, and not before."""

    @flow
    def main() -> bool:
        with transaction() as txn:
            journal.step(1)
            journal.step(2)
            journal.lines.append("end")
            assert txn.is_active()
        return txn.is_committed()

    assert main() is True
    assert journal.lines == ["run 1", "run 2", "end", "commit 1", "commit 2"]
    assert [call.state_name for call in calls()] == ["Completed", "Completed"]


def test_exception_undoes_what_had_finished(journal: Journal, calls: Runs, last_run: Callable[[], FlowRun]) -> None:
    """The last call first; the one that failed has finished nothing, so that its own hook does not run."""

    @flow
    def main() -> None:
        journal.step(0)
        with transaction():
            journal.step(1)
            journal.step(2)
            journal.step(3, fail=True)

    with pytest.raises(ValueError, match="no 3"):
        main()
    assert journal.lines == ["run 0", "commit 0", "run 1", "run 2", "run 3", "undo 2", "undo 1"]
    assert [(call.state_name, call.state_type) for call in calls()] == [
        ("Completed", "COMPLETED"), ("RolledBack", "COMPLETED"), ("RolledBack", "COMPLETED"), ("Failed", "FAILED"),
    ]  # fmt: skip
    assert calls()[1].state_message == "Undone by its transaction. ValueError: no 3"
    counts = last_run().task_counts
    assert (counts.total, counts.completed, counts.failed, counts.running) == (4, 3, 1, 0)


def test_in_an_async_flow(journal: Journal, calls: Runs) -> None:
    """`async with` awaits asynchronous hooks; a plain `with` does the same."""

    @task
    async def step(number: int) -> int:
        return number

    @step.on_rollback
    async def undo(_txn: Transaction) -> None:
        await asyncio.sleep(0)
        journal.lines.append("undo")

    del undo

    @flow
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await asyncio.gather(step(1), step.submit(2))
                _ = 1 / 0
        with pytest.raises(ZeroDivisionError), transaction():
            await step(3)
            _ = 1 / 0

    asyncio.run(main())
    assert journal.lines == ["undo"] * 3
    assert {call.state_name for call in calls()} == {"RolledBack"}


def test_exception_that_was_caught_inside_undoes_nothing(journal: Journal) -> None:
    """Only what leaves the `with` does."""

    @flow
    def main() -> None:
        with transaction():
            journal.step(1)
            with pytest.raises(ValueError):
                journal.step(2, fail=True)
            assert journal.step(3, fail=True, return_state=True).is_failed()

    main()
    assert journal.lines == ["run 1", "run 2", "run 3", "commit 1"]


def test_failing_hooks_harm_nothing(log_of: Callable[..., list[str]], calls: Runs) -> None:
    """They are in the log; the other hooks run, the states stay right."""
    ran: list[str] = []

    def boom(_txn: Transaction) -> None:
        raise KeyError("hook")

    @task(on_commit=[boom, lambda _: ran.append("commit")], on_rollback=[lambda _: ran.append("undo"), boom])
    def step() -> int:
        return 1

    @flow
    def main() -> None:
        with transaction() as txn:
            step()
        assert txn.is_committed()
        with pytest.raises(ZeroDivisionError), transaction() as txn:
            step()
            _ = 1 / 0
        assert txn.is_rolled_back()

    main()
    assert ran == ["commit", "undo"]
    told = [line.split("\n")[0] for line in log_of("engine") if line.startswith("Hook")]
    assert [line.rpartition(" (")[2] for line in told] == [
        "on_commit) failed: KeyError: 'hook'", "on_rollback) failed: KeyError: 'hook'",
    ]  # fmt: skip
    assert [call.state_name for call in calls()] == ["Completed", "RolledBack"]


def test_hooks_of_a_call_outside_of_transactions() -> None:
    """It is a transaction of its own: committed at its end, with what its body has set."""
    seen: list[Any] = []

    @task(on_commit=lambda txn: seen.append(txn.get("place")), on_rollback=lambda _: seen.append("undo"))
    def step(*, fail: bool) -> None:
        current().set("place", "here")
        if fail:
            raise ValueError

    @flow
    def main() -> None:
        assert get_transaction() is None
        step(fail=False)
        with pytest.raises(ValueError):
            step(fail=True)

    main()
    assert seen == ["here"]


def test_values_are_inherited_and_kept_apart() -> None:
    """Inner ones see what is set outside; what they set stays theirs."""

    @flow
    def main() -> None:
        with transaction() as outer:
            outer.set("a", 1)
            with transaction() as inner:
                assert inner.get("a") == 1
                inner.set("a", 2)
                inner.set("b", 3)
                assert get_transaction() is inner
            assert (inner.get("a"), outer.get("a"), outer.get("b", None)) == (2, 1, None)
            with pytest.raises(ValueError, match="Nothing was set as 'b'"):
                outer.get("b")

    main()


def test_staged_hooks_and_value(journal: Journal) -> None:
    """`stage` of a task's own transaction: what an attempt staged before it failed is undone."""

    @task
    def step() -> None:
        current().stage("value", on_rollback_hooks=[lambda txn: journal.lines.append(f"undo {txn.read()}")])
        assert current().is_staged()
        raise ValueError

    @flow
    def main() -> None:
        with pytest.raises(ValueError), transaction():
            step()

    main()
    assert journal.lines == ["undo value"]


# -- submitted calls ---------------------------------------------------------------------------------------------------


def test_submitted_calls_are_waited_for_and_stand_or_fall_too(journal: Journal) -> None:
    """`submit` and `map` inside belong to it, in whichever thread they run."""
    released = threading.Event()

    @task(on_commit=lambda _: journal.lines.append("commit slow"))
    def slow() -> None:
        assert released.wait(20)

    @flow
    def main(fail: bool) -> None:
        with transaction():
            futures = journal.step.map([1, 2])
            futures.wait()
            if fail:
                raise RuntimeError
            slow.submit()
            journal.lines.append("end")
            threading.Timer(0.05, released.set).start()

    main(False)
    assert journal.lines[2] == "end"
    assert sorted(journal.lines[3:]) == ["commit 1", "commit 2", "commit slow"]
    journal.lines.clear()
    with pytest.raises(RuntimeError):
        main(True)
    assert sorted(journal.lines) == ["run 1", "run 2", "undo 1", "undo 2"]


def test_submitted_call_that_fails_unhandled_undoes_the_rest(journal: Journal, calls: Runs) -> None:
    """Nobody asked for its result: what it belongs to is not committed, and the flow fails of it."""

    @flow
    def main() -> None:
        with transaction() as txn:
            journal.step(1)
            journal.step.submit(2, fail=True)
        assert txn.is_rolled_back()

    with pytest.raises(FailedRun, match="no 2"):
        main()
    assert journal.lines[-1] == "undo 1"
    assert calls()[0].state_message.startswith("Undone by its transaction. step-1 is Failed")


def test_calls_that_have_not_begun_do_not_begin_in_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, journal: Journal, calls: Runs
) -> None:
    """They are Cancelled, and those that run are waited for and undone."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "1")
    begun, released = threading.Event(), threading.Event()

    @task(on_rollback=lambda _: journal.lines.append("undo busy"))
    def busy() -> None:
        begun.set()
        assert released.wait(20)

    @flow
    def main() -> None:
        with pytest.raises(RuntimeError), transaction():
            busy.submit()
            journal.step.map([1, 2])
            assert begun.wait(20)
            threading.Timer(0.05, released.set).start()
            raise RuntimeError("stop")

    main()
    assert journal.lines == ["undo busy"]
    assert [call.state_name for call in calls()] == ["RolledBack", "Cancelled", "Cancelled"]


# -- odd uses ----------------------------------------------------------------------------------------------------------


def test_wrong_uses_are_told_in_a_sentence() -> None:
    """A store, a word that is no mode, an empty key, a key outside of a flow, a second entry."""
    with pytest.raises(UsageError, match="takes no store"):
        transaction(store=object())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="commit_mode of transaction\\(\\) is EAGER, LAZY, OFF, not 'LATER'"):
        transaction(commit_mode="LATER")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="text of 1 to 2000 characters"):
        transaction(key="")
    with pytest.raises(MissingContextError, match="outside of a flow"), Transaction(key="k"):
        pass
    with transaction() as txn:
        pass
    assert txn.is_committed()
    with pytest.raises(UsageError, match="entered once"), txn:
        pass


def test_outside_of_flows(journal: Journal, database: Database) -> None:
    """Task calls that are runs of their own stand or fall together too."""
    with transaction():
        journal.step(1)
    with pytest.raises(RuntimeError), transaction():
        journal.step(2)
        assert journal.step.submit(3).result() == 3
        raise RuntimeError
    assert journal.lines == ["run 1", "commit 1", "run 2", "run 3", "undo 3", "undo 2"]
    names = database.reader().execute("SELECT state_name FROM task_run ORDER BY id").fetchall()
    assert [name for (name,) in names] == ["Completed", "RolledBack", "RolledBack"]


def test_keys_outside_of_flows(scripts: Scripts, database: Database) -> None:
    """A key that is committed in one process is found in the next, and in a flow; not after a rollback."""
    lines = """
        from flowdeck import transaction
        from flowdeck.transactions import IsolationLevel
        try:
            with transaction(key="lost"):
                raise RuntimeError
        except RuntimeError:
            pass
        with transaction(key="lost", write_on_commit=False) as txn:
            print("lost", txn.is_committed(), txn.read())
        with transaction(key="kept", isolation_level=IsolationLevel.SERIALIZABLE) as txn:
            print("kept", txn.is_committed(), txn.read())
            txn.stage({"rows": 3})
    """
    assert scripts.start(lines).end().out.splitlines() == ["lost False None", "kept False None"]
    assert scripts.start(lines).end().out.splitlines() == ["lost False None", "kept True {'rows': 3}"]

    @task(cache_key_fn=lambda _c, _p: "kept")
    def load() -> Any:
        raise AssertionError

    @flow
    def main() -> Any:
        with transaction(key="kept") as txn:
            assert txn.is_committed()
        return load()

    assert main() == {"rows": 3}
    (reason,) = database.reader().execute("SELECT cache_reason FROM task_run").fetchone()
    assert "recorded outside of runs at" in reason


def test_interrupt_undoes_too(scripts: Scripts, tmp_path: Path) -> None:
    """Ctrl-C in the middle: the hooks of what had finished run before the process ends."""
    effects = tmp_path / "effects"
    script = scripts.start(f"""
        from flowdeck import transaction
        @task(on_rollback=lambda _: open({str(effects)!r}, "w").write("undone"))
        def step():
            return 1
        @flow
        def main():
            with transaction():
                step()
                print("inside", flush=True)
                time.sleep(60)
        main()
    """)
    assert script.line() == "inside"
    script.process.send_signal(2)
    assert script.end().code != 0
    assert effects.read_text() == "undone"


def test_other_logger_gets_its_lines(caplog: pytest.LogCaptureFixture, log_of: Callable[..., list[str]]) -> None:
    """`logger` is told of a rollback in place of the run's log."""
    import logging

    @flow
    def main() -> None:
        with pytest.raises(RuntimeError), transaction(logger=logging.getLogger("mine")):
            raise RuntimeError("no")

    with caplog.at_level(logging.INFO, "mine"):
        main()
    assert [record.message for record in caplog.records] == ["A transaction is rolled back: RuntimeError: no"]
    assert not [line for line in log_of("engine") if "rolled back" in line]
