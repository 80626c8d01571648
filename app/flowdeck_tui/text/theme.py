"""The colours: one dark surface, and one colour for each meaning."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

THEME: Final = Theme(
    name="flowdeck",
    primary="#7aa6da",
    success="#8fb573",
    warning="#d9a74a",
    error="#e06c75",
    foreground="#d4d4d4",
    background="#16181b",
    surface="#16181b",
    panel="#212529",
    dark=True,
    variables={
        "quiet": "#8b9096",
        "cursor-row": "#242f47",
        "cursor-row-away": "#26292d",
    },
)
"""Colours are whole, never mixed with what is below: a cell is drawn from its own style alone.

The cursor's row is dark enough for every tone to be read on it, and stays so in the nearest of 256 colours.
"""
