"""A home that is opened by several threads at once, beside code that reads its files, and while the process forks."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck.store.database import connections, sqlite
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home

MOMENT_SECONDS = 0.2
"""How long an opening takes here, so that another thread surely comes into it."""


def during_the_first_opening(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Do something once the files of the first writer are open, and before anybody knows that they are ours."""
    open_writer = connections.open_writer
    deeds = [deed]

    def opened(home: Home, **options: Any) -> sqlite.Connection:
        connection = open_writer(home, **options)
        if deeds:
            deeds.pop()()
        return connection

    monkeypatch.setattr(connections, "open_writer", opened)


def is_usable(database: Database) -> bool:
    """Write, read and close."""
    database.write(lambda connection: connection.execute("CREATE TABLE IF NOT EXISTS seen(number INTEGER)"))
    database.write(lambda connection: connection.execute("INSERT INTO seen VALUES (1)"))
    found = database.reader().execute("SELECT count(*) FROM seen").fetchone()
    database.close()
    return found[0] >= 1


def test_threads_that_open_one_home_do_not_take_each_other_for_foreign_code(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the other SQLite library loaded, which is what they look for."""
    assert sqlite3.sqlite_version
    found: list[object] = []

    def open_it_too() -> None:
        try:
            found.append(is_usable(Database(home)))
        except Exception as error:  # noqa: BLE001 - compared below
            found.append(error)

    other = threading.Thread(target=open_it_too)

    def begin_the_other() -> None:
        other.start()
        other.join(MOMENT_SECONDS)

    during_the_first_opening(monkeypatch, begin_the_other)
    database = Database(home)
    other.join()
    assert found == [True]
    assert is_usable(database)


def test_files_of_the_home_that_others_read_meanwhile_are_not_taken_for_ours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that copies the home just then, and closes its descriptors when it likes."""
    descriptors: list[int] = []

    def read_along() -> None:
        paths = [f"{home.database}{suffix}" for suffix in ("", "-wal", "-shm")]
        descriptors.extend(os.open(path, os.O_RDONLY) for path in paths)

    during_the_first_opening(monkeypatch, read_along)
    database = Database(home)
    assert len(descriptors) == 3
    for descriptor in descriptors:
        os.close(descriptor)
    assert is_usable(database)


def test_fork_waits_for_a_connection_that_another_thread_opens(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child would inherit SQLite in the middle of it, with its locks held by a thread that is not there."""
    is_within, is_done = threading.Event(), threading.Event()

    def take_a_while() -> None:
        is_within.set()
        threading.Event().wait(MOMENT_SECONDS)
        is_done.set()

    during_the_first_opening(monkeypatch, take_a_while)
    opened: list[Database] = []
    thread = threading.Thread(target=lambda: opened.append(Database(home)))
    thread.start()
    assert is_within.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(not is_done.is_set())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    assert is_usable(opened[0])
