"""What people read: columns that line up, a sign and a word for each state, and nothing raw."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowdeck.cli.tables import Cell, Paper, cell_width, paper_for, table
from flowdeck.cli.texts import parts
from flowdeck.deck import Deck
from flowdeck.rules.states import StateType
from flowdeck.rules.text.state_signs import state_sign
from flowdeck_tui.text import present
from tests.cli.conftest import Command, Script
from tests.cli.seeds import Seeds

NOW = datetime.now(UTC)
PLAIN = Paper(NOW)


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


def test_signs_are_those_of_the_screen() -> None:
    """The command line and the screen show a state by the same sign."""
    for unicode, glyphs in ((True, present.UNICODE), (False, present.ASCII)):
        for state in StateType:
            assert state_sign(state, state.capitalize(), unicode=unicode) == glyphs.states[state]
        assert (
            state_sign(StateType.SCHEDULED, "AwaitingRetry", unicode=unicode) == glyphs.refined_states["AwaitingRetry"]
        )
        assert state_sign(StateType.PENDING, "NotReady", unicode=unicode) == glyphs.refined_states["NotReady"]


@pytest.mark.parametrize(
    ("environment", "encoding", "colours", "unicode"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", True, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "utf-8", False, True),
        ({"TERM": "dumb"}, "utf-8", False, True),
        ({"TERM": "linux"}, "utf-8", True, False),
        ({"TERM": "xterm"}, "latin-1", True, False),
    ],
)
def test_paper(environment: dict[str, str], encoding: str, colours: bool, unicode: bool) -> None:
    """Colour and signs follow the terminal and NO_COLOR."""
    paper = paper_for(Terminal(encoding), environment, 80, NOW)
    assert (paper.colours, paper.unicode) == (colours, unicode)
    assert not paper_for(io.StringIO(), environment, None, NOW).colours


def test_columns_line_up() -> None:
    """Wide characters and colours count as what they take on the screen; the last column ends with the terminal."""
    rows = [("日本", Cell("✓ ok", "32"), "short"), ("abc", Cell("✗ failed", "31"), "much too long to fit")]
    painted = table(("A", "B", "C"), rows, Paper(NOW, colours=True, width=30))
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in painted]
    assert lines == ["A     B         C", "日本  ✓ ok      short", "abc   ✗ failed  much too long…"]
    assert [cell_width(line) for line in lines] == [17, 21, 30]
    assert "\x1b[32m✓ ok\x1b[0m" in painted[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.004, "0.00s"),
        (9.99, "9.99s"),
        (41.26, "41.3s"),
        (133, "2m13s"),
        (3840, "1h04m"),
        (284_400, "3d07h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """A duration takes a few characters, whatever its size."""
    assert parts.duration(seconds) == text


def test_clock_gives_the_day_when_it_is_another() -> None:
    """A time of today is short; any other says its day."""
    yesterday = NOW - timedelta(days=1)
    assert parts.clock(NOW, PLAIN) == NOW.astimezone().strftime("%H:%M:%S")
    assert parts.clock(yesterday, PLAIN) == yesterday.astimezone().strftime("%Y-%m-%d %H:%M")


def test_runs_as_people_see_them(command: Command, deck: Deck, seeds: Seeds) -> None:
    """A listing has a line for each run, with its state as a word and the error it failed of, on one line."""
    failed = seeds.failed_run(deck)
    out = command("flow-run", "ls").out
    assert len(out.splitlines()) == 2
    assert failed[-8:] in out
    assert "✗ Failed" in out
    assert "ValueError: no rows (etl.py:12)" in out
    assert "\x1b" not in out


def test_names_of_others_are_inert(command: Command, deck: Deck, seeds: Seeds) -> None:
    """An escape sequence in a name, an error or a log does not reach the terminal."""
    run_id = seeds.failed_run(deck)
    seeds.run(name="evil\x1b]0;title\x07\nname", flow_name="\x1b[2Jflow")
    for words in (["ls"], ["inspect", run_id], ["logs", run_id]):
        out = command("flow-run", *words).out
        assert "\x1b" not in out
        assert "\x07" not in out
    assert "evil␊name" in command("flow-run", "ls").out


def test_inspect_shows_all_there_is(command: Command, deck: Deck, seeds: Seeds) -> None:
    """What is known of a run is shown, what is unknown left out."""
    out = command("flow-run", "inspect", seeds.failed_run(deck)).out
    for text in ("✗ Failed", 'path = "a.csv"', "extract-0", "load-0", "ValueError: no rows", "nightly", "Exit code"):
        assert text in out, text
    assert "Signal" not in out


def test_flows_as_people_see_them(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """Flows and broken files are listed; a flow is shown with its parameters."""
    seeds.flow(deck, tmp_path / "flows")
    seeds.broken_file(tmp_path / "flows")
    out = command("flow", "ls").out
    assert "report.py:report" in out
    assert "Say what there is." in out
    assert "cannot be imported: ValueError: no rows (etl.py:12)" in out
    assert str(tmp_path) not in out
    seeds.flow(deck, tmp_path / "more", "other", "other")
    assert command("flow", "ls").out.count(f"{tmp_path}/") == 2
    shown = command("flow", "inspect", "report").out
    assert re.search(r"city +string +required +Where to look\.", shown)
    assert re.search(r"days +integer +3", shown)


def test_log_lines_are_those_of_a_script(command: Command, deck: Deck, seeds: Seeds, script: Script) -> None:
    """`flow-run logs` shows a run as `flowdeck run` did while it ran, line by line."""
    del seeds
    path = script("shout.py", SHOUT)
    shown = command("run", str(path))
    assert shown.code == 0
    run = deck.flow_runs.select()[0]
    assert command("flow-run", "logs", run.name).out == shown.err
    assert "| second line" in shown.err


SHOUT = """
from flowdeck import flow, get_run_logger, task

@task
def say():
    get_run_logger().warning("first line\\nsecond line \\x1b[31mred")

@flow
def shout():
    say()
"""
