"""`own_process=True`: each attempt of a task is a process, which can be ended whatever it does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdeck import flow, task
from flowdeck.deck import TaskRun
from tests.support.processes import is_alive, wait_until


def test_own_process_for_each_attempt(slept: list[float]) -> None:
    """Called, submitted, mapped, synchronous or not: each attempt is a process that runs nothing else."""

    @task(own_process=True, retries=1)
    def work(flag: str | None = None) -> int:
        if flag is not None and not os.path.exists(flag):
            open(flag, "w").close()
            os._exit(5)
        return os.getpid()

    @task(own_process=True)
    async def work_async() -> int:
        await asyncio.sleep(0)
        return os.getpid()

    @flow
    def main() -> list[int]:
        flag = os.path.join(os.environ["FLOWDECK_HOME"], "flag")
        return [os.getpid(), work(), work.submit(flag).result(), work_async.submit().result()]

    @flow
    async def main_async() -> list[int]:
        return [os.getpid(), await work_async(), await work_async.submit()]

    assert len(set(main())) == 4
    assert len(set(asyncio.run(main_async()))) == 3


def test_own_process_is_killed_when_its_time_is_up(calls: Callable[[], list[TaskRun]]) -> None:
    """Code that catches everything, and what it has started: both are gone, and the flow goes on at once."""

    @task(own_process=True, timeout_seconds=3.0)
    def work(path: str) -> None:
        child = os.fork()
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        while True:
            try:
                time.sleep(60)
            except BaseException:  # noqa: BLE001 - as stubborn as code can be
                del child

    @flow
    def main() -> list[str]:
        path = os.path.join(os.environ["FLOWDECK_HOME"], "pids")
        error = work(path, return_state=True).exception
        again = work.submit(path).exception()
        return [str(error), str(again)]

    assert main() == [
        f"Task run 'work-{index}' exceeded timeout of 3.0 second(s). Its process was killed." for index in (0, 1)
    ]
    assert {call.state_name for call in calls()} == {"TimedOut"}
    pids = Path(os.environ["FLOWDECK_HOME"], "pids").read_text(encoding="utf-8").split()
    assert len(pids) == 4
    wait_until(lambda: not any(is_alive(int(pid)) for pid in pids))


def test_own_process_is_killed_with_its_coroutine() -> None:
    """Cancelling the coroutine that awaits the call ends the process."""
    path = Path(os.environ["FLOWDECK_HOME"], "pid")

    @task(own_process=True)
    async def work(path: str) -> None:
        Path(path).write_text(str(os.getpid()), encoding="utf-8")  # noqa: ASYNC240 - as this one
        time.sleep(60)  # noqa: ASYNC251 - it shall not notice a cancel

    @flow
    async def main() -> None:
        awaited = asyncio.ensure_future(work(str(path)))
        await asyncio.to_thread(wait_until, lambda: path.exists() and path.stat().st_size > 0)
        awaited.cancel()
        with pytest.raises(asyncio.CancelledError):
            await awaited

    asyncio.run(main())
    pid = int(path.read_text(encoding="utf-8"))
    wait_until(lambda: not is_alive(pid))
