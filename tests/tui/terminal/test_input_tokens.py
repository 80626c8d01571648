"""What a terminal sends never falls apart into keys, however it is split; keys stay keys."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.message import Message

from flowdeck_tui.terminal.input_tokens import PASTE_MOST, InputTokens
from flowdeck_tui.terminal.screen_driver import TokenEvents

ANSWERS = {
    "background colour": "\x1b]11;rgb:1616/1818/1b1b\x1b\\",
    "background colour, bell": "\x1b]11;rgb:1616/1818/1b1b\x07",
    "foreground colour": "\x1b]10;rgb:d4d4/d4d4/d4d4\x07",
    "palette": "\x1b]4;1;rgb:cc/00/00\x1b\\",
    "clipboard": "\x1b]52;c;cXJ4eQ==\x1b\\",
    "title": "\x1b]lquery\x1b\\",
    "version": "\x1bP>|XTerm(390)\x1b\\",
    "termcap": "\x1bP1+r544e=787465726d\x1b\\",
    "setting": "\x1bP1$r0m\x1b\\",
    "tertiary attributes": "\x1bP!|7E565445\x1b\\",
    "graphics": "\x1b_Gi=31;OK\x1b\\",
    "privacy message": "\x1b^qxy\x1b\\",
    "start of string": "\x1bXrrr\x1b\\",
    "primary attributes": "\x1b[?62;1;4;22c",
    "secondary attributes": "\x1b[>41;390;0c",
    "status": "\x1b[0n",
    "position": "\x1b[24;80R",
    "private position": "\x1b[?24;80;1R",
    "kitty flags": "\x1b[?1u",
    "modes": "\x1b[?2048;0$y",
    "ANSI mode": "\x1b[4;2$y",
    "window size": "\x1b[8;24;80t",
    "pixels": "\x1b[4;480;640t",
    "resize in band": "\x1b[48;30;100;0;0t",
    "size zero": "\x1b[48;0;0;0;0t",
    "size without end": "\x1b[48;100000000;100000000;1;1t",
    "no character": "\x1b[1114112u",
    "surrogate": "\x1b[55296u",
    "text of no character": "\x1b[97;1;1114112u",
    "huge number": "\x1b[" + "9" * 5000 + "u",
    "long answer": "\x1b[?" + "1;" * 200 + "c",
    "huge mouse": "\x1b[<0;99999999999;99999999999M",
    "released key": "\x1b[114;1:3u",
    "letter as a function key": "\x1b[114~",
    "old mouse": "\x1b[Mrqx",
    "urxvt mouse": "\x1b[32;10;10M",
    "character set": "\x1b(B",
    "eight bits": "\x9d11;rgb:1616/1818/1b1b\x9c",
}


class Feeder:
    """Tokens and events as the driver makes them, with a clock set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._tokens, self._events = InputTokens(ANSI_SEQUENCES_KEYS.keys()), TokenEvents()

    def feed(self, text: str) -> list[Message]:
        return [event for token in self._tokens.feed(text, self.now) for event in self._events.of(token)]

    def idle(self, seconds: float) -> list[Message]:
        self.now += seconds
        return [event for token in self._tokens.tick(self.now) for event in self._events.of(token)]


def split(text: str, places: list[int]) -> list[str]:
    cuts = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[first:stop] for first, stop in pairwise(cuts)]


def key_names(found: list[Message]) -> list[str]:
    return [event.key for event in found if isinstance(event, events.Key)]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_no_key(answer: str) -> None:
    """At once, byte by byte, and with half a second between its bytes; the key behind it arrives."""
    for pieces, pause in (([answer], 0.0), ([*answer], 0.0), ([*answer], 0.05)):
        feeder = Feeder()
        found: list[Message] = []
        for piece in pieces:
            found += feeder.feed(piece)
            found += feeder.idle(pause)
        assert key_names(found) == []
        assert key_names(feeder.feed("j")) == ["j"]


@pytest.mark.parametrize("answer", [ANSWERS[name] for name in ("background colour", "version", "primary attributes")])
def test_an_answer_torn_behind_its_first_byte_is_at_worst_esc(answer: str) -> None:
    """On a slow link ESC has been taken for the key when the rest comes; the rest is still no key."""
    feeder = Feeder()
    assert key_names([*feeder.feed("\x1b"), *feeder.idle(0.5)]) == ["escape"]
    assert key_names([*feeder.feed(answer[1:]), *feeder.idle(0.5)]) == []
    assert key_names(feeder.feed("j")) == ["j"]


