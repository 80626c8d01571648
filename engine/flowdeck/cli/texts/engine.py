"""The engine as people read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.cli.tables import Cell, Paper, fields, section
from flowdeck.cli.texts.parts import COLOURS, moment
from flowdeck.rules.states import StateType
from flowdeck.rules.text.terminal_text import inert_line

if TYPE_CHECKING:
    from flowdeck.deck import EngineStatus


def engine_lines(status: EngineStatus, paper: Paper) -> list[str]:
    """Show what is known of the engine."""
    running = Cell("running", COLOURS[StateType.COMPLETED]) if status.works else Cell("not running")
    if status.stalled is not None:
        running = Cell("does not work", COLOURS[StateType.FAILED])
    folders = [inert_line(folder) for folder in status.folders]
    shown = {
        "Engine": running,
        "Process": "" if status.pid is None else str(status.pid),
        "Started": moment(status.started_at),
        "Version": status.version or "",
    }
    return fields(shown, paper) + section(
        "Watched folders", folders or ["none; `flowdeck server start FOLDER` adds one"]
    )
