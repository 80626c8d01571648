"""What transactions leave behind: cached results, keys, and what a later attempt takes of their calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task, transaction
from flowdeck.cache_policies import INPUTS, TASK_SOURCE
from flowdeck.deck import Deck, TaskRun
from flowdeck.store.database.database import Database
from flowdeck.transactions import IsolationLevel
from tests.execution.journal import Journal
from tests.support.scripts import Scripts

Runs = Callable[[], list[TaskRun]]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def cached(database: Database) -> list[str]:
    """Return the keys in the cache."""
    return [key for (key,) in database.reader().execute("SELECT cache_key FROM cached_result ORDER BY cache_key")]


# -- caching -----------------------------------------------------------------------------------------------------------


def test_cached_results_are_there_at_the_commit(database: Database) -> None:
    """Not before it, and not at all after a rollback."""
    counts: list[int] = []

    @task(cache_policy=INPUTS + TASK_SOURCE)
    def step(number: int) -> int:
        counts.append(number)
        return number

    @flow
    def main(fail: bool) -> None:
        with transaction():
            step(1)
            assert cached(database) == []
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        main(True)
    assert cached(database) == []
    main(False)
    assert len(cached(database)) == 1

    @flow
    def later() -> str:
        return step(1, return_state=True).name

    assert later() == "Cached"
    assert counts == [1, 1]


def test_cached_call_inside_is_not_undone(journal: Journal, calls: Runs) -> None:
    """Somebody else committed it."""

    @task(cache_policy=INPUTS, on_rollback=lambda _: journal.lines.append("undo"))
    def step(number: int) -> int:
        return number

    @flow
    def main(fail: bool) -> None:
        with transaction():
            step(1)
            if fail:
                raise RuntimeError

    main(False)
    with pytest.raises(RuntimeError):
        main(True)
    assert journal.lines == []
    assert [call.state_name for call in calls()] == ["Cached"]


def test_committed_key_short_circuits(database: Database) -> None:
    """A transaction with a key that was committed begins as committed; a task with that key has its value."""

    @task(cache_key_fn=lambda _c, _p: "orders")
    def step() -> str:
        raise AssertionError("it must not run")

    @flow
    def main(overwrite: bool = False, value: str = "first") -> tuple[bool, Any]:
        with transaction(key="orders", overwrite=overwrite) as txn:
            if txn.is_committed():
                return True, txn.read()
            txn.stage(value)
        return False, txn.read()

    assert main() == (False, "first")
    assert cached(database) == ["orders"]
    assert main() == (True, "first")
    assert main(overwrite=True, value="second") == (False, "second")
    assert main() == (True, "second")

    @flow
    def later() -> str:
        return step()

    assert later() == "second"


def test_key_is_not_recorded_without_a_commit(database: Database) -> None:
    """Rolled back, or not wanted."""

    @flow
    def main() -> None:
        with pytest.raises(RuntimeError), transaction(key="a") as txn:
            txn.stage(1)
            raise RuntimeError
        with transaction(key="b", write_on_commit=False) as txn:
            txn.stage(1)
        assert txn.is_committed()
        with transaction(key="c") as txn:
            txn.stage(threading.Lock())

    main()
    assert cached(database) == []


def test_work_in_a_transaction_that_was_committed_before(journal: Journal) -> None:
    """Who does not look at `is_committed` gets new calls, which stand or fall by themselves."""

    @flow
    def main(fail: bool) -> None:
        with transaction(key="once"):
            journal.step(1)
            if fail:
                raise RuntimeError

    main(False)
    main(False)
    with pytest.raises(RuntimeError):
        main(True)
    assert journal.lines == ["run 1", "commit 1", "run 1", "commit 1", "run 1", "undo 1"]


def test_serializable_transactions_with_one_key_run_one_after_the_other(tmp_path: Path, scripts: Scripts) -> None:
    """The second waits for the first, in another process too, and finds its key committed."""
    effects = tmp_path / "effects"
    body = f"""
        from flowdeck import transaction
        from flowdeck.transactions import IsolationLevel
        @flow
        def main():
            with transaction(key="k", isolation_level=IsolationLevel.SERIALIZABLE) as txn:
                if txn.is_committed():
                    return "again"
                print("inside", flush=True)
                sys.stdin.readline()
                open({str(effects)!r}, "a").write("ran")
            return "first"
        print("begins", flush=True)
        print(main(), flush=True)
    """
    first = scripts.start(body, name="first.py")
    assert (first.line(), first.line()) == ("begins", "inside")
    second = scripts.start(body, name="second.py")
    assert second.line() == "begins"
    first.tell()
    assert first.line() == "first"
    assert second.end().out == "again\n"
    assert effects.read_text() == "ran"


def test_a_task_does_not_wait_for_its_own_transaction() -> None:
    """Both ask for the lock of one key; the lock is held until the commit."""

    @task(cache_policy=INPUTS.configure(isolation_level="SERIALIZABLE"))
    def inputs(number: int) -> int:
        return number

    @task(cache_key_fn=lambda _c, _p: "k")
    def keyed() -> int:
        return 1

    @flow
    def main() -> int:
        with transaction(key="k", isolation_level=IsolationLevel.SERIALIZABLE), transaction(key="k"):
            return inputs(1) + inputs(1) + keyed() + sum(inputs.map([1, 1]).result())

    assert main() == 5


# -- replay ------------------------------------------------------------------------------------------------------------


def test_call_that_was_undone_runs_again(journal: Journal, calls: Runs) -> None:
    """It counts as not recorded; what stands outside of the transaction does not run again."""
    failed: list[int] = []

    @flow(retries=1)
    def main() -> None:
        journal.step(0)
        with transaction():
            journal.step(1)
            journal.step(2)
            if not failed:
                failed.append(1)
                raise RuntimeError

    main()
    assert journal.lines == [
        "run 0", "commit 0", "run 1", "run 2", "undo 2", "undo 1", "run 1", "run 2", "commit 1", "commit 2",
    ]  # fmt: skip
    assert [(call.state_name, call.reused) for call in calls()] == [
        ("Completed", True), ("Completed", False), ("Completed", False),
    ]  # fmt: skip


def test_committed_call_is_reused_and_committed_once(journal: Journal) -> None:
    """Its commit hook has run; a failure behind it, even in the same place, does not undo it."""
    failed: list[int] = []

    @flow(retries=2)
    def main() -> None:
        with transaction():
            journal.step(1)
            if len(failed) == 1:
                failed.append(2)
                raise RuntimeError("in it")
        if not failed:
            failed.append(1)
            raise RuntimeError("behind it")

    main()
    assert journal.lines == ["run 1", "commit 1"]


def test_block_that_is_tried_in_a_loop_is_replayed_as_it_ended(journal: Journal) -> None:
    """A call that was undone counts as never made: the one that stands takes its place in later attempts."""
    tries: list[int] = []

    @flow(retries=1)
    def main() -> None:
        for _ in range(2):
            tries.append(1)
            try:
                with transaction():
                    journal.step(1)
                    if len(tries) == 1:
                        raise ZeroDivisionError
                break
            except ZeroDivisionError:
                continue
        if len(tries) == 2:
            raise RuntimeError

    main()
    assert journal.lines == ["run 1", "undo 1", "run 1", "commit 1"]


KILLED = """
    from flowdeck import transaction
    from flowdeck.cache_policies import INPUTS
    from flowdeck.transactions import get_transaction
    def note(text):
        with open(EFFECTS, "a") as file:
            file.write(text + "\\n")
    @task(cache_policy=INPUTS)
    def write(number):
        note(f"run {number}")
        get_transaction().set("number", number)
        return number
    @write.on_rollback
    def undo(txn):
        note(f"undo {txn.get('number')}")
    @write.on_commit
    def commit(txn):
        note(f"commit {txn.get('number')}")
    @flow
    def main(how="die"):
        with transaction():
            write(1)
            if not os.path.exists(MARK):
                open(MARK, "w").close()
                os.kill(os.getpid(), 9)
            if how == "fail":
                raise ValueError
