"""Records as words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.cells import cell_len

from flowdeck.deck import EngineStatus, RunError, TaskCounts
from flowdeck.rules.states import NAMES, StateType
from flowdeck.rules.versions import __version__
from flowdeck_tui.text import present
from flowdeck_tui.text.present import ASCII, UNICODE, Tone
from tests.tui.seeded_home import NOW, SeededHome


@pytest.mark.parametrize(
    ("seconds", "over", "growing"),
    [
        (None, "", ""),
        (0.0004, "0ms", "0s"),
        (0.87, "870ms", "0s"),
        (4.21, "4.2s", "4s"),
        (41.9, "41s", "41s"),
        (133, "2m13s", "2m13s"),
        (3599, "59m59s", "59m59s"),
        (3840, "1h04m", "1h04m"),
        (3 * 86400 + 7 * 3600, "3d07h", "3d07h"),
    ],
)
def test_durations_are_short_and_stand_still_below_a_second_while_they_grow(
    seconds: float | None, over: str, growing: str
) -> None:
    """At most six characters; a growing one changes once a second at most."""
    assert present.duration_text(seconds) == over
    assert present.duration_text(seconds, is_over=False) == growing
    assert len(over) <= 6


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_state_has_sign_word_and_tone_that_fit_their_column(name: str) -> None:
    """State is told by shape and word too, never by colour alone."""
    for glyphs in (UNICODE, ASCII):
        text = present.state_text(NAMES[name], name, glyphs)
        assert cell_len(text) <= present.STATE_WIDTH
        assert text[1] == " "
    assert present.state_tone(NAMES[name], name) in Tone


def test_states_differ_by_shape() -> None:
    """Two types never share a sign."""
    for glyphs in (UNICODE, ASCII):
        assert len(set(glyphs.states.values())) == len(StateType)


def test_ascii_signs_are_ascii() -> None:
    """The Linux console shows every sign."""
    signs = [*ASCII.states.values(), ASCII.branch, ASCII.last_branch, ASCII.open, ASCII.closed, ASCII.ellipsis]
    assert all(sign.isascii() for sign in signs)


@pytest.mark.parametrize(
    ("term", "encoding", "glyphs"),
    [
        ("xterm-256color", "utf-8", UNICODE),
        ("linux", "utf-8", ASCII),
        ("xterm", "ascii", ASCII),
        ("xterm", None, ASCII),
    ],
)
def test_signs_follow_the_terminal(term: str, encoding: str | None, glyphs: present.Glyphs) -> None:
    """Unicode only where it is shown."""
    assert present.glyphs_for({"TERM": term}, encoding) is glyphs


def test_moments_are_local_and_shorter_when_they_are_far() -> None:
    """The time today, the day this year, the month before."""
    east = timezone(timedelta(hours=9))
    assert present.clock_text(NOW, NOW, UTC) == "12:06:10"
    assert present.clock_text(NOW, NOW, east) == "21:06:10"
    assert present.clock_text(NOW - timedelta(days=1), NOW, UTC) == " 3 May"
    assert present.clock_text(datetime(2024, 12, 1, tzinfo=UTC), NOW, UTC) == "Dec 2024"
    assert present.clock_text(None, NOW, UTC) == ""


def test_an_error_is_one_line_with_its_place() -> None:
    """Type, first line of the message, file and line."""
    error = RunError("ValueError", "bad city\nmore", "…", "/x/flows/etl.py", 23)
    assert present.error_text(error) == "ValueError: bad city  (etl.py:23)"
    assert present.error_text(RunError("KeyboardInterrupt", "", "")) == "KeyboardInterrupt"


def test_a_place_is_not_told_twice() -> None:
    """A syntax error's message ends with it; another place in the message stays."""
    error = RunError("SyntaxError", "invalid syntax (syn.py, line 3)", "…", "/x/syn.py", 3)
    assert present.error_text(error) == "SyntaxError: invalid syntax  (syn.py:3)"
    other = RunError("SyntaxError", "invalid syntax (other.py, line 3)", "…", "/x/syn.py", 3)
    assert present.error_text(other) == "SyntaxError: invalid syntax (other.py, line 3)  (syn.py:3)"


def test_parameters_are_one_harmless_line() -> None:
    """As JSON, plain strings as they are; nothing where there is nothing."""
    given = {"n": 3, "on": True, "empty": "", "text": "a\nb", "path": "x\x1b[31m.csv", "items": [1, None]}
    told = 'n=3  on=true  empty=""  text="a\\nb"  path=x.csv  items=[1, null]'
    assert present.parameters_text(given) == told
    assert present.parameters_text({}) == ""
    assert len(present.parameters_text({"blob": "x" * 10_000})) < 400


def test_text_of_others_cannot_reach_the_terminal_raw(home: SeededHome) -> None:
    """An escape sequence in a message loses its power."""
    run = home.run("a", state="Failed", error=RunError("E\x1b[2J", "m\x1b]0;t\x07\x1b[31mred", ""))
    assert "\x1b" not in present.run_message(run)
    assert "\x1b" not in present.state_word("Fancy\x1b[1m")


def test_counts_say_nothing_when_there_is_nothing() -> None:
    """An empty column is calmer than zeros."""
    assert present.counts_text(TaskCounts()) == ""
    assert present.counts_text(TaskCounts(total=12, completed=7)) == "7/12"
    assert present.trouble_text(0, 0) == ""
    assert present.trouble_text(2, 5) == "2/5"
    assert present.count_of(1, "run") == "1 run"
    assert present.count_of(1204, "run") == "1,204 runs"


def test_the_engine_is_told_in_words() -> None:
    """Starting, running, none, another version, stopped or hung."""
    stalled = EngineStatus(running=True, pid=7, stalled="the engine (pid 7) is stopped")
    assert present.engine_text(stalled, is_starting=False) == "engine does not work (pid 7)"
    assert present.engine_text(None, is_starting=True) == "engine starting"
    assert present.engine_text(EngineStatus(running=True), is_starting=True) == "engine running"
    assert present.engine_text(EngineStatus(running=False), is_starting=False) == "no engine"
    older, same = EngineStatus(running=True, version="0.0.1"), EngineStatus(running=True, version=__version__)
    assert present.engine_text(older, is_starting=False) == "engine is older (0.0.1)"
    assert present.engine_text(same, is_starting=False) == "engine running"


def test_parameters_are_echoed_as_a_shell_reads_them() -> None:
    """What is shown can be pasted."""
    assert present.parameters_echo({"days": "3", "name": "a b"}) == " -p days=3 -p 'name=a b'"
    assert present.parameters_echo({}) == ""
