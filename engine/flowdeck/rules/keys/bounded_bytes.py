"""A buffer that refuses to grow beyond a size, so that a huge object is not pickled to its end to learn that."""

from __future__ import annotations

import io
from typing import Any


class TooLargeError(Exception):
    """More was written than the buffer takes."""


class BoundedBuffer(io.RawIOBase):
    """Collects what is written, up to a size; more raises `TooLargeError` before it is copied."""

    def __init__(self, limit: int) -> None:
        """Args: limit: in bytes."""
        super().__init__()
        self.left = limit
        self.chunks: list[bytes] = []

    def write(self, chunk: Any, /) -> int:
        """Keep a copy of the chunk."""
        size = chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
        self.left -= size
        if self.left < 0:
            raise TooLargeError
        self.chunks.append(bytes(chunk))
        return size

    def content(self) -> bytes:
        """Return all that was written."""
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