def test_keys_stay_keys() -> None:
    """Esc alone and twice, alt, arrows, function keys, the kitty protocol, rxvt and the Linux console."""
    wanted = {
        "\x1b": ["escape"], "\x1b\x1b": ["escape", "escape"], "r": ["r"], "\r": ["enter"], "\x03": ["ctrl+c"],
        "\x1br": ["alt+r"], "\x1b\r": ["alt+enter"], "\x1b[A": ["up"], "\x1bOA": ["up"], "\x1b[1;5C": ["ctrl+right"],
        "\x1b[5~": ["pageup"], "\x1bOP": ["f1"], "\x1b[[A": ["f1"], "\x1b[7$": ["shift+home"], "\x1b[Z": ["shift+tab"],
        "\x1b[114u": ["r"], "\x1b[114;1:1u": ["r"], "\x1b[114:82;2;82u": ["R"], "\x1b[27u": ["escape"],
        "\x1b[13u": ["enter"], "\x1b[99;5u": ["ctrl+c"], "ä": ["ä"],
    }  # fmt: skip
    for text, keys in wanted.items():
        feeder = Feeder()
        assert key_names([*feeder.feed(text), *feeder.idle(1.0)]) == keys, repr(text)


def test_esc_and_then_a_bracket_are_two_keys() -> None:
    """Where a rest is looked out for, a key is late by 0.3 s at most, and nothing is lost."""
    feeder = Feeder()
    assert key_names([*feeder.feed("\x1b"), *feeder.idle(0.2)]) == ["escape"]
    assert key_names([*feeder.feed("]"), *feeder.idle(0.4)]) == ["right_square_bracket"]
    assert key_names([*feeder.feed("\x1b"), *feeder.idle(0.2)]) == ["escape"]
    assert key_names(feeder.feed("]]j")) == ["right_square_bracket", "right_square_bracket", "j"]


def test_a_sequence_without_end_is_given_up() -> None:
    """The keyboard is not lost to it."""
    feeder = Feeder()
    assert feeder.feed("\x1b]11;rgb:16") == []
    assert feeder.idle(3.5) == []
    assert key_names(feeder.feed("j")) == ["j"]


def test_a_paste_holds_what_is_in_it() -> None:
    """Escape sequences in it are text; a huge one keeps its beginning, and ends."""
    feeder = Feeder()
    (event,) = feeder.feed("\x1b[200~a\x1b[Ar\x1b]11;x\x07\x1b[201~")
    assert isinstance(event, events.Paste)
    assert event.text == "a\x1b[Ar\x1b]11;x\x07"
    (event,) = feeder.feed(f"\x1b[200~{'x' * (PASTE_MOST + 10)}\x1b[201~")
    assert isinstance(event, events.Paste)
    assert len(event.text) == PASTE_MOST
    assert key_names(feeder.feed("j")) == ["j"]


PLACES = st.lists(st.integers(0, 400), max_size=8)
PARAMETERS = st.text("0123456789;:<=>?", max_size=60)
SEQUENCES = st.one_of(
    st.sampled_from(sorted(ANSWERS.values())),
    st.builds("\x1b]{}{}".format, st.text(string.printable, max_size=80), st.sampled_from(["\x07", "\x1b\\"])),
    st.builds("\x1b{}{}\x1b\\".format, st.sampled_from("PX^_"), st.text(string.printable, max_size=80)),
    st.builds("\x1b[?{}{}".format, st.text("0123456789;", max_size=60), st.sampled_from("cnRuytSJKhlpqrx")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SEQUENCES, min_size=1, max_size=5), PLACES)
def test_no_sequence_is_a_key(sequences: list[str], places: list[int]) -> None:
    """Whatever an answer holds, and wherever it is split."""
    feeder = Feeder()
    found = [event for piece in split("".join(sequences), places) for event in feeder.feed(piece)]
    assert key_names(found) == []


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters() | st.sampled_from("\x1b[]OPM;:0123456789u~t\x07\\<?"), max_size=200), PLACES)
def test_nothing_raises_and_splits_do_not_matter(text: str, places: list[int]) -> None:
    """Any text at all; the same events whole and in pieces."""
    whole, parts = Feeder(), Feeder()
    expected = whole.feed(text)
    found = [event for piece in split(text, places) for event in parts.feed(piece)]
    assert key_names(found) == key_names(expected)
    assert len(found) == len(expected)
    whole.idle(5.0)


@settings(max_examples=200, deadline=None)
@given(PARAMETERS, st.sampled_from("uRtMmyABCDEFHPQS~c"))
def test_parameters_of_any_size_raise_nothing(parameters: str, end: str) -> None:
    """Numbers without end, empty ones, parts of parts."""
    feeder = Feeder()
    feeder.feed(f"\x1b[{parameters}{end}")
    assert key_names(feeder.feed("jjjj"))[-1] == "j"
