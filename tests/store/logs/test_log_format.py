"""Whatever is logged comes back exactly, and the file stays one record after another."""

import random
from datetime import UTC, datetime

import pytest

from flowdeck.store.logs.log_format import PIECE_BYTES, ParsedRecord, format_record, parse_line, parse_records

AT = 1_795_361_153_123_456  # 2026-11-22T15:25:53.123456Z

NASTY = [
    "",
    "412 rows",
    "\n",
    "\n\n",
    "ends in a newline\n",
    "\nstarts with one",
    "a\n\nb",
    "2026-11-22T15:22:33.123456Z I logger 17:extract-0 | a head",
    "first\n2026-11-22T15:22:33.123456Z I logger - | second",
    "  | a continuation",
    "first\n  | second\n  + third\n  \\ fourth",
    "| + \\",
    "trailing mark |",
    "ends in a backslash \\",
    " spaces around ",
    "lone \r and \r\n pairs\r",
    "nul \x00, escape \x1b[31mred\x1b[0m, next line \x85, separators \u2028\u2029",
    "\x0b\x0c\x1c\x1d\x1e",
    "naïve 漢字 🙂 e\u0301",
    "\\udc80 written out",
    "x" * (PIECE_BYTES - 1),
    "x" * PIECE_BYTES,
    "x" * (PIECE_BYTES + 1),
    "é" * PIECE_BYTES,
    "a" + "🙂" * PIECE_BYTES,
    "short\n" + "y" * (3 * PIECE_BYTES) + "\n\nshort",
    ("z" * PIECE_BYTES + "\n") * 2,
]

NAMES = [
    "extract-0",
    "",
    "-",
    "two words",
    "a | b",
    "50% done",
    "%41",
    "tab\tnewline\nreturn\r",
    "\x00\x1b[31m",
    "漢字 é",
    "\xa0\u2028",
    "\ud800",
    "1:2:3",
]


def written(text: str, name: str | None = "extract-0") -> bytes:
    return format_record(AT, 20, "logger", None if name is None else 17, name, text)


def parsed(data: bytes) -> list[ParsedRecord]:
    assert data.endswith(b"\n")
    return list(parse_records(data[:-1].split(b"\n")))


def test_plain_record_reads_as_documented() -> None:
    """The line that people grep is the one that the format promises."""
    assert written("412 rows") == b"2026-11-22T15:25:53.123456Z I logger 17:extract-0 | 412 rows\n"
    assert format_record(AT, 30, "engine", None, None, "x") == b"2026-11-22T15:25:53.123456Z W engine - | x\n"


def test_lines_of_one_record_are_marked() -> None:
    """Every line but the last says that more follows."""
    lines = written("Traceback:\n  File\nValueError").splitlines()
    assert [lines[0][-12:], *lines[1:]] == [b"+ Traceback:", b"  +   File", b"  | ValueError"]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_comes_back(text: str) -> None:
    """Between two other records the text is the same, character by character."""
    before, record, after = parsed(written("before") + written(text) + written("after"))
    assert (before.text, record.text, after.text) == ("before", text, "after")
    assert record.whole
    assert record.head.at == datetime(2026, 11, 22, 15, 25, 53, 123456, UTC)


def test_random_texts_come_back() -> None:
    """Many texts of the characters that matter, in one file."""
    source = random.Random(2026)
    alphabet = [
        "\n",
        "\n",
        " ",
        "|",
        "+",
        "\\",
        "2",
        "2026-11-22T15:22:33.123456Z I print - | ",
        "\r",
        "\x00",
        "é",
        "  | ",
    ]
    texts = ["".join(source.choices(alphabet, k=source.randrange(12))) for _ in range(2000)]
    texts += ["".join(source.choices(["漢" * 30_000, "\n", "a", "🙂"], k=6)) for _ in range(10)]
    assert [record.text for record in parsed(b"".join(map(written, texts)))] == texts


def test_no_line_is_longer_than_a_piece() -> None:
    """A reader of lines needs memory for a piece, not for the text; and a piece ends between characters."""
    for line in written("a" + "🙂" * 100_000).split(b"\n"):
        assert len(line) <= PIECE_BYTES + 100
        line.decode()


def test_surrogates_are_written_as_escapes() -> None:
    """What no file can hold is readable, not an error."""
    (record,) = parsed(written("bad \udc80 byte"))
    assert record.text == "bad \\udc80 byte"


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_task_name_comes_back(name: str) -> None:
    """Names with spaces and stranger things do not break the head."""
    data = written("text", name)
    assert data.count(b" ") == 5
    line = parse_line(data[:-1])
    assert (line.task_number, line.task_name, line.text) == (17, name, "text")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "DEBUG"),
        (19, "DEBUG"),
        (20, "INFO"),
        (25, "INFO"),
        (30, "WARNING"),
        (40, "ERROR"),
        (50, "CRITICAL"),
        (99, "CRITICAL"),
    ],
)
def test_levels(number: int, name: str) -> None:
    """A level between two known ones counts as the lower."""
    assert parse_line(format_record(AT, number, "print", None, None, "x")[:-1]).level == name


@pytest.mark.parametrize("at", [0, -1, AT, 32_503_680_000_000_000])
def test_every_head_starts_with_the_same_byte(at: int) -> None:
    """A clock that is far off does not make records uncountable."""
    data = format_record(at, 20, "print", None, None, "x")
    assert data.startswith(b"2")
    assert parse_line(data[:-1]).at is not None


def test_record_cut_short_is_told() -> None:
    """A reader sees that the rest of a record is missing, and reads on behind it."""
    data = written("one\ntwo\nthree")
    two_lines = data[: data.index(b"three") - len("  | ")]
    assert [(record.text, record.whole) for record in parsed(two_lines)] == [("one\ntwo", False)]
    torn, after = parsed(two_lines + written("after"))
    assert (torn.whole, after.text, after.whole) == (False, "after", True)


def test_damaged_head_is_kept_as_text() -> None:
    """Bytes of a writer that was killed inside of a head are shown as they are."""
    torn, after = parsed(b"2026-11-22T15\n\n" + written("after"))
    assert (torn.text, torn.head.at, after.text) == ("2026-11-22T15", None, "after")
    assert parse_line(b"2026-99-99T99:99:99.123456Z I print - | x").at is None


def test_continuation_lines_carry_only_text() -> None:
    """A line below a head has no time or level of its own."""
    line = parse_line(b"  |   indented")
    assert (line.text, line.head, line.at, line.level) == ("  indented", False, None, "")
