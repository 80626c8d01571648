"""The first line of the screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowdeck.rules.states import StateType
from flowdeck_tui.text.present import UNICODE, Tone
from flowdeck_tui.widgets.bar import width_of
from flowdeck_tui.widgets.header import HeaderFacts, header_spans

FACTS = HeaderFacts(
    panes=(("1", "Runs"), ("3", "Flows")),
    active="3",
    counts={StateType.RUNNING: 2, StateType.FAILED: 1, StateType.SCHEDULED: 14},
    broken_files=1,
    engine="engine running",
)


def text(width: int, facts: HeaderFacts = FACTS) -> tuple[str, str]:
    left, right = header_spans(facts, width, UNICODE)
    return "".join(part for part, _ in left), "".join(part for part, _ in right)


def test_wide_headers_use_whole_words() -> None:
    """At 160 columns nothing is short."""
    assert text(160) == (
        " flowdeck  1 Runs [3 Flows]",
        "●2 running  ✗1 failed in 24 h  ◷14 scheduled  !1 file broken   engine running ",
    )


def test_narrow_headers_use_short_words() -> None:
    """At 80 columns all facts are still there."""
    assert text(80)[1] == "●2 run ✗1 fail ◷14 sched !1 broken  engine running "
    assert text(60)[1] == "●2 ✗1 ◷14 !1  engine running "


def test_more_broken_files_are_plural() -> None:
    """And one is not."""
    assert "!2 files broken" in text(160, replace(FACTS, broken_files=2))[1]


@pytest.mark.parametrize("width", range(12, 62))
def test_what_has_no_room_is_left_out_whole(width: int) -> None:
    """No word and no number is cut, and what is shown stays on its line."""
    left, right = text(width)
    assert len(left) + len(right) <= max(width, 10)
    whole = {"flowdeck", "1", "Runs", "[3", "Flows]", "●2", "✗1", "◷14", "!1", "engine", "running"}
    assert set((left + " " + right).split()) <= whole


def test_a_missing_engine_is_said_even_where_there_is_hardly_room() -> None:
    """Before any number."""
    facts = replace(FACTS, engine="no engine", is_engine_well=False)
    assert text(42, facts)[1].strip().endswith("no engine")


def test_nothing_is_said_of_what_is_not() -> None:
    """A quiet home has a quiet header."""
    assert text(80, HeaderFacts(engine="no engine"))[1] == " no engine "


def test_a_missing_engine_stands_out() -> None:
    """It is why nothing starts."""
    _, right = header_spans(HeaderFacts(engine="no engine", is_engine_well=False), 80, UNICODE)
    assert right[-1][1] is Tone.WARN


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_it_fits_its_line(width: int) -> None:
    """Both ends together, at every width in use."""
    left, right = header_spans(FACTS, width, UNICODE)
    assert width_of(left) + width_of(right) <= width


def test_a_screen_without_the_keyboard_says_that_it_stands_still() -> None:
    """What it shows may be old."""
    _, right = header_spans(replace(FACTS, is_still=True), 160, UNICODE)
    assert right[-1] == (" still while unfocused ", Tone.WARN)
