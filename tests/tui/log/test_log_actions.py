"""The keys of a log, in the app: each does what the table of actions says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.clock import to_microseconds
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck_tui.log.log_lines import LogTone
from tests.tui.harness import LARGE, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.seeded_home import NOW, Call, SeededHome


def tell(home: SeededHome, run: FlowRun, second: int, text: str, level: int = 20, task: int | None = None) -> None:
    writer = LogWriter(home.home.log_file(run.id))
    at = to_microseconds(NOW) + second * 1_000_000
    writer.append(at, level, "logger", task, None if task is None else f"task-{task}", text)
    writer.close()


def full_log(home: SeededHome) -> FlowRun:
    run = home.run("one", state="Running")
    for number in range(60):
        tell(home, run, number, f"line {number}", 40 if number % 20 == 7 else 20)
    return run


@pytest.mark.asyncio
async def test_filter_level_and_errors(home: SeededHome) -> None:
    """Each is said in the title; esc takes the last one back."""
    full_log(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "60 lines")
        await press(pilot, "&", *"7$")
        await until_shown(pilot, "& 7$", "6 of 60 lines", "line 57", "line 7")
        await press(pilot, "enter", ">", ">", ">")
        await until_shown(pilot, "ERROR and above", "3 of 60 lines")
        await press(pilot, ">", ">", ">")
        assert "CRITICAL is the highest level." in app.status.text
        await press(pilot, "<", "e")
        await until_shown(pilot, "error 1 of 3")
        await press(pilot, "E")
        await until_shown(pilot, "error 3 of 3")
        await press(pilot, "escape")
        assert "error" not in line_with(pilot, "& 7$")
        await press(pilot, "escape")
        assert "& 7$" not in screen_text(pilot)
        assert "ERROR and above" in screen_text(pilot)
        await press(pilot, "escape")
        await until_shown(pilot, "60 lines")
        assert app.runs_pane.log_panel.log_view.has_focus


@pytest.mark.asyncio
async def test_a_pattern_that_is_none_is_named(home: SeededHome) -> None:
    """While it is typed, above the log; afterwards on the status line."""
    full_log(home)
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "60 lines")
        await press(pilot, "&", "(")
        await until_shown(pilot, "is no regular expression: missing )", "60 lines")
        await press(pilot, "enter")
        assert "( is no regular expression: missing )" in app.status.text
        await press(pilot, "/", *"/[/", "enter")
        assert "/[/ is no regular expression" in app.status.text
        await press(pilot, "n")
        assert "/[/ is no regular expression" in app.status.text


@pytest.mark.asyncio
async def test_leaving_the_filter_with_escape_keeps_the_one_before(home: SeededHome) -> None:
    """Nothing was asked for."""
    full_log(home)
    async with running_app(home) as (_, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "60 lines")
        await press(pilot, "&", *"7$", "enter", "&", *"7", "escape")
        await until_shown(pilot, "& 7$", "6 of 60 lines")


@pytest.mark.asyncio
async def test_wrap_mark_select_json_and_time(home: SeededHome) -> None:
    """Each says what it did."""
    run = full_log(home)
    tell(home, run, 70, '{"rows": 3, "names": ["a"]}')
    async with running_app(home) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "61 lines")
        await press(pilot, "J")
        await until_shown(pilot, '"rows": 3,')
        await press(pilot, "k", "J")
        assert "holds no JSON object" in app.status.text
        await press(pilot, "m")
        await until_shown(pilot, "1 marked")
        await press(pilot, "V", "k", "k")
        await until_shown(pilot, "3 selected")
        choices = [choice.label for choice in app.runs_pane.log_panel.copy_choices()]
        assert choices == ["selection, 3 lines", "line", "line with time", "1 marked"]
        await press(pilot, "w")
        await until_shown(pilot, "wrapped")
        await press(pilot, "t")
        assert app.status.text.strip() == "Time column: elapsed."


@pytest.mark.asyncio
async def test_lines_of_subflow_runs_stand_among_those_of_the_run(home: SeededHome) -> None:
    """By time, with their run's name, while both grow; a key leaves them out."""
    parent = home.run("parent", state="Running")
    child = home.run("child-otter", "report", "Running", parent=parent)
    tell(home, parent, 0, "start")
    tell(home, child, 1, "from below")
    tell(home, parent, 2, "end")
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "start", "child-otter", "from below", "end", "+1 subflow run", "3 lines")
        rows = screen_text(pilot)
        assert rows.index("start") < rows.index("from below") < rows.index("  end")
        tell(home, child, 3, "more from below")
        later = home.run("late-crab", "report", "Running", parent=child)
        tell(home, later, 4, "from far below")
        await until_shown(pilot, "more from below", "from far below", "+2 subflow runs")
        await press(pilot, "s")
        await until_shown(pilot, "2 lines")
        assert "from below" not in screen_text(pilot)
        assert app.status.text.strip() == "Without subflow runs."
        await press(pilot, "s")
        await until_shown(pilot, "5 lines")


