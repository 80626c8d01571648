"""Any line of a growing log is found, by number, by record and by text."""

import os
import random
import re
from pathlib import Path

import pytest

from flowdeck.rules.exceptions import StoreError
from flowdeck.store.logs.log_format import format_record
from flowdeck.store.logs.log_lines import LineQuery, LogLine
from flowdeck.store.logs.log_reader import LogReader

AT = 1_795_361_153_123_456
SEED = 11


def record(text: str, level: int = 20, number: int | None = 3, seconds: int = 0) -> bytes:
    return format_record(AT + seconds * 1_000_000, level, "logger", number, "load-0", text)


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def make_messages(count: int) -> list[str]:
    """Texts of all shapes, in all more than a few index blocks."""
    source = random.Random(SEED)
    shapes = [
        "plain {n}",
        "two\nlines {n}",
        "",
        "\n",
        "long " + "x" * 3000 + " {n}",
        "trace\n" + "  at\n" * 20 + "end {n}",
    ]
    made = [source.choice(shapes).format(n=number) for number in range(count)]
    made[count // 2] = "huge " + "y" * 300_000
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_no_file_yet(path: Path) -> None:
    """A run that has logged nothing has an empty log, and its first line is noticed."""
    reader = LogReader(path)
    assert not reader.refresh()
    assert (reader.exists, reader.count, reader.lines(0, 10), reader.tail(5)) == (False, 0, [], [])
    assert list(reader.records()) == []
    assert reader.count_levels() == (0, 0)
    add(path, record("first"))
    assert reader.refresh()
    assert (reader.exists, reader.count, reader.generation) == (True, 1, 0)
    assert texts(reader.lines(0, 10)) == ["first"]


def test_growth_is_seen_line_by_line(path: Path) -> None:
    """New lines are there after a refresh, and only complete ones."""
    reader = LogReader(path)
    add(path, record("one"))
    assert reader.refresh()
    assert not reader.refresh()
    half = record("two")
    add(path, half[:30])
    assert not reader.refresh()
    assert reader.count == 1
    assert texts(reader.tail(5)) == ["one"]
    add(path, half[30:] + record("three\nfour")[:-1])
    assert reader.refresh()
    assert texts(reader.lines(0, 9)) == ["one", "two", "three"]
    add(path, b"\n")
    assert reader.refresh()
    assert texts(reader.lines(2, 9)) == ["three", "four"]


def test_every_range_of_a_large_file(path: Path) -> None:
    """Reads across index blocks give what the file holds, however the reader learned of it."""
    data = b"".join(record(text) for text in make_messages(2000))
    plain = data.split(b"\n")[:-1]
    source = random.Random(SEED)
    growing = LogReader(path)
    start = 0
    while start < len(data):
        stop = min(len(data), start + source.choice([1, 100, 65_536, 65_535, 300_000]))
        add(path, data[start:stop])
        growing.refresh()
        start = stop
    at_once = LogReader(path)
    at_once.refresh()
    for reader in (growing, at_once):
        assert reader.count == len(plain)
        for _ in range(300):
            first = source.randrange(len(plain))
            stop = first + source.randrange(60)
            assert [line.text.encode() for line in reader.lines(first, stop)] == [
                re.sub(rb"^(2\S+ . \S+ \S+|  ?) . ", b"", line, count=1) for line in plain[first:stop]
            ]


def test_starts_at_block_borders(path: Path) -> None:
    """A line or record that starts exactly where an index block does is found as any other."""
    around = len(record(""))
    for border in range(65_530, 65_543):
        path.unlink(missing_ok=True)
        add(path, record("x" * (border - around)) + record("second") + record("third\nfourth"))
        assert path.read_bytes().index(b"second") == border + around - 1
        reader = LogReader(path)
        reader.refresh()
        assert texts(reader.lines(1, 4)) == ["second", "third", "fourth"]
        assert [found.message for found in reader.records(1)] == ["second", "third\nfourth"]


def test_tail_needs_no_index(path: Path) -> None:
    """The last lines are those that a full read ends with."""
    add(path, b"".join(record(text) for text in make_messages(500)))
    reader = LogReader(path)
    fresh = LogReader(path)
    reader.refresh()
    for count in (0, 1, 40, 3000, reader.count, reader.count + 5):
        assert fresh.tail(count) == reader.lines(max(0, reader.count - count), reader.count)
    assert fresh.count == 0


def test_records_are_numbered_and_complete(path: Path) -> None:
    """Records come with their number, their task run and their exact text, from any number on."""
    messages = make_messages(1500)
    add(path, b"".join(record(text, seconds=number) for number, text in enumerate(messages)))
    reader = LogReader(path, "run-id", 700)
    found = list(reader.records())
    assert [entry.message for entry in found] == messages
    assert [entry.seq for entry in found] == list(range(1, 1501))
    assert {(entry.flow_run_id, entry.task_run_id, entry.task_name, entry.source, entry.level) for entry in found} == {
        ("run-id", 703, "load-0", "logger", "INFO")
    }
    for after in (1, 750, 751, 1499, 1500, 9999):
        assert list(reader.records(after)) == found[after:]


def test_record_of_the_flow_has_no_task_run(path: Path) -> None:
    """The flow itself is not a task."""
    add(path, record("x", number=None))
    (found,) = LogReader(path, "run-id", 700).records()
    assert (found.task_run_id, found.task_name) == (None, None)


def test_record_in_the_making_is_held_back(path: Path) -> None:
    """Who follows a log gets a record of several lines whole, or not yet; at the end of the run what there is of it."""
    whole = record("one\ntwo\nthree")
    cut = whole.index(b"  | three")
    add(path, record("before") + whole[:cut])
    reader = LogReader(path)
    assert [entry.message for entry in reader.records()] == ["before"]
    assert [entry.message for entry in reader.records(1)] == []
    assert [entry.message for entry in reader.records(1, run_is_over=True)] == ["one\ntwo"]
    add(path, whole[cut:-1])
    assert [entry.message for entry in reader.records(1, run_is_over=True)] == ["one\ntwo\nthree"]
    add(path, b"\n")
    assert [(entry.seq, entry.message) for entry in reader.records(1)] == [(2, "one\ntwo\nthree")]


def test_damaged_head_does_not_stop_the_reader(path: Path) -> None:
    """Half a head, closed by another writer, is a record of its own with a time nearby."""
    add(path, record("before") + b"2026-11-2\n" + record("after", seconds=1))
    reader = LogReader(path)
    before, damaged, after = reader.records()
    assert (damaged.seq, damaged.message, damaged.at, damaged.source) == (2, "2026-11-2", before.at, "engine")
    assert list(reader.records(2)) == [after]


@pytest.mark.parametrize("how", ["replaced", "cut"])
def test_another_file_in_its_place(path: Path, how: str) -> None:
    """A file that is not a continuation of what was read voids what was read."""
    add(path, record("old one") + record("old two"))
    reader = LogReader(path)
    reader.refresh()
    if how == "replaced":
        os.rename(path, path.with_suffix(".old"))
        add(path, record("new") * 5)
    else:
        os.truncate(path, 0)
        add(path, record("new"))
    assert reader.refresh()
    assert reader.generation == 1
    assert set(texts(reader.lines(0, 9))) == {"new"}
    assert not reader.refresh()


def test_file_removed(path: Path) -> None:
    """A deleted log is an empty one, and may come again."""
    add(path, record("old"))
    reader = LogReader(path)
    reader.refresh()
    path.unlink()
    assert reader.refresh()
    assert (reader.exists, reader.count, reader.generation) == (False, 0, 1)
    add(path, record("new"))
    assert reader.refresh()
    assert (texts(reader.lines(0, 9)), reader.generation) == (["new"], 1)


def test_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    """What stands in the way is named."""
    reader = LogReader(tmp_path / "file" / "run.log")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"run\.log cannot be read: Not a directory\."):
        reader.refresh()


