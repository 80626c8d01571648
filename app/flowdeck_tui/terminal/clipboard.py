"""Text to the clipboard of whoever sits at the terminal, over SSH too: OSC 52, tmux's own way in, else a file.

A pane or panel that has something to copy has a method `copy_choices() -> list[CopyChoice]`, the likeliest first; the
copy menu shows those of what has the focus, then those of what lies around it.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from flowdeck.rules.text.terminal_text import inert

MOST_BYTES: Final = 74_994
"""Terminals drop longer texts: their OSC 52 would be longer than the 100,000 bytes that xterm and others take."""
_TMUX_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class CopyChoice:
    """One thing that can be copied.

    Attributes:
        label: what it is, in one to three words: `id`, `line`, `parameters`.
        text: what is copied, as it is.
    """

    label: str
    text: str


def fits(text: str) -> bool:
    """Tell whether terminals take a text of this length."""
    return len(pasteable(text).encode()) <= MOST_BYTES


def pasteable(text: str) -> str:
    """Make a text harmless where it is pasted: a shell obeys escape sequences, and bidi controls hide what runs."""
    return inert(_bytes_of(text).decode("utf-8", "replace"))


def copy(text: str, what: str, environment: Mapping[str, str], send: Callable[[str], None]) -> str:
    """Copy a text that fits and say what was done, in one sentence.

    Inside tmux the text is handed to tmux, which keeps it in its buffer and passes it on to the terminal outside
    (`set-clipboard external`, the default, ignores the escape sequence of a program, and takes this).

    Args:
        text: what to copy.
        what: its name.
        environment: tells whether this is tmux.
        send: sends OSC 52 to the terminal.
    """
    text = pasteable(text)
    size = f"{len(text.encode()):,} bytes"
    if not environment.get("TMUX"):
        send(text)
        return f"Copied the {what}, {size}. Nothing arrives: allow OSC 52 in the terminal, or y then w for a file."
    if not _to_tmux(text):
        send(text)
    return f"Copied the {what}, {size}; tmux pastes it by prefix ]. Nothing outside: tmux set -g set-clipboard on"


def _to_tmux(text: str) -> bool:
    """Hand a text to tmux; False when it does not take it."""
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"],
            input=text.encode(), capture_output=True, timeout=_TMUX_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def save(text: str, now: datetime) -> Path:
    """Write a text into a new file in the working directory, or where temporary files lie; return its path.

    Raises:
        OSError: neither can be written.
    """
    name = f"flowdeck-copy-{now.astimezone():%Y%m%d-%H%M%S}"
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        for number in range(1, 100):
            path = folder / (f"{name}.txt" if number == 1 else f"{name}-{number}.txt")
            try:
                with path.open("xb") as file:
                    file.write(_bytes_of(text))
            except FileExistsError:
                continue
            except OSError:
                break
            return path
    raise OSError(f"neither {Path.cwd()} nor {tempfile.gettempdir()} can be written to")


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
