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
)
