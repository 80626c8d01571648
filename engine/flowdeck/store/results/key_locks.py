"""Locks by name that die with their holder: one call at a time for one cache key, over all processes of a home."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path


class KeyLock:
    """A lock that one process, and one thread of it, holds at a time."""

    def __init__(self, folder: Path, key: str) -> None:
        """Args: folder: of the home's locks. key: any text."""
        self._path = folder / hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take it if nobody has it."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back, if it is held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