@pytest.mark.asyncio
async def test_the_lines_of_one_call(home: SeededHome) -> None:
    """As the tasks of a run lead there; esc shows all again."""
    run = home.run("one", state="Running", calls=[Call("a"), Call("b")])
    tell(home, run, 0, "of the flow")
    tell(home, run, 1, "of a", task=1)
    tell(home, run, 2, "of b", task=2)
    async with running_app(home) as (app, pilot):
        panel = app.runs_pane.log_panel
        await until_shown(pilot, "3 lines")
        panel.show_call(home.deck.task_runs.call_lines(run.key)[1])
        await until_shown(pilot, "only b-1", "1 of 3 lines", "of b")
        assert "of a" not in screen_text(pilot).replace("of all", "")
        assert panel.step_back()
        await until_shown(pilot, "of the flow", "of a", "of b")
        assert not panel.step_back()


@pytest.mark.asyncio
async def test_the_first_error_is_shown_once_the_log_is_there(home: SeededHome) -> None:
    """However early it is asked for."""
    run = full_log(home)
    home.set_state(run.key, "Failed")
    async with running_app(home) as (app, pilot):
        app.runs_pane.log_panel.show_first_error()
        await until_shown(pilot, "error 1 of 3", "line 7")
        view = app.runs_pane.log_panel.log_view
        assert view.current_line == 7
        assert view.page.palette[LogTone.CURSOR].bgcolor is not None


@pytest.mark.asyncio
async def test_save_writes_what_is_shown(home: SeededHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Into a new file; one that is there is kept, and both are said with the command that does the same."""
    run = full_log(home)
    monkeypatch.chdir(tmp_path)
    async with running_app(home, LARGE) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "60 lines")
        await press(pilot, "&", *"7$", "enter", "W", "enter")
        await until(pilot, lambda: "6 lines saved to" in app.status.text)
        saved = (tmp_path / "one.log").read_text().splitlines()
        assert [line.split()[-1] for line in saved] == ["7", "17", "27", "37", "47", "57"]
        assert f"flowdeck flow-run logs {run.id[-8:]} > one.log" in app.status.text or "one.log" in app.status.text
        await press(pilot, "W", "enter")
        await until(pilot, lambda: "one.log is there already" in app.status.text)
        await press(pilot, "W", "escape")
        assert "Nothing was saved." in app.status.text
        await press(pilot, "W", *["backspace"] * 7, *"no/such", "enter")
        await until(pilot, lambda: "no/such cannot be written: No such file or directory." in app.status.text)


@pytest.mark.asyncio
async def test_pager_and_stream_say_when_they_cannot(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, where there is no terminal to lend."""
    full_log(home)
    monkeypatch.setenv("PAGER", "less")
    async with running_app(home) as (app, pilot):
        await press(pilot, "l")
        await until_shown(pilot, "60 lines")
        await press(pilot, "o")
        assert "cannot be lent" in app.status.text
        await press(pilot, "S")
        assert "cannot be lent" in app.status.text
        monkeypatch.setenv("PAGER", "less '")
        await press(pilot, "o")
        assert "PAGER=less ' is no command" in app.status.text
