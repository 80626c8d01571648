"""stdin, stdout and stderr of the processes that run an author's code for us."""

from __future__ import annotations

import io
import os
import sys


def empty_stdin() -> None:
    """Once the host has said its word, make stdin what it is for every background process."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def show_lines_at_once() -> None:
    """Let lines reach the log as they are written: to a pipe Python would hand over only whole blocks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
