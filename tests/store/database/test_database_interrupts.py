"""Signal handlers that raise in the middle of a write: what is true of the rows afterwards."""

from __future__ import annotations

import gc
import opcode
import os
import random
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from flowdeck.store.database import database as database_module
from flowdeck.store.database import sqlite
from flowdeck.store.database.database import Database
from tests.store.seen import Interrupted, Rows, add

CALLED = frozenset({"CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "RESUME"})
"""Behind these instructions CPython runs signal handlers."""


class Injection:
    """Raises in the code of the store at the n-th place where a signal handler could have."""

    def __init__(self, at: int) -> None:
        self.left = at
        self._previous: dict[FrameType, str] = {}

    def run(self, function: Callable[[], Any]) -> BaseException | None:
        """Call the function; return what was raised."""
        names = opcode.opname
        place = os.path.dirname(database_module.__file__)

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.startswith((place, __file__)):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                previous = self._previous.get(frame)
                self._previous[frame] = names[frame.f_code.co_code[frame.f_lasti]]
                if previous in CALLED:
                    self.left -= 1
                    if self.left == 0:
                        raise Interrupted
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            return error
        finally:
            sys.settrace(before)
        return None


@pytest.mark.parametrize("others", [0, 2])
def test_handler_that_raises_anywhere_neither_loses_nor_doubles(database: Database, rows: Rows, others: int) -> None:
    """At every step of a commit: what others queued is written once; the interrupted call now or never."""
    injected = 0
    for at in range(1, 400):
        number = at * 10
        tickets = [database_module._Ticket(add(number + 1 + other)) for other in range(others)]
        database._pending.extend(tickets)
        error = Injection(at).run(lambda number=number: database.write(add(number)))
        interrupted = [row for row in rows() if row == number]
        database.write(add(number + 9))  # whoever comes next finds an unlocked database with no open transaction
        assert all(ticket.done and ticket.error is None for ticket in tickets)
        here = [row for row in rows() if number <= row < number + 10]
        assert here == [*interrupted, *(number + 1 + other for other in range(others)), number + 9], at
        if error is None:
            assert interrupted == [number]
            break
        assert isinstance(error, Interrupted)
        injected += 1
    else:
        pytest.fail("the write never ran to its end")
    assert injected > 20


def test_handler_that_raises_twice_in_a_row(database: Database, rows: Rows) -> None:
    """The second time while what the first one left is being cleared up."""
    number = 0
    for first in range(1, 400):
        for second in range(1, 400):
            number += 10
            torn = Injection(first).run(lambda number=number: database.write(add(number)))
            torn_again = Injection(second).run(lambda number=number: database.write(add(number + 1)))
            there = [row for row in rows() if row >= number]
            database.write(add(number + 2))
            assert [row for row in rows() if row >= number] == [*there, number + 2], (first, second)
            assert len(set(there)) == len(there)
            if torn_again is None:
                break
        database.write(lambda connection: connection.execute("DELETE FROM seen"))
        if torn is None:
            return
    pytest.fail("the write never ran to its end")


def test_handler_that_raises_in_a_write_that_does_not_wait(database: Database, rows: Rows) -> None:
    """The same for `try_write`."""
    for at in range(1, 400):
        error = Injection(at).run(lambda at=at: database.try_write(add(at * 10)))
        database.try_write(add(at * 10 + 1))
        here = [row for row in rows() if at * 10 <= row < at * 10 + 10]
        assert here in ([at * 10, at * 10 + 1], [at * 10 + 1])
        if error is None:
            assert at > 10
            return
    pytest.fail("the write never ran to its end")


def test_real_signals_in_the_middle(database: Database, rows: Rows) -> None:
    """What was acknowledged is there, and nothing is there twice, while an author's alarm raises again and again."""
    armed = False

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise TimeoutError

    before = signal.signal(signal.SIGALRM, on_alarm)
    dice, acknowledged, torn = random.Random(7), [], 0
    gc.collect()
    gc.disable()  # what a handler raises while garbage is collected is lost, by Python's own rule
    try:
        for number in range(600):
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 1e-4))
                armed = True
                database.write(add(number))
                armed = False
                acknowledged.append(number)
            except TimeoutError:
                armed = False
                torn += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, before)
    found = rows()
    assert torn
    assert signal.SIGTSTP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # Ctrl-Z was held back in each commit
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)


def test_interrupt_waits_for_the_commit(database: Database, rows: Rows) -> None:
    """Our own handlers never tear a commit: it is done, then their exception is raised."""

    def interrupted(connection: sqlite.Connection) -> None:
        database.interrupt(Interrupted())
        add(1)(connection)

    with pytest.raises(Interrupted):
        database.write(interrupted)
    assert rows() == [1]
    with pytest.raises(Interrupted):
        database.try_write(interrupted)
    assert rows() == [1, 1]
    database.write(add(2))


def test_interrupt_outside_of_a_commit_is_immediate(database: Database) -> None:
    """There is nothing to protect then."""
    with pytest.raises(Interrupted):
        database.interrupt(Interrupted())
