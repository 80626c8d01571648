"""Code of a flow that closes descriptors which are not its own does no harm: not to the home, not to its own files."""

from __future__ import annotations

from contextlib import closing

import pytest

from flowdeck.deck import Deck
from flowdeck.store.database import sqlite
from tests.support.scripts import Scripts

SENTENCE = "that flowdeck had open (os.closerange does that), so nothing more of it can be recorded."
TAKE_THE_NUMBERS = """
        def take_the_numbers():
            os.closerange(3, 4096)
            # As many as can have come into the place of ours; by number, so that they are open until the very end.
            for number in range(40): os.truncate(os.open(f"mine-{number}", os.O_RDWR | os.O_CREAT), 1 << 20)
        def are_whole():
            return not any(open(f"mine-{number}", "rb").read().strip(b"\\0") for number in range(40))
"""


def check_sound(deck: Deck) -> None:
    """Look at the home as another process that comes later does."""
    with closing(sqlite.connect(deck.home / "state.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("close", ["os.closerange(3, 4096)", "take_the_numbers()"])
def test_flow_that_closes_all_descriptors_is_told_at_once(scripts: Scripts, deck: Deck, close: str) -> None:
    """What was recorded stays; the next call says what was done; files that got the numbers keep what is in them."""
    ended = scripts.run(f"""{TAKE_THE_NUMBERS}
        @task
        def work(number): return number
        @flow
        def main():
            for number in range(5): work(number)
            began = time.monotonic()
            {close}
            try:
                work(5)
            finally:
                sys.stdout.write(f"{{time.monotonic() - began < 5}} {{not os.path.exists('mine-0') or are_whole()}}")
        main()
        """)
    assert (ended.code, ended.out) == (1, "True True")
    assert SENTENCE in ended.err.splitlines()[-1]
    (run,) = deck.flow_runs.select()
    assert [call.state_name for call in deck.task_runs.of_flow_run(run.key)] == ["Completed"] * 5
    check_sound(deck)


def test_end_of_a_process_without_our_files_touches_nobody_elses(scripts: Scripts, deck: Deck) -> None:
    """Python releases everything at its end; SQLite would close, and write to, what has the numbers by then."""
    ended = scripts.run(f"""{TAKE_THE_NUMBERS}
        @flow
        def main(): pass
        main()
        take_the_numbers()
        """)
    assert (ended.code, ended.out) == (0, ""), ended.err
    assert not any(path.read_bytes().strip(b"\0") for path in scripts.folder.glob("mine-*"))
    assert [run.state_name for run in deck.flow_runs.select()] == ["Completed"]
    check_sound(deck)


def test_daemon_that_closes_all_descriptors_leaves_its_parents_alone(scripts: Scripts, deck: Deck) -> None:
    """It is a fork, as daemons are, and ends as Python programs do; the flow goes on recording meanwhile."""
    ended = scripts.run(f"""{TAKE_THE_NUMBERS}
        @task
        def work(number): return number
        @flow
        def main():
            for number in range(5): work(number)
            if os.fork() == 0:
                take_the_numbers()
                sys.exit(0)
            code = os.waitstatus_to_exitcode(os.wait()[1])
            for number in range(5, 10): work(number)
            print(code, are_whole())
        main()
        """)
    assert (ended.code, ended.out) == (0, "0 True\n"), ended.err
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.task_counts.completed) == ("Completed", 10)
    check_sound(deck)
