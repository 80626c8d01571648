"""The first line: name, panes, what runs and what failed, the engine in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from textual import events
from textual.message import Message

from flowdeck.rules.states import StateType
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar, Spans, width_of

NAME: Final = " flowdeck "
BROKEN: Final = "!"
"""The sign of files that cannot be imported, and the key that leads to them."""
STILL: Final = "still while unfocused"
_COUNTED: Final = (StateType.RUNNING, StateType.FAILED, StateType.SCHEDULED)
_TONES: Final = {StateType.RUNNING: Tone.ACTIVE, StateType.FAILED: Tone.BAD, StateType.SCHEDULED: Tone.MUTED}
_LONG: Final = (" running", " failed in 24 h", " scheduled", " broken")
_SHORT: Final = (" run", " fail", " sched", " broken")
_BARE: Final = ("", "", "", "")


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the header says.

    Attributes:
        panes: number and name of each pane, in order.
        active: number of the pane that is shown.
        counts: root runs by type of state.
        broken_files: how many flow files cannot be imported.
        engine: its state in words.
        is_engine_well: False makes the words stand out.
        is_still: nothing is drawn until the keyboard comes back.
    """

    panes: tuple[tuple[str, str], ...] = ()
    active: str = ""
    counts: Mapping[StateType, int] = field(default_factory=dict)
    broken_files: int = 0
    engine: str = ""
    is_engine_well: bool = True
    is_still: bool = False


def header_spans(facts: HeaderFacts, width: int, glyphs: Glyphs) -> tuple[Spans, Spans]:
    """Write the header: in full words where they fit, else shorter; what has no room at all is left out whole."""
    left: list[tuple[str, Tone]] = [(NAME, Tone.STRONG)]
    for number, name in facts.panes:
        is_active = number == facts.active
        left.append((f"[{number} {name}]" if is_active else f" {number} {name} ", _pane_tone(is_active)))
    room = width - width_of(left) - 1
    told = STILL if facts.is_still else facts.engine
    engine = ((f" {told} ", Tone.MUTED if facts.is_engine_well and not facts.is_still else Tone.WARN),)
    for words in (_LONG, _SHORT, _BARE):
        right = (*_counts(facts, glyphs, words), *engine)
        if width_of(right) <= room:
            return tuple(left), right
    # An engine that is missing is why nothing starts: it goes after the numbers, one that is well before them.
    chips = _counts(facts, glyphs, _BARE)
    right = _fitting((*chips, *engine) if facts.is_engine_well else (*engine, *chips), room)
    return _fitting(left, width), right if facts.is_engine_well else (*right[1:], *right[:1])


def _fitting(pieces: Iterable[tuple[str, Tone]], room: int) -> Spans:
    """Keep the first pieces, whole, as many as there is room for."""
    kept: list[tuple[str, Tone]] = []
    for piece in pieces:
        room -= width_of((piece,))
        if room < 0:
            break
        kept.append(piece)
    return tuple(kept)


def _pane_tone(is_active: bool) -> Tone:
    return Tone.STRONG if is_active else Tone.MUTED


def _counts(facts: HeaderFacts, glyphs: Glyphs, words: tuple[str, ...]) -> Spans:
    spans = [
        (f"{glyphs.states[state_type]}{number}{word}", _TONES[state_type])
        for state_type, word in zip(_COUNTED, words, strict=False)
        if (number := facts.counts.get(state_type, 0))
    ]
    if facts.broken_files:
        files = "" if words is not _LONG else " file" if facts.broken_files == 1 else " files"
        spans.append((f"{BROKEN}{facts.broken_files}{files}{words[-1]}", Tone.BAD))
    gap = "  " if words is _LONG else " "
    return tuple((text + gap, tone) for text, tone in spans)


class Header(Bar):
    """The first line of the screen."""

    class Pressed(Message):
        """A pane or the broken files were clicked."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, glyphs: Glyphs) -> None:
        """Make an empty header."""
        super().__init__(glyphs=glyphs, id="header")
        self._glyphs = glyphs
        self._facts = HeaderFacts()

    def show_facts(self, facts: HeaderFacts) -> None:
        """Change what the header says."""
        self._facts = facts
        self.show(*header_spans(facts, self.size.width, self._glyphs))

    def on_click(self, event: events.Click) -> None:
        """A pane's name or the broken files lead there."""
        text = self.span_at(event.x).strip(" []")
        numbers = [number for number, name in self._facts.panes if text == f"{number} {name}"]
        if numbers or text.startswith(BROKEN):
            self.post_message(self.Pressed(numbers[0] if numbers else BROKEN))

    def on_resize(self) -> None:
        """Choose the words that fit."""
        self.show_facts(self._facts)
