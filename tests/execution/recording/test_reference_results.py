"""The checked table of what users of Prefect know, third part: futures, map, results, transactions, subflows, logs."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import as_completed, flow, get_run_logger, runtime, task, transaction, unmapped, wait
from flowdeck.cache_policies import DEFAULT, FLOW_PARAMETERS, INPUTS, NO_CACHE, NONE, RUN_ID, TASK_SOURCE
from flowdeck.deck import Deck, FlowRun, RunQuery, TaskRun
from flowdeck.exceptions import MappingLengthMismatch, MappingMissingIterable, MissingContextError
from flowdeck.logging import disable_run_logger, flow_run_logger, get_logger, task_run_logger
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home
from flowdeck.task_runners import ConcurrentTaskRunner, ProcessPoolTaskRunner, SequentialTaskRunner
from flowdeck.tasks import task_input_hash
from flowdeck.transactions import CommitMode, get_transaction
from tests.execution.journal import Journal
from tests.support.scripts import Scripts

LastRun = Callable[[], FlowRun]
Runs = Callable[[], list[TaskRun]]
LogOf = Callable[..., list[str]]


@task
def double(number: int) -> int:
    """Give twice the number."""
    return number * 2


@task
def boom() -> None:
    """Fail."""
    raise ValueError("boom")


# -- 1.3 futures, map, task runners ------------------------------------------------------------------------------------


def test_row_futures() -> None:
    """`task_run_id`, `state`, `wait`, `result`, callbacks, lists of them; `wait` and `as_completed`."""
    called: list[str] = []

    @flow
    def main() -> None:
        future, failing = double.submit(1), boom.submit()
        future.add_done_callback(lambda done: called.append(done.name))
        assert future.wait(20)
        assert (future.result(timeout=20), future.state.name) == (2, "Completed")
        assert future.task_run_id % 100 == 1
        assert isinstance(failing.result(raise_on_failure=False), ValueError)
        done, not_done = wait([future, failing], timeout=20)
        assert (len(done), len(not_done)) == (2, 0)
        assert {one.name for one in as_completed([future, failing])} == {"double-0", "boom-0"}
        with pytest.raises(ValueError):
            boom.submit().result()

    main()
    assert called == ["double-0"]


def test_row_terminal_futures(calls: Runs) -> None:
    """Futures that nobody awaits are waited for all the same; there they are cancelled or left Pending."""
    go = threading.Event()

    @task
    def late() -> None:
        assert go.wait(20)

    @flow
    def main() -> None:
        late.submit()
        threading.Timer(0.05, go.set).start()

    main()
    assert [call.state_name for call in calls()] == ["Completed"]


def test_row_map() -> None:
    """Iterables item by item; strings, mappings and `unmapped` are constants; defaults are not mapped."""

    @task
    def pair(left: Any, right: Any = "default") -> tuple[Any, Any]:
        return (left, right)

    @flow
    def main() -> None:
        assert pair.map([1, 2], "ab").result() == [(1, "ab"), (2, "ab")]
        assert pair.map([1], {"k": 1}).result() == [(1, {"k": 1})]  # its keys there
        assert pair.map([1, 2], unmapped([3])).result() == [(1, [3]), (2, [3])]
        assert pair.map(range(2)).result() == [(0, "default"), (1, "default")]
        futures = double.map([1, 2])
        assert pair.map(futures, [double.submit(5), 6]).result() == [(2, 10), (4, 6)]
        assert pair.map([]).result() == []
        assert [state.result() for state in double.map([1], return_state=True)] == [2]
        with pytest.raises(MappingLengthMismatch):
            pair.map([1, 2], [1])
        with pytest.raises(MappingMissingIterable):
            pair.map(1)

    main()


@pytest.mark.parametrize("runner", [ConcurrentTaskRunner(max_workers=2), SequentialTaskRunner()])
def test_row_runners(runner: Any) -> None:
    """Threads and one after the other; calls that submit calls and wait for them do not deadlock."""

    @task
    def outer(number: int) -> int:
        return double.submit(number).result()

    @flow(task_runner=runner)
    def main() -> list[int]:
        return outer.map(range(4)).result()

    assert main() == [0, 2, 4, 6]


def test_row_process_runner() -> None:
    """Calls run in other processes, and their results come back."""

    @task
    def pid() -> int:
        return os.getpid()

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def main() -> int:
        return pid.submit().result()

    assert main() != os.getpid()


# -- 1.4 results, caching, transactions --------------------------------------------------------------------------------


def test_row_persistence(home: Home, calls: Runs) -> None:
    """Results are recorded unless `persist_result=False`; a storage key names them; serializers are the known ones."""

    @task(persist_result=False)
    def not_kept() -> int:
        return 1

    @task(result_storage_key="day-{parameters[day]}.json", result_serializer="json")
    def named(day: str) -> dict[str, str]:
        return {"day": day}

    @flow
    def main() -> None:
        not_kept()
        named("monday")
        for kind in ("pickle", "json", "compressed", "compressed/pickle", "compressed/json"):
            assert double.with_options(result_serializer=kind)(2) == 4

    main()
    assert [call.result_bytes is None for call in calls()] == [True, *[False] * 6]
    content = (home.results / "named" / "day-monday.json").read_bytes()
    assert json.loads(content.partition(b"\n")[2]) == {"day": "monday"}


def test_row_policies() -> None:
    """All of them, their sum and their difference, with their isolation."""
    ran: list[int] = []

    @task(cache_policy=INPUTS + TASK_SOURCE - "noise")
    def step(number: int, noise: int) -> int:
        ran.append(noise)
        return number

    @flow
    def main() -> None:
        assert (step(1, 1), step(1, 2), step(2, 3)) == (1, 1, 2)

    main()
    assert ran == [1, 3]
    assert DEFAULT == INPUTS + TASK_SOURCE + RUN_ID
    assert (NO_CACHE is NONE, FLOW_PARAMETERS + NO_CACHE) == (True, FLOW_PARAMETERS)
    assert INPUTS.configure(isolation_level="SERIALIZABLE").isolation_level == "SERIALIZABLE"


def test_row_cache_key_fn(calls: Runs) -> None:
    """`(context, parameters)`; None is no caching; `task_input_hash`; it wins over a policy, with a warning."""

    def key(context: Any, parameters: dict[str, Any]) -> str | None:
        return f"{context.task.task_key}-{parameters['number']}" if parameters["number"] else None

    @task(cache_key_fn=key)
    def keyed(number: int) -> int:
        return number

    @task(cache_key_fn=task_input_hash)
    def hashed(number: int) -> int:
        return number

    @flow
    def main() -> None:
        for number in (0, 0, 1, 1):
            keyed(number)
        hashed(1)
        hashed(1)

    main()
    assert [call.from_cache for call in calls()] == [False, False, False, True, False, True]
    with pytest.warns(UserWarning, match="the function is used"):
        task(cache_key_fn=key, cache_policy=INPUTS)(keyed.fn)


def test_row_cache_expiration(calls: Runs, database: Database) -> None:
    """Expired means run again; `refresh_cache` overwrites; a hit is Cached, of type COMPLETED, without its body."""
    ran: list[int] = []

    @task(cache_policy=INPUTS, cache_expiration=3600)
    def step(number: int) -> int:
        ran.append(number)
        return number

    @flow
    def main() -> None:
        step(1)
        step(1)
        step.with_options(refresh_cache=True)(1)
        database.write(lambda connection: connection.execute("UPDATE cached_result SET expires_at = 1"))
        step(1)

    main()
    assert [(call.state_type, call.state_name) for call in calls()][1] == ("COMPLETED", "Cached")
    assert len(ran) == 3


def test_row_transactions(calls: Runs) -> None:
    """Children first at the outermost exit; a rollback in reverse for what had finished; modes, values and keys."""
    journal = Journal()

    @flow
    def main() -> None:
        with transaction(key="all") as txn:
            txn.set("outer", 1)
            with transaction(commit_mode=CommitMode.LAZY) as inner:
                assert inner.get("outer") == 1
                journal.step(1)
            journal.step(2)
        with transaction(key="all") as again:
            assert again.is_committed()
        with pytest.raises(ValueError), transaction():
            journal.step(3)
            journal.step(4)
            journal.step(5, fail=True)
        assert get_transaction() is None

    main()
    assert journal.lines == [
        "run 1", "run 2", "commit 1", "commit 2", "run 3", "run 4", "run 5", "undo 4", "undo 3",
    ]  # fmt: skip
    names = [call.state_name for call in calls()]
    assert names == ["Completed", "Completed", "RolledBack", "RolledBack", "Failed"]


# -- 1.5 subflows ------------------------------------------------------------------------------------------------------


def test_row_subflow(deck: Deck) -> None:
    """A run of its own below the caller's, which it blocks; `log_prints` and tags come along."""

    @flow
    def child(number: int) -> int:
        print("below")
        return double.submit(number).result()

    @flow(log_prints=True)
    def main() -> int:
        assert runtime.flow_run.parent_flow_run_id is None
        return child(2) + 1

    assert main() == 5
    below, above = deck.flow_runs.select(RunQuery())
    assert (below.flow_name, below.parent_run_id, below.root_run_id) == ("child", above.id, above.id)
    log = deck.logs.of_run(below)
    assert ("print", "below") in [(record.source, record.message) for record in log.records()]
    log.close()


