"""The colours: what is said by them can be read."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem

from flowdeck_tui.text.theme import THEME
from flowdeck_tui.widgets.themed import TONE_VARIABLES

LEAST_CONTRAST = 4.0
COLOURS = {
    **THEME.variables,
    "primary": THEME.primary,
    "success": THEME.success,
    "warning": THEME.warning,
    "error": THEME.error,
    "foreground": THEME.foreground,
    "background": THEME.background,
}


def luminance(name: str, system: ColorSystem) -> float:
    red, green, blue = Color.parse(COLOURS[name] or "").downgrade(system).get_truecolor()
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (red / 255, green / 255, blue / 255)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT], ids=["truecolor", "256"])
@pytest.mark.parametrize("behind", ["background", "cursor-row", "cursor-row-away"])
@pytest.mark.parametrize("tone", [*TONE_VARIABLES.values(), "foreground"])
def test_every_tone_can_be_read_on_every_background(tone: str, behind: str, system: ColorSystem) -> None:
    """State words on the cursor's row too, and on terminals with 256 colours."""
    light, dark = luminance(tone, system), luminance(behind, system)
    assert (light + 0.05) / (dark + 0.05) >= LEAST_CONTRAST
