"""Text of others is harmless for a terminal, and otherwise what it was."""

import random
import re
import time

import pytest

from flowdeck.rules.text.terminal_text import inert, inert_line, literal_pattern

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("412 rows", "412 rows"),
        ("", ""),
        ("naïve 漢字 🙂", "naïve 漢字 🙂"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mrgb\x1b[m", "rgb"),
        ("\x1b[?25lhidden cursor\x1b[2J", "hidden cursor"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;aGk=\x07", ""),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b_payload\x1b\\after", "after"),
        ("\x1b(B\x1b[mreset", "reset"),
        ("\x9b31mred", "red"),
        ("\x1b]0;never ends", "␛]0;never ends"),
        ("\x1b[12", "␛[12"),
        ("\x1bc", "␛c"),
        ("\x1b\x1b[0m[2J", "␛[2J"),
        ("a\x00b\x08c\x7f", "a␀b␈c␡"),
        ("\x85\x80", "\\x85\\x80"),
        ("10%\r20%\r", "10%␍20%"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("tab\tkept", "tab\tkept"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("line\u2028end", "line\\u2028end"),
        ("\udc80", "\\udc80"),
    ],
)
def test_inert(raw: str, shown: str) -> None:
    """Sequences go, other controls are seen, the rest stays."""
    assert inert(raw) == shown


def test_no_control_character_is_left() -> None:
    """Whatever the input, only newlines and tabs remain of the controls, and nothing is left to be done."""
    source = random.Random(7)
    alphabet = "\x1b\x1b\x1b[]P\\_^;?0123m(BHJ\x07\x9b\x9c\x9d\x90 ab\r\n\t\x00\x7f\x85\u202e漢"
    for _ in range(3000):
        text = "".join(source.choices(alphabet, k=source.randrange(40)))
        shown = inert(text)
        assert not CONTROL.search(shown), repr(text)
        assert inert(shown) == shown
        shown.encode()


def test_long_hostile_text_takes_no_time() -> None:
    """Sequences that never end are looked at once, not once for each start."""
    for start in ("\x1b]", "\x1b[", "\x9d", "\x1bP", "\x90", "\x1b[0;", "\x1b ", "\r"):
        text = start * 60_000
        before = time.process_time()
        assert len(inert(text + "x")) >= 60_000
        assert time.process_time() - before < 1.0


def test_inert_line_is_one_line() -> None:
    """A name with newlines and tabs stays in its cell."""
    assert inert_line("a\nb\tc\x1b[1m") == "a␊b c"


def test_literal_pattern_heeds_case_only_when_typed() -> None:
    """Lower case finds all, a capital letter only itself; no character is special."""
    assert literal_pattern("error (1).").search("An ERROR (1). here")
    assert not literal_pattern("Error").search("error")
    assert literal_pattern("Error").search("An Error")
    assert not literal_pattern("a.c").search("abc")
