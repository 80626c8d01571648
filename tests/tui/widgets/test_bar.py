"""Lines of text that send only what differs."""

from __future__ import annotations

import pytest

from flowdeck_tui.text.present import Tone
from flowdeck_tui.widgets.bar import Spans, differing_cells

PLAIN, BAD = Tone.PLAIN, Tone.BAD


@pytest.mark.parametrize(
    ("before", "after", "cells"),
    [
        ((("1,204 lines", PLAIN),), (("1,204 lines", PLAIN),), (0, 0)),
        ((("1,204 lines", PLAIN),), (("1,209 lines", PLAIN),), (4, 5)),
        ((("abc", PLAIN), ("def", PLAIN)), (("abcd", PLAIN), ("ef", PLAIN)), (0, 0)),
        ((("abc", PLAIN), ("def", PLAIN)), (("abc", PLAIN), ("def", BAD)), (3, 6)),
        ((("abc", PLAIN),), (("abcd", PLAIN),), (0, 4)),
        ((("日本", PLAIN),), (("日木", PLAIN),), (0, 4)),
        ((), (("ab", PLAIN),), (0, 2)),
    ],
)
def test_only_cells_that_look_different_are_named(before: Spans, after: Spans, cells: tuple[int, int]) -> None:
    """By character and tone; wide characters repaint the line."""
    assert differing_cells(before, after) == cells
