"""Seeing that other code of this process has closed the files of a database under SQLite.

An author's `os.closerange`, or one `os.close` too many, closes our descriptors too. SQLite does not notice: it waits
10 s for locks that it cannot get; and once the number belongs to another file, it writes into that one, while the
shared memory tells every process of the home that the rows are in the write-ahead log (seen: a whole home became
unreadable). So a writer looks at its descriptors before it begins; one that lost them does nothing more: it does not
even close.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from flowdeck.rules.exceptions import FilesRemovedError, StoreError
from flowdeck.store.home import Home

T = TypeVar("T")

opening = threading.RLock()
"""Held while a database or a connection opens its files: what is open then and was not before belongs to it."""
OPENING_PATIENCE_SECONDS: Final = 5.0
"""How long a fork waits for a connection that another thread opens."""
_forking = threading.local()
_SUFFIXES: Final = ("", "-wal", "-shm")


def opened_by(home: Home, connect: Callable[[], T]) -> tuple[T, dict[int, int]]:
    """Return what `connect` returns, and the descriptors that it has opened, with their inodes.

    SQLite opens its files for writing; a library that reads them at this moment (to copy them) does not.
    """
    with opening:
        before = descriptors_of(home)
        connection = connect()
        after = descriptors_of(home)
        return connection, {number: after[number] for number in after if number not in before and _is_writable(number)}


def _is_writable(descriptor: int) -> bool:
    with suppress(OSError):  # closed meanwhile, so not of the connection
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    return False


def _before_fork() -> None:
    """Let another thread open its connection: a child would inherit the locks that SQLite holds while it does."""
    _forking.has_lock = opening.acquire(timeout=OPENING_PATIENCE_SECONDS)


def _after_fork_in_parent() -> None:
    if _forking.has_lock:
        opening.release()


def _after_fork_in_child() -> None:
    global opening  # noqa: PLW0603 - another thread may have held it all the same
    opening = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def descriptors_of(home: Home) -> dict[int, int]:
    """Return the descriptors by which this process has the files of a home's database open, with their inodes."""
    inodes: set[tuple[int, int]] = set()
    for suffix in _SUFFIXES:
        with suppress(OSError):
            status = os.stat(f"{home.database}{suffix}")
            inodes.add((status.st_dev, status.st_ino))
    found: dict[int, int] = {}
    with suppress(OSError):  # no /dev/fd, or no descriptor left to read it by
        for name in os.listdir("/dev/fd"):
            with suppress(OSError):  # the descriptor by which the folder was read
                status = os.fstat(int(name))
                if (status.st_dev, status.st_ino) in inodes:
                    found[int(name)] = status.st_ino
    return found


def are_intact(descriptors: Mapping[int, int]) -> bool:
    """Tell whether these lead to the same files, and those stand in a folder. Asked before each commit: kept short."""
    try:
        for descriptor, inode in descriptors.items():
            status = os.fstat(descriptor)
            if status.st_ino != inode or not status.st_nlink:
                return False
    except OSError as error:
        if error.errno != errno.EBADF:
            raise  # a TimeoutError, which an author's signal handler has raised in here
        return False
    return True


def removed_files(home: Home, descriptors: Mapping[int, int]) -> list[str]:
    """Return the names of the database's files that are not those any more that these descriptors lead to."""
    inodes = set(descriptors.values())
    names = [f"{home.database.name}{suffix}" for suffix in _SUFFIXES]
    held = {status.st_ino for status in _statuses(descriptors)}
    if not inodes <= held:
        return []  # closed, which is another matter
    return [name for name in names if _inode(home.path / name) not in inodes]


def can_be_saved(home: Home, descriptors: Mapping[int, int]) -> bool:
    """Tell whether what the removed write-ahead log holds may be copied into state.db: nobody else has made another.

    Then this process, and others that had the files open before, are the only ones that know of it, and their locks
    still work: they are in the shared memory, or in the removed one that all of them have.
    """
    inodes, log, memory = set(descriptors.values()), f"{home.database}-wal", f"{home.database}-shm"
    return (
        _inode(home.database) in inodes
        and not os.path.lexists(log)
        and (_inode(memory) in inodes or not os.path.lexists(memory))
    )


def _statuses(descriptors: Mapping[int, int]) -> list[os.stat_result]:
    found: list[os.stat_result] = []
    for descriptor in descriptors:
        with suppress(OSError):
            found.append(os.fstat(descriptor))
    return found


def _inode(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def check(home: Home, descriptors: Mapping[int, int]) -> None:
    """Refuse to go on with files that are not ours any more.

    Raises:
        FilesRemovedError: one of them was removed from its folder.
        StoreError: one of them was closed.
    """
    if not are_intact(descriptors):
        if removed := removed_files(home, descriptors):
            raise FilesRemovedError(
                f"{' and '.join(removed)} of {home.path} {'was' if len(removed) == 1 else 'were'} removed or replaced "
                "while flowdeck had the home open, so nothing more can be recorded here. End what uses the home "
                "(`flowdeck server stop`), then `flowdeck doctor` says what is left of it."
            )
        raise StoreError(
            f"Code of this process has closed files in {home.path} that flowdeck had open (os.closerange does that), "
            "so nothing more of it can be recorded. Let it close only what it has opened, or run it in a process of "
            "its own."
        )


def leave_open(connection: object) -> None:
    """Keep an object from ever being released, also at the end of Python: SQLite would close files of others."""
    import ctypes  # noqa: PLC0415 - it costs 0.5 MB, and is hardly ever needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
