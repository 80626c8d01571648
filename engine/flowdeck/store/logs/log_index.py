"""Where the lines of a log file start: counted per block of the file, never stored, so never torn or stale."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from typing import Final

BLOCK_BYTES: Final = 64 * 1024  # an index entry each
READ_BYTES: Final = 1 << 20  # a multiple of the block


class StartIndex:
    """Where lines start, or only heads: how many do so before each block of the file.

    Args:
        needle: what such a start looks like, from the newline before it on.
    """

    def __init__(self, needle: bytes) -> None:
        self.count = 0
        self.end = 0
        """How far the file is counted: always the end of a line."""
        self._needle = needle
        self._before = array("Q", [0])

    def extend(self, descriptor: int, end: int) -> None:
        """Count on to `end`, which is the end of a line."""
        while self.end < end:
            start = self.end
            stop = min(end, start - start % READ_BYTES + READ_BYTES)
            data = with_byte_before(descriptor, start, stop)
            while start < stop:
                block_end = min(stop, start - start % BLOCK_BYTES + BLOCK_BYTES)
                # A start at `s` shows as the needle from `s - 1`; data[0] is the byte before self.end.
                self.count += data.count(self._needle, start - self.end, block_end - self.end - 1 + len(self._needle))
                if block_end % BLOCK_BYTES == 0:
                    self._before.append(self.count)
                start = block_end
            self.end = stop

    def offset(self, descriptor: int, index: int) -> int:
        """Return at which byte the start number `index` (from 0) is."""
        block = bisect_right(self._before, index) - 1
        start = block * BLOCK_BYTES
        data = with_byte_before(descriptor, start, min(self.end, start + BLOCK_BYTES))
        behind = data.split(self._needle, index - self._before[block] + 1)[-1]
        return start + len(data) - len(behind) - len(self._needle)


def with_byte_before(descriptor: int, start: int, stop: int) -> bytes:
    """Read `[start - 1, stop)`; before the file there is a newline."""
    if start:
        return os.pread(descriptor, stop - start + 1, start - 1)
    return b"\n" + os.pread(descriptor, stop, 0)
