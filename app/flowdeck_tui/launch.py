"""Starting the app on a terminal, and leaving the terminal as it was however the process ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flowdeck.deck import Deck

CRASH_EXIT: Final = 1
USAGE_EXIT: Final = 2
_SIGNAL_EXIT_BASE: Final = 128
_RESET: Final = (
    "\x1b[?2026l"  # frame ends
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, paste, resize reports
    "\x1b[<u"  # keyboard protocol
    "\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"  # wrap, colours, main screen, cursor
)
_QUIET: Final = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0"}
"""Nothing moves by itself: what moves is sent over the line."""


def main(folder: str) -> int:
    """Show the flows of a folder and all runs of the home until the user leaves.

    Returns:
        Exit code: 0, or 1 when the home cannot be used or the screen broke, or 2 when there is no such folder or no
        terminal.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        return _refuse(f"There is no folder {folder}. Give a folder of flow files: flowdeck FOLDER")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        return _refuse("The screen needs a terminal for input and output. Without one, use: flowdeck flow-run ls")
    with _quiet_textual():
        # Imported here: Textual reads its settings while it is imported, and a wrong folder is told at once.
        from flowdeck_tui.app import FlowdeckApp  # noqa: PLC0415
        from flowdeck_tui.terminal.quiet_app import crash_sentence  # noqa: PLC0415
    _leave_on_signals()
    try:
        app = FlowdeckApp(os.path.realpath(path), _open_deck)
        app.run()
    except Exception as error:  # whatever broke, the user gets a sentence and an exit code
        if os.environ.get("FLOWDECK_DEBUG"):
            raise
        sys.stderr.write(f"flowdeck: {crash_sentence(error)}\n")
        return CRASH_EXIT
    if app.last_words:
        sys.stderr.write(f"flowdeck: {app.last_words}\n")
    return app.return_code or 0


def _open_deck() -> Deck:
    # Imported here: it brings SQLite, and the first paint must not wait for that.
    from flowdeck.deck import Deck  # noqa: PLC0415

    return Deck()


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"flowdeck: {sentence}\n")
    return USAGE_EXIT


@contextlib.contextmanager
def _quiet_textual() -> Generator[None]:
    """Set Textual's environment for its import only: runs are given our environment as it was."""
    before = {name: os.environ.get(name) for name in _QUIET}
    os.environ.update(_QUIET)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _leave_on_signals() -> None:
    """End at once on SIGHUP (the line dropped) and SIGTERM; runs and engine are other processes and go on."""
    descriptor = sys.stdin.fileno()
    try:
        attributes = termios.tcgetattr(descriptor)
    except termios.error:
        attributes = None

    def leave(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError, termios.error):
            if attributes is not None:
                termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
            # A line that is stuck takes no more bytes; do not wait for it.
            if select.select([], [descriptor], [], 0.2)[1]:
                os.write(descriptor, _RESET.encode())
        os._exit(_SIGNAL_EXIT_BASE + number)

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, leave)
