"""A widget that draws text by its meaning; the theme gives each meaning a colour.

Textual's way to the same, component classes, makes it match style sheets for every tone of every widget: a quarter of
the time to the first paint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

from flowdeck_tui.text.present import Tone

TONE_VARIABLES: Final[Mapping[Tone, str]] = {
    Tone.MUTED: "quiet",
    Tone.GOOD: "success",
    Tone.BAD: "error",
    Tone.WARN: "warning",
    Tone.ACTIVE: "primary",
}
"""Theme variable of each tone; a tone without one has the widget's own colour."""


class Toned(Widget):
    """Keeps the styles of its tones until the theme changes."""

    _styles: dict[tuple[Tone, str], Style]

    def tone_style(self, tone: Tone, background: str = "") -> Style:
        """Return how text of a tone is drawn.

        Args:
            tone: what the text means.
            background: theme variable of the colour behind it; empty for the widget's own.
        """
        if not hasattr(self, "_styles"):
            self._styles = {}
        style = self._styles.get((tone, background))
        if style is None:
            variables = self.app.theme_variables
            colour = variables.get(TONE_VARIABLES.get(tone, ""))
            behind = variables.get(background)
            style = self.rich_style + Style(
                color=Color.parse(colour).rich_color if colour else None,
                bgcolor=Color.parse(behind).rich_color if behind else None,
                bold=True if tone is Tone.STRONG else None,
            )
            self._styles[tone, background] = style
        return style

    def notify_style_update(self) -> None:
        """Forget colours when theme or style change."""
        self._styles = {}
        super().notify_style_update()