def test_closed_reader_opens_again(path: Path) -> None:
    """Closing gives the file back, and loses nothing."""
    add(path, record("one"))
    reader = LogReader(path)
    reader.refresh()
    reader.close()
    assert texts(reader.lines(0, 1)) == ["one"]
    reader.close()
    add(path, record("two"))
    assert reader.refresh()
    assert (texts(reader.lines(0, 9)), reader.generation) == (["one", "two"], 0)
    reader.close()
    path.unlink()
    add(path, record("x"))
    assert reader.lines(0, 9) == []


def test_count_levels(path: Path) -> None:
    """Levels are counted by heads, not by what texts look like."""
    fake = "2026-11-22T15:22:33.123456Z E logger - | fake"
    for _ in range(400):
        add(path, record("w", 30) + record("e" * 2000, 40) + record("c", 50) + record(fake) + record(f"\n{fake}"))
        add(path, record("\n" + "x" * 22 + "Z E same place, no head"))
    assert LogReader(path).count_levels() == (400, 800)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("error", [0, 2, 5, 6]),
        ("ERROR", [2]),
        ("load-0", []),
        ("2026", []),
        ("größe", [4]),
        ("Error: no", [0]),
        ("split error", [6]),
        ("", [0, 1, 2, 3, 4, 5, 6]),
        (re.compile(r"^\s+at"), [1]),
        (re.compile(r"\d+$"), [3]),
    ],
)
def test_search(path: Path, pattern: str | re.Pattern[str], matches: list[int]) -> None:
    """The text of lines is searched as it is shown; small letters find capital ones, not the other way round."""
    add(path, record("Error: none\n  at x") + record("ERROR") + record("rows 12"))
    add(path, record("die GRÖSSE, Größe") + record("some error") + record("spl\x1b[1mit error"))
    reader = LogReader(path)
    reader.refresh()
    assert reader.search(LineQuery(pattern), 0, reader.count) == matches
    assert reader.search(LineQuery(pattern), 1, 3) == [index for index in matches if 1 <= index < 3]


