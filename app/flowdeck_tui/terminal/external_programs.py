"""The terminal lent to another program, an editor or a pager, and taken back when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from textual.app import App, SuspendNotSupported

from flowdeck_tui.terminal.editor import NoEditorError, Place, editor_command
from flowdeck_tui.terminal.pager import NoPagerError, pager_command


def lend(app: App[Any], command: Sequence[str], *, folder: str | None = None, text: str | None = None) -> str | None:
    """Give the terminal to a program until it ends.

    Args:
        app: whose screen stands aside meanwhile.
        command: program and arguments.
        folder: where it runs; None for where we do.
        text: what it reads from stdin; None for the keyboard.

    Returns:
        What went wrong, one sentence; None when nothing did.
    """
    data = None if text is None else text.encode("utf-8", "backslashreplace")
    try:
        with app.suspend(), _left_alone_by_ctrl_c():
            ended = subprocess.run(list(command), cwd=folder, input=data, check=False)
    except SuspendNotSupported:
        return "This terminal cannot be lent to another program."
    except (OSError, ValueError) as error:
        return f"{command[0]} cannot be started: {getattr(error, 'strerror', None) or error}."
    return f"{command[0]} ended with exit code {ended.returncode}." if ended.returncode else None


def edit(app: App[Any], environment: Mapping[str, str], place: Place) -> str | None:
    """Open a line of source in the user's editor; return what went wrong, None when nothing did."""
    if not os.path.exists(place.file):
        return f"{place.file} is gone."
    try:
        command = editor_command(environment, place)
    except NoEditorError as error:
        return str(error)
    return lend(app, command)


def page(app: App[Any], environment: Mapping[str, str], text: str) -> str | None:
    """Show a text in the user's pager; return what went wrong, None when nothing did."""
    try:
        command = pager_command(environment, [])
    except NoPagerError as error:
        return str(error)
    return lend(app, command, text=text)


@contextmanager
def _left_alone_by_ctrl_c() -> Generator[None]:
    """Let ctrl+c mean the program only: a handler of our own is not inherited, and does nothing here."""
    before = signal.signal(signal.SIGINT, _do_nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Take a signal."""
