"""`ProcessPoolTaskRunner`: functions of submitted calls run in worker processes, and all else as ever."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowdeck import flow, get_run_logger, runtime, tags, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.exceptions import WorkerError
from flowdeck.execution.workers import worker
from flowdeck.store.oom_kills import OomKills
from flowdeck.task_runners import ProcessPoolTaskRunner

ONE_PROCESS = ProcessPoolTaskRunner(max_workers=1)
TWO_PROCESSES = ProcessPoolTaskRunner(max_workers=2)


def test_row_runners_process_pool_context_and_logs(
    log_of: Callable[..., list[str]], calls: Callable[[], list[TaskRun]]
) -> None:
    """Function and values travel, logs and prints come back to the right task run, tags go along."""

    @task
    def inner(number: int) -> int:
        get_run_logger().info("inner %d", number)
        return number * 100

    @task(log_prints=True)
    def work(number: int) -> tuple[int, int]:
        print("printed", number)
        get_run_logger().warning("logged %d", number)
        with tags("deep"):
            return os.getpid(), inner(number)

    @flow(task_runner=TWO_PROCESSES)
    def main() -> list[tuple[int, int]]:
        with tags("nightly"):
            return work.map([1, 2, 3]).result()

    results = main()
    assert [value for _, value in results] == [100, 200, 300]
    assert os.getpid() not in {pid for pid, _ in results}
    assert sorted(log_of("print")) == ["printed 1", "printed 2", "printed 3"]
    assert sorted(log_of("logger")) == sorted(
        [*(f"inner {number}" for number in (1, 2, 3)), *(f"logged {number}" for number in (1, 2, 3))]
    )
    of_work = {call.index: call for call in calls() if call.task_name == "work"}
    of_inner = [call for call in calls() if call.task_name == "inner"]
    assert {call.tags for call in of_inner} == {("deep", "nightly")}
    assert sorted(call.parent_id or 0 for call in of_inner) == sorted(call.id for call in of_work.values())


def test_runtime_and_loggers_of_others(monkeypatch: pytest.MonkeyPatch, log_of: Callable[..., list[str]]) -> None:
    """`flowdeck.runtime` knows run and parameters there, and registered loggers go to the run's log."""
    monkeypatch.setenv("FLOWDECK_LOGGING_EXTRA_LOGGERS", "shop")

    @task(tags=["fast"])
    def work(number: int) -> list[Any]:
        logging.getLogger("shop").warning("sold %d", number)
        found = runtime.task_run
        return [runtime.flow_run.name, runtime.flow_run.parameters, found.name, found.parameters, found.tags]

    @flow(task_runner=ONE_PROCESS)
    def main(size: int) -> bool:
        expected = [runtime.flow_run.name, {"size": 3}, "work-0", {"number": 1}, ["fast"]]
        return work.submit(1).result() == expected

    assert main(3)
    assert log_of("logger") == ["shop: sold 1"]


