"""A table without any constraint, so that a row that is written twice shows; and what tests write into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowdeck.store.database import sqlite

Operation = Callable[[sqlite.Connection], Any]
Rows = Callable[[], list[int]]
"""Return the numbers in the table, in order."""


class Interrupted(BaseException):
    """What a signal handler raises."""


def add(number: int) -> Operation:
    """Return an operation that adds a row."""
    return lambda connection: connection.execute("INSERT INTO seen VALUES (?)", (number,))


def fail(_: sqlite.Connection) -> None:
    """An operation that fails."""
    raise ValueError("not this one")
