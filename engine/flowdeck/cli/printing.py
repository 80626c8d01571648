"""Where output goes: documents and tables to stdout, notes to stderr, and nothing of others raw to a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final, TextIO

from flowdeck.rules.text.terminal_text import inert

_UNSAFE_IN_JSON: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON may hold as it is, and a terminal takes for a sequence or for another direction of reading.

Escaped it is the same text to whoever reads the JSON.
"""


def note(sentence: str) -> None:
    """Say something to the user beside the output: one line on stderr."""
    _write(sys.stderr, f"flowdeck: {inert(sentence)}\n")
    sys.stderr.flush()


def lines(texts: Iterable[str], stream: TextIO | None = None) -> None:
    """Write lines that are fit for a terminal; None is stdout."""
    _write(stream or sys.stdout, "".join(f"{text}\n" for text in texts))


def document(value: Any) -> None:
    """Write one JSON document to stdout; indented for a terminal."""
    json_lines([value], indent=2 if sys.stdout.isatty() else None)


def json_lines(values: Iterable[Any], indent: int | None = None) -> None:
    """Write JSON values to stdout, each as a line of its own, in UTF-8 whatever the terminal's encoding."""
    sys.stdout.flush()
    for value in values:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
        if not text.isprintable():
            text = _UNSAFE_IN_JSON.sub(lambda control: f"\\u{ord(control[0]):04x}", text)
        # A lone surrogate, which UTF-8 cannot hold, becomes `\udc80`: in JSON that is its escape.
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal behind a stream; None when there is none: nothing is cut then."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal, no descriptor, closed
        return None


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
