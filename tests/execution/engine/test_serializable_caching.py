"""One call at a time for a cache key, where SERIALIZABLE asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowdeck import flow, task
from flowdeck.cache_policies import INPUTS
from tests.support.scripts import Scripts

Runs = Callable[..., Any]


def test_serializable_calls_with_one_key_run_once(tmp_path: Path, scripts: Scripts) -> None:
    """The second waits for the first, in another process too, and takes its result."""
    effects = tmp_path / "effects"
    body = f"""
        from flowdeck.cache_policies import INPUTS
        @task(cache_policy=INPUTS.configure(isolation_level="SERIALIZABLE"))
        def step(x):
            with open({str(effects)!r}, "a") as file:
                file.write("ran\\n")
            print("inside", flush=True)
            sys.stdin.readline()
            return x
        @flow
        def main():
            return step(1)
        print("begins", flush=True)
        print(main(), flush=True)
    """
    first = scripts.start(body, name="first.py")
    assert (first.line(), first.line()) == ("begins", "inside")
    second = scripts.start(body.replace("'first'", "'second'"), name="second.py")
    assert second.line() == "begins"
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:  # long enough for it to come in, if it could
        assert effects.read_text() == "ran\n"
        time.sleep(0.02)
    first.tell()
    assert first.line() == "1"
    assert second.end().out == "1\n"
    assert effects.read_text() == "ran\n"


def test_awaited_calls_wait_for_each_other_without_a_deadlock(calls: Runs) -> None:
    """On one event loop."""
    import asyncio

    ran: list[int] = []

    @task(cache_policy=INPUTS.configure(isolation_level="SERIALIZABLE"))
    async def step(x: int) -> int:
        ran.append(x)
        await asyncio.sleep(0.01)
        return x

    @flow
    async def main() -> list[int]:
        return await asyncio.gather(step(1), step(1), step(1))

    assert asyncio.run(main()) == [1, 1, 1]
    assert ran == [1]