def test_search_of_a_large_file_finds_what_a_plain_read_finds(path: Path) -> None:
    """Both ways of searching agree over many blocks."""
    add(path, b"".join(record(text) for text in make_messages(2000)))
    reader = LogReader(path)
    reader.refresh()
    expected = [index for index, line in enumerate(reader.lines(0, reader.count)) if "d 1" in line.text]
    assert reader.search(LineQuery("d 1"), 0, reader.count) == expected
    assert reader.search(LineQuery(re.compile("d 1")), 0, reader.count) == expected


def test_search_by_level_takes_records_as_wholes(path: Path) -> None:
    """Lines that go on with a record have its level, wherever the search begins; a damaged head has any."""
    add(path, record("info\n  more") + record("bad\n  at x\n  at y", 40) + record("warn", 30) + b"2026-damaged\n")
    add(path, record("worst\n  at z", 50) + record("debug", 10))
    reader = LogReader(path)
    reader.refresh()
    for first in range(reader.count):
        wanted = [index for index in (2, 3, 4, 5, 6, 7, 8) if index >= first]
        assert reader.search(LineQuery(least_level="WARNING"), first, reader.count) == wanted
    assert reader.search(LineQuery(least_level="ERROR"), 0, 99) == [2, 3, 4, 6, 7, 8]
    assert reader.search(LineQuery("at", "ERROR"), 0, 99) == [3, 4, 8]
    assert reader.search(LineQuery(least_level="ERROR", heads_only=True), 0, 99) == [2, 7]
    assert reader.search(LineQuery(least_level="DEBUG"), 0, 99) == list(range(10))


def test_level_of_a_record_longer_than_a_block(path: Path) -> None:
    """Its head may be many blocks before the line that is looked at."""
    add(path, record("plain") + record("bad\n" + "\n".join("x" * 999 for _ in range(200)), 40))
    reader = LogReader(path)
    reader.refresh()
    assert reader.search(LineQuery(least_level="ERROR"), 190, 193) == [190, 191, 192]
    assert reader.search(LineQuery(least_level="CRITICAL"), 190, 193) == []


def test_records_are_counted_without_reading_them_one_by_one(path: Path) -> None:
    """So that the last ones can be asked for."""
    reader = LogReader(path)
    assert reader.record_count == 0
    messages = make_messages(700)
    add(path, b"".join(record(text) for text in messages))
    reader.refresh()
    assert reader.record_count == 700
    assert [found.message for found in reader.records(reader.record_count - 3)] == messages[-3:]


def test_search_for_the_records_of_one_task_call(path: Path) -> None:
    """With the lines that go on with them; never those of a number that begins alike, nor of another run."""
    add(path, record("a\n  b", number=1) + record("c", number=12) + record("d", number=None) + record("e", number=1))
    add(path, record("f", 40, number=1))
    reader = LogReader(path, "run-id", 700)
    reader.refresh()
    assert reader.search(LineQuery(task_run_id=701), 0, 9) == [0, 1, 4, 5]
    assert reader.search(LineQuery(task_run_id=701), 1, 9) == [1, 4, 5]
    assert reader.search(LineQuery("e", task_run_id=701), 0, 9) == [4]
    assert reader.search(LineQuery(least_level="ERROR", task_run_id=701), 0, 9) == [5]
    assert reader.search(LineQuery(task_run_id=1), 0, 9) == []
