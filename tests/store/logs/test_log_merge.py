"""The logs of a run and of its subflow runs read as one, in order of time, while they grow."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from flowdeck.store.logs import log_merge
from flowdeck.store.logs.log_format import format_record
from flowdeck.store.logs.log_lines import LineQuery
from flowdeck.store.logs.log_merge import LogPart, MergedLog
from flowdeck.store.logs.log_reader import LogReader

AT = 1_795_361_153_000_000
LATE = AT + 10**12


class Family:
    """A run and its subflow runs, whose logs are written by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[LogPart] = []
        self.now = LATE
        self.begin("")

    def begin(self, name: str) -> None:
        self.parts.append(LogPart(LogReader(self.path(name)), name))

    def path(self, name: str) -> Path:
        return self.folder / f"{name or 'root'}.log"

    def say(self, name: str, at: int, text: str, level: int = 20) -> None:
        with self.path(name).open("ab") as file:
            file.write(format_record(AT + at, level, "logger", None, None, text))

    def log(self) -> MergedLog:
        return MergedLog(lambda: list(self.parts), lambda: self.now)


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return Family(tmp_path)


def texts(log: MergedLog) -> list[str]:
    return [f"{line.run_name}{':' if line.run_name else ''}{line.text}" for line in log.lines(0, log.count)]


def test_lines_stand_in_order_of_time_and_say_their_run(family: Family) -> None:
    """Records stay whole; the run whose log it is has no label."""
    family.begin("otter")
    family.begin("crab")
    family.say("", 0, "start")
    family.say("otter", 2, "load\n  more")
    family.say("crab", 1, "check")
    family.say("", 3, "end")
    log = family.log()
    assert log.refresh()
    assert texts(log) == ["start", "crab:check", "otter:load", "  more", "end"]
    assert not log.refresh()
    assert log.run_count == 3


def test_a_run_without_subflow_runs_is_its_own_log(family: Family) -> None:
    """Whatever its clock said."""
    for at in (5, 1, 3):
        family.say("", at, str(at))
    log = family.log()
    log.refresh()
    assert texts(log) == ["5", "1", "3"]


@pytest.mark.parametrize("seed", range(6))
def test_any_mix_is_what_sorting_gives_however_it_came(
    family: Family, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stretches, leaps and single lines; read at once or as it grew; any range; any text."""
    monkeypatch.setattr(log_merge, "_STAMPED_LINES", 7)
    monkeypatch.setattr(log_merge, "OPEN_FILES_MOST", 2)
    chance = random.Random(seed)
    names = ["", *(f"run-{number}" for number in range(chance.choice([1, 4])))]
    for name in names[1:]:
        family.begin(name)
    growing = family.log()
    expected: list[str] = []
    name = ""
    for number in range(900):
        name = chance.choice(names) if chance.random() < (0.02 if number < 500 else 0.7) else name
        more = chance.random() < 0.1
        family.say(name, number, f"line {number}\n  more {number}" if more else f"line {number}")
        expected += [f"{name}:line {number}" if name else f"line {number}", *([f"  more {number}"] * more)]
        if chance.random() < 0.05:
            growing.refresh()
    growing.refresh()
    at_once = family.log()
    at_once.refresh()
    for log in (growing, at_once):
        assert texts(log) == expected
        for _ in range(40):
            first = chance.randrange(len(expected))
            stop = first + chance.randrange(90)
            shown = [line.text for line in log.lines(first, stop)]
            assert shown == [line.rpartition(":")[2] for line in expected[first:stop]]
            within = enumerate(expected[first:stop], first)
            hits = [index for index, line in within if "7" in line.rpartition(":")[2]]
            assert log.search(LineQuery("7"), first, stop) == hits
    assert [line.text for line in at_once.tail(30)] == [line.rpartition(":")[2] for line in expected[-30:]]


def test_what_is_written_while_files_are_looked_at_waits_for_its_place(family: Family) -> None:
    """A line that is later than the look would stand before one that another file has not shown yet."""
    family.begin("otter")
    log = family.log()
    family.now = AT + 10
    family.say("otter", 11, "later")
    family.say("", 5, "earlier")
    log.refresh()
    assert texts(log) == ["earlier"]
    family.say("", 9, "in between")
    log.refresh()
    assert texts(log) == ["earlier", "in between", "otter:later"]


def test_a_clock_that_was_set_back_delays_a_line_by_one_look(family: Family) -> None:
    """And never for longer."""
    family.begin("otter")
    log = family.log()
    family.now = AT
    family.say("otter", 10**9, "of the future")
    log.refresh()
    log.refresh()
    assert texts(log) == ["otter:of the future"]


def test_a_run_that_begins_later_joins_without_moving_a_line(family: Family) -> None:
    """Numbers of lines stay what they are."""
    log = family.log()
    family.say("", 0, "a")
    log.refresh()
    family.begin("otter")
    family.say("otter", 1, "b")
    family.say("", 2, "c")
    assert log.refresh()
    assert (texts(log), log.generation) == (["a", "otter:b", "c"], 0)


def test_a_file_that_is_replaced_makes_numbers_void(family: Family) -> None:
    """As for a single log."""
    family.begin("otter")
    family.say("", 0, "a")
    family.say("otter", 1, "b")
    log = family.log()
    log.refresh()
    os.unlink(family.path("otter"))
    family.say("otter", 2, "fresh")
    assert log.refresh()
    assert (texts(log), log.generation) == (["a", "otter:fresh"], 1)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc")
def test_more_runs_than_files_may_be_open(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are read; only so many stay open."""
    monkeypatch.setattr(log_merge, "OPEN_FILES_MOST", 3)
    for number in range(20):
        family.begin(f"run-{number}")
        family.say(f"run-{number}", number, "here")
    log = family.log()
    log.refresh()
    assert len(texts(log)) == 20
    paths = {os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_open(number)}
    assert len([path for path in paths if path.startswith(str(family.folder))]) <= 3


def _is_open(number: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{number}")
