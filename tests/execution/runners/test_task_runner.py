"""Workers of submitted calls: how many, for whom, and that no wait of one for another ends in a standstill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from flowdeck import flow, task
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.execution.limits import slot_lending
from flowdeck.execution.runners.task_runner import ThreadPool, when_done
from flowdeck.rules.states import named
from tests.execution.dialects import Dialect

PATIENCE_SECONDS = 30.0


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow may run one submitted call at a time."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "1")


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    made = ThreadPool(3, "test")
    yield made
    made.close()


# -- in flows ----------------------------------------------------------------------------------------------------------


def test_nested_results_with_one_worker(dialect: Dialect, one_worker: None) -> None:
    """A call that waits for another lends it its place, at any depth."""

    @dialect.task()
    async def down(depth: int) -> int:
        return depth if depth == 0 else 1 + down.submit(depth - 1).result()

    @dialect.flow()
    async def main() -> int:
        return down.submit(5).result()

    assert dialect.run(main) == 5


def test_many_nested_calls_with_one_worker(one_worker: None) -> None:
    """Nested calls go first, so that those which wait for them do not pile up: threads stay few."""
    dialect = Dialect("sync")
    most, waiting = 0, set[int]()

    @dialect.task()
    async def leaf(number: int) -> int:
        return number

    @dialect.task()
    async def branch(number: int) -> int:
        nonlocal most
        waiting.add(number)
        most = max(most, len(waiting))
        total = sum(leaf.map([number, number]).result())
        waiting.discard(number)
        return total

    @dialect.flow()
    async def main() -> int:
        return sum(branch.map(range(40)).result())

    assert dialect.run(main) == 2 * sum(range(40))
    assert most <= 4


def test_mixed_nesting_with_one_worker(one_worker: None) -> None:
    """Synchronous and asynchronous calls that wait for each other."""

    @task
    async def inner_async(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    @task
    def middle(number: int) -> int:
        return inner_async.submit(number).result() + 1

    @task
    async def outer(number: int) -> int:
        return middle.submit(number).result() + 1

    @flow
    def main() -> int:
        return outer.submit(0).result()

    assert main() == 3


def test_asynchronous_calls_share_a_loop() -> None:
    """Hundreds of them wait at once, in one thread."""
    threads: set[int] = set()

    @task
    async def wait(_: int) -> None:
        threads.add(threading.get_ident())
        await asyncio.sleep(0.01)

    @flow
    def main() -> None:
        wait.map(range(60)).result()

    main()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_limit_of_workers(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more at once than the setting allows, and as many as that."""
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "3")
    lock, running, most = threading.Lock(), 0, 0
    meeting = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    @dialect.task()
    async def step(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if dialect.is_async:
            await asyncio.sleep(0.001)
        else:
            meeting.wait()
        with lock:
            running -= 1

    @dialect.flow()
    async def main() -> None:
        step.map(range(9)).result()

    dialect.run(main)
    assert most == 3


def test_no_thread_is_left_over(dialect: Dialect) -> None:
    """When a flow has ended, its workers end."""

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow()
    async def main() -> None:
        step.submit()

    before = set(threading.enumerate())
    for _ in range(3):
        dialect.run(main)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_store_that_fails_in_a_worker(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow does not wait for ever for a call whose end could not be recorded: it hears why."""
    from flowdeck.execution.recording import fact_rows
    from flowdeck.execution.recording.facts import TaskRunStarted
    from flowdeck.rules.exceptions import StoreError

    def full(self: object, *_: object) -> bool:
        raise StoreError("The disk is full.")

    monkeypatch.setitem(fact_rows._APPLY, TaskRunStarted, full)

    @dialect.task()
    async def step() -> None: ...

    @dialect.flow()
    async def main() -> None:
        with pytest.raises(StoreError, match="The disk is full"):
            step.submit().result()
        with pytest.raises(StoreError, match="The disk is full"):
            await dialect.call(step)

    dialect.run(main)


# -- the pool ----------------------------------------------------------------------------------------------------------


def test_job_that_comes_while_another_wakes_a_worker(pool: ThreadPool) -> None:
    """One idle worker and two jobs: the second does not have to wait for the first to end."""
    idle = threading.Event()
    pool.put(idle.set)
    assert idle.wait(PATIENCE_SECONDS)
    while not pool._idle:
        pass
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    both = [threading.Event(), threading.Event()]

    def meet(mine: threading.Event) -> None:
        meeting.wait()
        mine.set()

    with pool._changed:  # both are queued before the idle worker can look
        for event in both:
            pool._jobs.append(lambda event=event: meet(event))
            pool._staff()
    assert all(event.wait(PATIENCE_SECONDS) for event in both)


def test_places_that_are_taken_back_lose_no_job() -> None:
    """Workers that were made for lent places go, and what is queued meanwhile is done all the same."""
    pool = ThreadPool(1, "test")
    done = threading.Semaphore(0)

    def lend() -> None:
        with slot_lending.allowed():
            inner = threading.Event()
            pool.put(inner.set)
            inner.wait(PATIENCE_SECONDS)
        done.release()

    for _ in range(200):
        pool.put(lend)
        pool.put(done.release)
    for _ in range(400):
        assert done.acquire(timeout=PATIENCE_SECONDS)
    pool.close()


def test_surplus_worker_that_is_woken_hands_the_job_on() -> None:
    """More idle workers than places: the one that goes sees to it that another does the job."""
    pool = ThreadPool(1, "test")
    meeting = threading.Barrier(3, timeout=PATIENCE_SECONDS)
    pool.lend()
    pool.lend()
    for _ in range(3):
        pool.put(lambda: meeting.wait() and None)
    while pool._idle < 3:
        pass
    pool.take_back()
    pool.take_back()
    done = threading.Event()
    pool.put(done.set)
    assert done.wait(5)
    pool.close()


def test_system_that_gives_no_thread(monkeypatch: pytest.MonkeyPatch, pool: ThreadPool) -> None:
    """The first one that cannot be had is told to the caller, and the job not kept; later ones are done without."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            pool.put(lambda: None)
    assert not pool._jobs
    gate, done = threading.Event(), threading.Semaphore(0)
    pool.put(lambda: gate.wait(PATIENCE_SECONDS))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        pool.put(done.release)
        pool.put(done.release)
    gate.set()
    assert done.acquire(timeout=PATIENCE_SECONDS)
    assert done.acquire(timeout=PATIENCE_SECONDS)


def test_flow_hears_of_a_thread_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends, rather than waiting for a call that nobody runs."""

    @task
    def step() -> None: ...

    @flow
    def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ThreadPool, "_hire", lambda _: (_ for _ in ()).throw(RuntimeError("can't start new thread")))
            step.submit()

    with pytest.raises(RuntimeError, match="can't start new thread"):
        main()


def test_when_done_waits_for_all() -> None:
    """In whatever order they end, and at once when they are over."""
    futures = [TaskFuture[int](number, f"t-{number}") for number in range(3)]
    called: list[int] = []
    when_done(futures, lambda: called.append(1))
    for future in reversed(futures):
        assert called == []
        future.settle(named("Completed"))
    when_done(futures, lambda: called.append(2))
    assert called == [1, 2]
