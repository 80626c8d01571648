"""A line of source in the user's editor: which command that is. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flowdeck.rules.exceptions import FlowdeckError

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun

VARIABLES: Final = ("VISUAL", "EDITOR")

_PLUS: Final = frozenset(
    "vi vim nvim view gvim ex nano pico emacs emacsclient kak micro joe jed mg ne mcedit tilde vis gedit xed".split()
)
"""`EDITOR +LINE FILE`."""
_COLON: Final = frozenset("hx helix subl sublime_text zed zeditor lapce".split())
"""`EDITOR FILE:LINE`."""
_GOTO: Final = frozenset("code code-insiders codium vscodium cursor windsurf positron".split())
"""`EDITOR --goto FILE:LINE`."""
_LINE_OPTION: Final = frozenset("kate mate idea pycharm".split())
"""`EDITOR --line LINE FILE`."""


class NoEditorError(FlowdeckError):
    """No editor is named, or the name cannot be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; None for the file as a whole."""

    file: str
    line: int | None = None


def editor_command(environment: Mapping[str, str], place: Place) -> list[str]:
    """Return the command that opens a place in the editor of `$VISUAL`, else of `$EDITOR`.

    An editor that is not known by name gets the file only.

    Raises:
        NoEditorError: neither variable names one.
    """
    variable = next((name for name in VARIABLES if environment.get(name, "").strip()), None)
    if variable is None:
        raise NoEditorError("No editor is set: put its name into VISUAL or EDITOR, such as `export EDITOR=nano`.")
    try:
        words = shlex.split(environment[variable])
    except ValueError as error:
        raise NoEditorError(f"{variable}={environment[variable]} is no command: {error}.") from None
    return [*words, *_arguments(os.path.basename(words[0]), place)]


def _arguments(name: str, place: Place) -> list[str]:
    file, line = place.file, place.line
    if line is None:
        return [file]
    if name in _PLUS or name.startswith(("vim.", "emacs-", "emacsclient.")):
        return [f"+{line}", file]
    if name in _COLON:
        return [f"{file}:{line}"]
    if name in _GOTO:
        return ["--goto", f"{file}:{line}"]
    if name in _LINE_OPTION:
        return ["--line", str(line), file]
    return [file]


def place_of_run(run: FlowRun, entry: FlowEntry | None) -> Place | None:
    """Return where a run broke, else where its flow is defined; None for one that was defined interactively."""
    if run.error is not None and run.error.file:
        return Place(os.path.join(run.working_dir, run.error.file), run.error.line)
    if run.source_file is None:
        return None
    return Place(run.source_file, None if entry is None else entry.line)


def place_of_flow(entry: FlowEntry) -> Place:
    """Return the line that keeps a file from being imported, else that of the flow."""
    if entry.status != "ok" and entry.error is not None and entry.error.file:
        return Place(os.path.join(entry.folder, entry.error.file), entry.error.line)
    return Place(os.path.join(entry.folder, entry.file), entry.line)