def test_thousand_items_through_two_processes() -> None:
    """Each item once, in order of its result, by at most two processes."""

    @task
    def work(number: int) -> tuple[int, int]:
        return number, os.getpid()

    @flow(task_runner=TWO_PROCESSES)
    def main() -> list[tuple[int, int]]:
        return work.map(range(1_000)).result()

    results = main()
    assert [number for number, _ in results] == list(range(1_000))
    assert len({pid for _, pid in results}) <= 2


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (OomKills(1, 1), OomKills(2, 2), "was killed by SIGKILL of the system's out-of-memory killer."),
        (OomKills(None, 1), OomKills(None, 2), "for which the system ended a process meanwhile."),
        (OomKills(1, 1), OomKills(1, 2), "was killed by SIGKILL."),
        (OomKills(None, None), OomKills(None, None), "was killed by SIGKILL."),
    ],
)
def test_lack_of_memory_is_named_where_a_counter_says_so(
    before: OomKills, after: OomKills, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was killed by hand looks the same but for the counters."""
    counts = iter([before, after])
    monkeypatch.setattr(worker, "count_oom_kills", lambda: next(counts, after))

    @task
    def dies() -> None:
        os.kill(os.getpid(), 9)

    @flow(task_runner=ONE_PROCESS)
    def main() -> str:
        return str(dies.submit().exception())

    assert main().endswith(sentence)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("os._exit(3)", "ended with exit code 3 in the middle of it."),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL."),
        ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV."),
    ],
)
def test_worker_that_dies_fails_one_attempt(how: str, sentence: str, calls: Callable[[], list[TaskRun]]) -> None:
    """The attempt fails with how it died, its retry finds another worker, and the others know nothing of it."""

    @task(retries=1)
    def work(flag: str | None) -> int:
        if flag is not None and not os.path.exists(flag):
            open(flag, "w").close()
            exec(how, {"os": os})
        return os.getpid()

    @task
    def dies() -> None:
        exec(how, {"os": os})

    @flow(task_runner=ONE_PROCESS)
    def main() -> str:
        flag = os.path.join(os.environ["FLOWDECK_HOME"], "flag")
        first, second, third = work.map([None, flag, None]).result()
        assert first != second == third
        error = dies.submit().exception()
        assert isinstance(error, WorkerError)
        return str(error)

    assert main().endswith(sentence)
    assert [(call.state_name, call.attempt) for call in calls() if call.task_name == "work"] == [
        ("Completed", 1),
        ("Completed", 2),
        ("Completed", 1),
    ]


def test_what_cannot_travel_is_a_sentence() -> None:
    """Arguments, results and exceptions that pickle cannot take; the worker goes on."""

    class OddError(Exception):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(text)
            self.lock = threading.Lock()

    @task
    def work(what: Any) -> Any:
        if what == "result":
            return threading.Lock()
        if what == "exception":
            raise OddError(1, "strange")
        return what

    @flow(task_runner=ONE_PROCESS)
    def main() -> list[str]:
        futures = [work.submit(what) for what in (threading.Lock(), "result", "exception", "fine")]
        assert futures[-1].result() == "fine"
        return [str(future.exception()) for future in futures[:-1]]

    argument, result, raised = main()
    assert argument == (
        "Its function or its arguments cannot be sent to a process: TypeError: cannot pickle '_thread.lock' object."
    )
    assert result == "Its result cannot be sent back from its process: TypeError: cannot pickle '_thread.lock' object."
    assert raised.endswith("OddError: strange (the exception itself could not come back from its process)")


def test_exceptions_come_back_with_their_traceback(calls: Callable[[], list[TaskRun]]) -> None:
    """The same type, and the author's line in what is recorded."""

    @task
    def work() -> None:
        raise ValueError("bad input")

    @flow(task_runner=ONE_PROCESS)
    def main() -> None:
        work.submit().result()

    with pytest.raises(ValueError, match=r"^bad input$") as caught:
        main()
    assert 'raise ValueError("bad input")' in str(caught.value.__cause__)
    (call,) = calls()
    assert call.error is not None
    assert (call.error.type, call.error.message, call.error.file) == ("ValueError", "bad input", __file__)
    assert 'raise ValueError("bad input")' in call.error.traceback


def test_tasks_of_every_kind_travel() -> None:
    """Methods, generators, coroutines, partials, lambdas, other options: what a task may be, it may be in a worker."""

    class Job:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        @task
        def scaled(self, number: int) -> int:
            return self.factor * number

    @task
    def counted(number: int) -> Iterator[int]:
        yield from range(number)

    @task
    async def awaited(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow(task_runner=ONE_PROCESS)
    def main() -> list[Any]:
        return [
            Job(3).scaled.submit(2).result(),
            counted.submit(3).result(),
            awaited.submit(4).result(),
            awaited.with_options(name="other").submit(5).result(),
            task(functools.partial(max, 3)).submit(9).result(),
            task(name="plus")(lambda number: number + 1).submit(9).result(),
        ]

    assert main() == [6, [0, 1, 2], 4, 5, 9, 10]


def test_initializer_runs_once_in_each_worker() -> None:
    """It prepares the process; one that fails is named by every attempt."""

    def prepare(name: str) -> None:
        os.environ["PREPARED"] = os.environ.get("PREPARED", "") + name

    def fail() -> None:
        raise RuntimeError("no licence")

    @task
    def work(_: int) -> str | None:
        return os.environ.get("PREPARED")

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1, initializer=prepare, initargs=("once",)))
    def good() -> list[str | None]:
        return work.map([1, 2]).result()

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1, initializer=fail))
    def bad() -> None:
        work.submit(1).result()

    assert good() == ["once", "once"]
    with pytest.raises(
        WorkerError, match=r"^The initializer of its worker process failed: RuntimeError: no licence \("
    ):
        bad()


def test_arrays_travel_as_they_are() -> None:
    """A large buffer is sent beside the pickle, and can be written to where it arrives."""
    numpy = pytest.importorskip("numpy")

    @task
    def work(array: Any) -> Any:
        array[0] = 7.0
        return array

    @flow(task_runner=ONE_PROCESS)
    def main() -> Any:
        return work.submit(numpy.zeros(1_000_000)).result()

    array = main()
    assert (array[0], array[-1], len(array)) == (7.0, 0.0, 1_000_000)


def test_subflow_and_unasked_failures_in_a_worker(deck: Deck, last_run: Callable[[], FlowRun]) -> None:
    """A flow that a worker calls is a run below; a call that it submits and nobody asks for fails the flow."""

    @task
    def broken() -> None:
        raise ValueError("lost")

    @flow
    def below(number: int) -> int:
        return number * 2

    @task
    def work() -> int:
        broken.submit()
        return below(4)

    @flow(task_runner=ONE_PROCESS)
    def main() -> None:
        assert work.submit().result() == 8

    with pytest.raises(Exception, match="broken-0"):
        main()
    assert last_run().state_name == "Failed"
    assert [run.state_name for run in deck.flow_runs.subflows(last_run().key)] == ["Completed"]