"""


@pytest.mark.parametrize(("how", "end"), [("commit", ["run 1", "commit 1"]), ("fail", ["run 1", "undo 1"])])
def test_transaction_that_a_kill_cut_short_goes_on(
    tmp_path: Path, scripts: Scripts, deck: Deck, database: Database, how: str, end: list[str]
) -> None:
    """A later attempt takes the call that was recorded, with what it had set, and commits or undoes it."""
    effects, mark = tmp_path / "effects", tmp_path / "mark"
    names = f"\n    EFFECTS, MARK = {str(effects)!r}, {str(mark)!r}\n"
    assert scripts.run(names + KILLED + f'\n    main("{how}")\n').code == -9
    (run,) = deck.flow_runs.select()
    again = f"""
        from flowdeck.execution.starts import run_creation as flow_starts
        from flowdeck.store.runs import process_claims as supervision
        from flowdeck.store.runs.flow_runs import schedule_again, claim
        from flowdeck.rules.states import State, StateType, named
        from my_flow import main
        database = flow_starts.shared_database()
        now = time.time_ns() // 1000
        def crash_and_claim(connection):
            connection.execute("UPDATE flow_run SET state_type = 'CRASHED', state_name = 'Crashed'")
            assert schedule_again(connection, {run.key}, named("Scheduled"), now, attempt=2, environment=None)
            return claim(connection, now)
        key, _, incarnation = database.write(crash_and_claim)
        main.run_claimed(database, key, incarnation)
    """
    path = scripts.folder / "my_flow.py"
    path.write_text(path.read_text().replace(f'main("{how}")', ""))
    ended = scripts.run(again, name="again.py")
    assert (ended.code, effects.read_text().splitlines()) == (0, end), ended.err
    assert len(cached(database)) == (how == "commit")
    states = [name for (name,) in database.reader().execute("SELECT state_name FROM task_run ORDER BY id")]
    assert states == (["Completed", "Completed"] if how == "commit" else ["RolledBack", "RolledBack"])
