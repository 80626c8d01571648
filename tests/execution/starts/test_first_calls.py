"""The first calls of a process, on a home that is not there yet, made by several threads at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.deck import Deck
from tests.support.scripts import Scripts

THREADS = 8


@pytest.mark.parametrize("call", ["work(number)", "main(number)", "asyncio.run(main_async(number))"])
def test_threads_make_the_first_calls_of_a_process(scripts: Scripts, tmp_path: Path, call: str) -> None:
    """Each is recorded, and the home goes on to be used."""
    home = tmp_path / "fresh"
    ended = scripts.run(
        f"""
        import asyncio, sqlite3
        together = threading.Barrier({THREADS})
        @task
        def work(number): return number
        @flow
        def main(number): return work(number)
        @flow
        async def main_async(number): return work(number)
        def one(number):
            together.wait()
            sys.stdout.write(f"{{{call}}}\\n")
        threads = [threading.Thread(target=one, args=(number,)) for number in range({THREADS})]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        main({THREADS})
        """,
        environment={"FLOWDECK_HOME": str(home)},
    )
    assert (ended.code, sorted(ended.out.split())) == (0, [str(number) for number in range(THREADS)]), ended.err
    deck = Deck(home)
    try:
        assert [run.state_name for run in deck.flow_runs.select()] == ["Completed"] * (THREADS + 1)
    finally:
        deck.close()
