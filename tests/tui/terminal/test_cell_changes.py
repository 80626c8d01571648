"""What differs between what a terminal shows and what it should; moving rows instead of sending them."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.geometry import Region
from textual.strip import Strip

from flowdeck_tui.terminal.cell_changes import MOVED_ROWS_LEAST, Move, changed_cells, moved_rows
from flowdeck_tui.terminal.cell_screen import CellUpdate, FullUpdate, ShownRows

WIDTH, HEIGHT = 40, 20
SCREEN = Region(0, 0, WIDTH, HEIGHT)


def row(text: str) -> Strip:
    return Strip([Segment(text, Style())]).adjust_cell_length(WIDTH, Style())


def console() -> Console:
    return Console(color_system="truecolor", force_terminal=True, width=WIDTH)


def test_changed_cells_are_enough() -> None:
    """Copying the changed cells of a row onto the old one gives the new one, and no smaller span does."""
    source = random.Random(5)
    styles = [Style(bold=True), Style(italic=True)]

    def row() -> Strip:
        return Strip(
            [Segment("".join(source.choices("ab ", k=source.randrange(4))), source.choice(styles)) for _ in range(3)]
        )

    def cells(strip: Strip) -> list[tuple[str, Style | None]]:
        made = [(character, segment.style) for segment in strip for character in segment.text]
        return made + [(" ", styles[0])] * (12 - len(made))

    for _ in range(3000):
        old, new = row(), row()
        before, after = cells(old), cells(new)
        differing = [x for x in range(12) if before[x] != after[x]]
        span = changed_cells(old, new, styles[0])
        assert span == ((differing[0], differing[-1] + 1) if differing else None)


def test_changed_cells_with_wide_characters() -> None:
    """Where a character is not one cell wide, the whole row is repainted."""
    assert changed_cells(Strip([Segment("漢字 a")]), Strip([Segment("漢字 b")])) == (0, 6)


def test_a_log_that_moves_up_is_moved() -> None:
    """All rows but the new ones; those around it stay."""
    shown = [row("title"), *[row(f"line {number}") for number in range(10)], row("status")]
    wanted = {y: row(f"line {y + 2}") for y in range(1, 11)}
    assert moved_rows(shown, wanted) == Move(1, 11, 3)


def test_rows_that_move_down_are_moved() -> None:
    """As when one scrolls back."""
    shown = [row(f"line {number}") for number in range(10)]
    wanted = {y: row(f"line {y - 2}") for y in range(10)}
    assert moved_rows(shown, wanted) == Move(0, 10, -2)


@pytest.mark.parametrize("unknown", [True, False])
def test_few_rows_unknown_rows_and_twins_are_not_moved(unknown: bool) -> None:
    """It would cost more, or show what nobody meant."""
    shown: list[Strip | None] = [row(f"line {number}") for number in range(10)]
    wanted = {y: row(f"line {y + 1}") for y in range(9 if unknown else MOVED_ROWS_LEAST - 1)}
    if unknown:
        shown[5] = None
    assert moved_rows(shown, wanted) is None
    assert moved_rows([row("same")] * 10, {y: row("same") for y in range(10)}) is None


@pytest.mark.parametrize("seed", range(4))
def test_any_change_of_rows_leaves_the_screen_that_was_meant(seed: int) -> None:
    """Moves up and down, single cells, wide characters; and moving a log by a line sends little more than the line."""
    chance = random.Random(seed)
    terminal = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(terminal)
    shown = ShownRows()
    rows = [row("")] * HEIGHT
    stream.feed(FullUpdate([[strip] for strip in rows], SCREEN, shown).render_segments(console()))
    names = [f"{chance.choice(['line', '日本', '', 'x' * 30])} {number}" for number in range(60)]
    for _ in range(150):
        fresh = list(rows)
        kind = chance.randrange(4)
        if kind == 0:
            first = chance.randrange(HEIGHT)
            for y in range(first, chance.randrange(first, HEIGHT)):
                fresh[y] = row(chance.choice(names))
        elif kind == 1:
            first, by = chance.randrange(5), chance.randrange(1, 4)
            fresh[first:] = [*fresh[first + by :], *[row(chance.choice(names)) for _ in range(by)]]
        elif kind == 2:
            first, by = chance.randrange(5), chance.randrange(1, 4)
            fresh[first:] = [*[row(chance.choice(names)) for _ in range(by)], *fresh[first : HEIGHT - by]]
        else:
            start = chance.randrange(40)
            fresh = [row(names[start + y]) for y in range(HEIGHT)]
        dirty = {y for y in range(HEIGHT) if fresh[y] != rows[y]}
        chops = [{0: fresh[y] if y in dirty else None} for y in range(HEIGHT)]
        spans = [(y, 0, WIDTH) for y in sorted(dirty)]
        update = CellUpdate(ChopsUpdate(chops, spans, [[WIDTH]] * HEIGHT), shown)
        if dirty:
            stream.feed(update.render_segments(console()))
        rows = fresh
        assert [line.replace("\0", "").rstrip() for line in terminal.display] == [strip.text.rstrip() for strip in rows]


def test_moving_by_a_line_costs_the_line() -> None:
    """And not the screen."""
    shown = ShownRows()
    rows = [row(f"a rather long line of a log {number}") for number in range(HEIGHT + 1)]
    FullUpdate([[strip] for strip in rows[:HEIGHT]], SCREEN, shown).render_segments(console())
    chops = [{0: strip} for strip in rows[1:]]
    update = ChopsUpdate(chops, [(y, 0, WIDTH) for y in range(HEIGHT)], [[WIDTH]] * HEIGHT)
    assert len(CellUpdate(update, shown).render_segments(console())) < 2 * WIDTH