# -- 1.6 logging -------------------------------------------------------------------------------------------------------


def test_row_logging(log_of: LogOf) -> None:
    """`get_run_logger` in runs only, `get_logger`, loggers of runs from outside, prints; nothing waits in a batch."""
    seen: list[Any] = []

    @task(log_prints=True, on_completion=lambda _task, task_run, _state: seen.append(task_run))
    def step() -> None:
        get_run_logger().warning("in the task")
        print("printed")

    @flow(on_completion=lambda _flow, flow_run, _state: seen.append(flow_run))
    def main() -> None:
        get_run_logger().info("in the flow")
        get_logger("mine").warning("by its name")
        step()
        assert log_of("logger")[0] == "in the flow"  # it is in the file by now

    main()
    task_run_logger(seen[0]).warning("of a task run")
    flow_run_logger(seen[1]).warning("of a flow run")
    messages = log_of("logger")
    for message in ("in the flow", "in the task", "flowdeck.mine: by its name", "of a task run", "of a flow run"):
        assert messages.count(message) == 1, message
    assert log_of("print") == ["printed"]
    with pytest.raises(MissingContextError):
        get_run_logger()
    with disable_run_logger():
        get_run_logger().warning("of a test, outside of runs")


def test_row_logging_settings(scripts: Scripts, deck: Deck) -> None:
    """`logging_level` and `logging_extra_loggers` are settings; others' loggers are not kept unless named."""
    body = """
        import logging
        @flow
        def main():
            get_run_logger().info("too low")
            get_run_logger().warning("high enough")
            logging.getLogger("library").warning("named")
            logging.getLogger("other").warning("not named")
        main()
    """
    environment = {"FLOWDECK_LOGGING_LEVEL": "WARNING", "FLOWDECK_LOGGING_EXTRA_LOGGERS": "library"}
    assert scripts.start(body, environment=environment).end().code == 0
    log = deck.logs.of_run(deck.flow_runs.select()[0])
    messages = [record.message for record in log.records() if record.source == "logger"]
    log.close()
    assert messages == ["high enough", "library: named"]
