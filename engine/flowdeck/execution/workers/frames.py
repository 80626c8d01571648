"""Frames: what two processes say to each other over a socket, one whole message after another.

A frame is a number of parts, then the length of each, then their bytes. The first part is the message: plain data as
JSON, see `worker_messages`. The others are bytes of a value, which are opaque here: whoever reads the frame may fail to
make the value and still knows whose it was. Large buffers are parts of their own, so that they are neither joined nor
copied.
"""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any, Final, cast

from flowdeck.execution.workers.plain_data import MessageError

Part = bytes | bytearray | memoryview

_COUNT: Final = struct.Struct("!I")
_LENGTH_BYTES: Final = 8
_PARTS_MAX: Final = 1 << 24
"""More parts than any value has: such a count is no count of ours."""
_PARTS_AT_ONCE: Final = 512
"""The system takes at most 1,024 pieces in one call."""


class Line:
    """One end of a connection. Any thread may send; one at a time may receive."""

    def __init__(self, connected: socket.socket) -> None:
        """Args: connected: a stream socket; the line owns it from here on."""
        self._socket = connected
        self._incoming = io.BufferedReader(_raw(connected), 1 << 16)
        self._sending = threading.Lock()

    def send(self, message: Any, value: Sequence[Part] = ()) -> None:
        """Send a frame.

        Args:
            message: plain data.
            value: parts of a value.

        Raises:
            OSError: the other side is gone, or did not take it in time.
        """
        parts = [json.dumps(message, separators=(",", ":")).encode(), *value]
        header = struct.pack(f"!I{len(parts)}Q", len(parts), *[_size(part) for part in parts])
        with self._sending:
            self._send_all([memoryview(header), *[memoryview(part).cast("B") for part in parts if _size(part)]])

    def limit(self, timeout_seconds: float | None) -> None:
        """Say how long to wait for the other side from here on, before the line is given up; None for ever."""
        # 0 would mean not to wait at all, and to call that another error.
        self._socket.settimeout(None if timeout_seconds is None else max(timeout_seconds, 0.001))

    def receive(self) -> tuple[Any, list[Part]]:
        """Wait for a frame and return its message and the parts of its value.

        Raises:
            EOFError: the other side is gone.
            TimeoutError: nothing came in time.
            MessageError: what came is no frame. Nothing more can be read then: where the next one begins is not known.
        """
        (count,) = _COUNT.unpack(self._read(_COUNT.size))
        if not 0 < count <= _PARTS_MAX:
            raise MessageError(f"it is a frame of {count} parts")
        lengths = struct.unpack(f"!{count}Q", self._read(count * _LENGTH_BYTES))
        try:
            content, *value = [self._read(length) for length in lengths]
        except (MemoryError, OverflowError):
            raise MessageError(f"it is a frame of {sum(lengths):,} bytes, for which there is no memory") from None
        try:
            return json.loads(bytes(content)), value
        except (ValueError, RecursionError):
            raise MessageError("it is no JSON") from None

    def is_open(self) -> bool:
        """Tell whether the other side is there still, as far as that can be seen without waiting."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Let go of it."""
        self._incoming.close()
        self._socket.close()

    def _read(self, length: int) -> Part:
        if length < 1 << 16:
            content = self._incoming.read(length)
            if len(content) < length:
                raise EOFError
            return content
        # Of an author's array this is the memory itself: it can be written to, as in the process that it came from.
        whole = bytearray(length)
        left = memoryview(whole)
        while left:
            taken = self._incoming.readinto(left)
            if not taken:
                raise EOFError
            left = left[taken:]
        return whole

    def _send_all(self, pieces: list[memoryview]) -> None:
        while pieces:
            sent = self._socket.sendmsg(pieces[:_PARTS_AT_ONCE])
            while pieces and sent >= pieces[0].nbytes:
                sent -= pieces[0].nbytes
                pieces.pop(0)
            if sent:
                pieces[0] = pieces[0][sent:]


def _raw(connected: socket.socket) -> io.RawIOBase:
    return cast("io.RawIOBase", connected.makefile("rb", buffering=0))


def _size(part: Part) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)
