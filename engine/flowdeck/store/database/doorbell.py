"""The doorbell: after a commit the writer sends one byte to each reader's socket. A lost ring costs only time.

Readers bind a datagram socket in `home/bells`; on Linux through /proc/self/fd, since a socket's path may hold only
about 100 characters. Where binding fails a reader still sees changes by polling, see `feed`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from pathlib import Path
from typing import Final

SUFFIX: Final = ".bell"

_GONE: Final = frozenset({errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK, errno.EPROTOTYPE})
"""What sending says when nobody listens there; anything else (a full queue above all) is no reason to remove a bell."""
_MTIME_STEP_NS: Final = 20_000_000
"""A folder changed twice within one tick of the kernel's coarse clock shows one time; no tick is longer than this."""


class Ringer:
    """Rings every bell of a home. Used under the writer's lock, so it needs none of its own."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: where the bells are; it must exist."""
        self._folder = folder
        self._descriptor: int | None = None
        self._socket: socket.socket | None = None
        self._seen_mtime_ns = -1
        self._targets: list[str] = []

    def ring(self) -> None:
        """Send one byte to each bell; never block, never fail."""
        with contextlib.suppress(OSError):  # no descriptor left, the folder gone: readers look by themselves, later
            mtime_ns = os.stat(self._folder).st_mtime_ns
            if mtime_ns != self._seen_mtime_ns:
                self._look(mtime_ns)
            if not self._targets:
                return
            if self._socket is None:
                self._socket = _datagram_socket()
            for target in self._targets:
                self._send(self._socket, target)

    def close(self) -> None:
        """Release the socket and the folder."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _look(self, mtime_ns: int) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # A folder that has just changed may change again without showing it: then look again next time.
        settled = time.time_ns() - mtime_ns > _MTIME_STEP_NS
        self._seen_mtime_ns = mtime_ns if settled else -1
        self._targets = [
            short_path(self._folder, self._descriptor, name)
            for name in os.listdir(self._folder)
            if name.endswith(SUFFIX)
        ]

    def _send(self, sender: socket.socket, target: str) -> None:
        try:
            sender.sendto(b"!", target)
        except OSError as error:
            if error.errno in _GONE:
                self._remove(target)

    def _remove(self, target: str) -> None:
        """Nobody listens there any more: its reader was killed. Take the socket file away."""
        with contextlib.suppress(OSError):
            os.unlink(target)
        self._seen_mtime_ns = -1


class Bell:
    """A reader's socket. `wait` in `feed`; here only its making and its end."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where such a socket cannot be bound."""
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        self._folder = folder
        self.socket = _datagram_socket()
        try:
            path = short_path(folder, self._descriptor, self._name)
            self.socket.bind(path)
            os.chmod(path, 0o600)
        except OSError:
            self.close()
            raise

    def drain(self) -> None:
        """Take all rings that wait."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(16)

    def close(self) -> None:
        """Unbind."""
        self.socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._folder / self._name)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def _datagram_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def short_path(folder: Path, descriptor: int, name: str) -> str:
    """Return a path for the socket that is short enough wherever the home lies, if this system allows it."""
    if os.path.isdir("/proc/self/fd"):
        return f"/proc/self/fd/{descriptor}/{name}"
    return str(folder / name)
