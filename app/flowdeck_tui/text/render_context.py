"""What rows and texts are written with, whatever they are of: clock, time zone of the reader, signs of the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from flowdeck_tui.text.present import Glyphs


@dataclass(frozen=True, slots=True)
class RenderContext:
    """How records become text.

    Attributes:
        now: returns the present moment, aware.
        zone: time zone of the reader; None for that of the machine.
        glyphs: signs that the terminal can show.
    """

    now: Callable[[], datetime]
    zone: tzinfo | None
    glyphs: Glyphs


def system_now() -> datetime:
    """Return the wall time, aware."""
    return datetime.now(UTC)
