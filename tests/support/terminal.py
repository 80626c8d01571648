"""A program in a real pseudo-terminal, as a person has it: press keys, read the screen, count the bytes.

It answers the few questions that Textual asks of a terminal, so that synchronized output is on as in most of today's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "home": "\x1b[H", "end": "\x1b[F", "space": " ", "backspace": "\x7f",
    "shift+tab": "\x1b[Z", **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}  # fmt: skip
# pyte takes these for text: private modes with a prefix, mode questions, device control strings.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1bP.*?\x1b\\", re.DOTALL)
_ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;4c"}


TAIL_BYTES = 65_536


class Terminal:
    """Runs a command in a terminal of a given size."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.bytes_received = 0
        self.tail = b""
        """The bytes that came last."""
        self.exit_code: int | None = None
        self.started = time.perf_counter()
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            if folder is not None:
                os.chdir(folder)
            # Before the program asks, and in no variable: the size is that of the terminal, which may change.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            for inherited in ("COLUMNS", "LINES"):
                os.environ.pop(inherited, None)
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.environ.update(environment or {})
            os.execvp(command[0], list(command))
        self._set_size(columns, rows)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pump(self, seconds: float) -> int:
        """Take what the program sends for so long; returns the number of bytes."""
        before, end = self.bytes_received, time.perf_counter() + seconds
        while self.exit_code is None and (left := end - time.perf_counter()) > 0:
            if self._descriptor < 0:  # hung up: there is nothing to read, only an end to wait for
                time.sleep(min(left, 0.01))
                self._reap()
            elif select.select([self._descriptor], [], [], left)[0]:
                self._read()
        return self.bytes_received - before

    def text(self) -> str:
        """Return the screen, one line a row, without trailing blanks."""
        return "\n".join(row.rstrip() for row in self._screen.display)

    def wait_for(self, pattern: str, seconds: float = 20.0) -> float:
        """Wait until a regular expression is on the screen; return the seconds it took from the start of the program.

        Raises:
            AssertionError: it did not come; the message holds the screen.
        """
        deadline = time.perf_counter() + seconds
        while not re.search(pattern, self.text()):
            if time.perf_counter() > deadline or self.exit_code is not None:
                raise AssertionError(f"{pattern!r} did not appear (exit code {self.exit_code}). Screen:\n{self.text()}")
            self.pump(0.005)
        return time.perf_counter() - self.started

    def wait_for_exit(self, seconds: float = 10.0) -> int:
        """Wait until the program is over; return its exit code (negative for a signal)."""
        deadline = time.perf_counter() + seconds
        while self.exit_code is None:
            if time.perf_counter() > deadline:
                raise AssertionError(f"the program did not end. Screen:\n{self.text()}")
            self.pump(0.02)
        return self.exit_code

    def press(self, *keys: str) -> None:
        """Press keys by name, one after another; a text that is no key's name is typed."""
        for key in keys:
            os.write(self._descriptor, KEYS.get(key, key).encode())

    def type_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        os.write(self._descriptor, data)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def hang_up(self) -> None:
        """Let go of the terminal, as a lost connection does: its processes get SIGHUP."""
        os.close(self._descriptor)
        self._descriptor = -1

    def close(self) -> None:
        """End the program, politely first."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.exit_code is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            end = time.perf_counter() + 3
            while self.exit_code is None and time.perf_counter() < end:
                self.pump(0.02)
                self._reap()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def cpu_seconds(self) -> float:
        """Return what the program has used of a core so far (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            data = b""
        if not data:
            self._reap(wait=True)
            return
        self.bytes_received += len(data)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        for question, answer in _ANSWERS.items():
            if question in data:
                os.write(self._descriptor, answer)
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data))

    def _reap(self, wait: bool = False) -> None:
        if self.exit_code is not None:
            return
        pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
        if pid:
            self.exit_code = os.waitstatus_to_exitcode(status)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGWINCH)
