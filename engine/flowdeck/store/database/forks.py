"""What a forked process owes to a database that its parent had open, before it may use it itself.

SQLite notes once for each process and file which locks that process holds. A fork copies the notes, not the locks. So
a new connection in the child would believe itself locked in; the parent, closing, would find nobody else and take the
write-ahead log away; and what the child commits from then on would be in a file without a name (seen: a committed row
vanished). Therefore the child first takes for itself the two locks that the notes speak of.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from flowdeck.store.database import foreign_access

_SHARED_LOCK: Final = (510, 0x40000002)
"""Length and start of the bytes of a database file that an open connection holds (sqlite.org/fileformat2, os.h)."""
_DEAD_MAN_SWITCH: Final = (1, 128)
"""The byte of the shared memory file that says that somebody uses it (UNIX_SHM_DMS in os_unix.c)."""

Identity = tuple[int, int]
"""Device and inode."""


def shared_memory_of(database: Path) -> Identity | None:
    """Return which file holds the shared memory of a database that this process has open; None when there is none."""
    try:
        status = os.stat(f"{database}-shm")
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def take_locks(database: Path, before: Identity | None) -> bool:
    """Take, in a forked child, the locks that its copy of SQLite believes to hold; they last as long as the process.

    Args:
        database: the file.
        before: the shared memory as it was before the fork.

    Returns:
        False when it is too late: the parent has closed the database and its files are gone.
    """
    try:
        for path, (length, start) in ((f"{database}", _SHARED_LOCK), (f"{database}-shm", _DEAD_MAN_SWITCH)):
            # Never closed: closing any descriptor of a file drops all locks that the process has on it.
            with foreign_access.trusted():
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
    except OSError:
        return False
    return before is not None and shared_memory_of(database) == before
