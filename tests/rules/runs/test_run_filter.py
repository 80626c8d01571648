"""The filter of runs: what it reads, and what it says of what it cannot read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flowdeck.rules.runs.run_filter import (
    KEYS,
    REGEX,
    TEXT,
    DurationBound,
    FilterError,
    Pattern,
    RunFilter,
    StateName,
    Term,
    of_flow,
    parse,
    written,
)
from flowdeck.rules.states import StateType
from flowdeck.rules.text.time_words import Moment

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def read(text: str) -> tuple[Term, ...]:
    return parse(text, NOW, UTC).terms


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("state:failed,crashed", Term("state", (StateType.FAILED, StateType.CRASHED))),
        ("STATE:Failed", Term("state", (StateType.FAILED,))),
        ("state:awaitingretry", Term("state", (StateName("AwaitingRetry"),))),
        ('state:"My own"', Term("state", (StateName("My own"),))),
        ("!state:completed", Term("state", (StateType.COMPLETED,), is_negated=True)),
        ("flow:etl,re*", Term("flow", (Pattern("etl"), Pattern("re*")))),
        ('flow:"a b,c*"', Term("flow", (Pattern("a b,c*", is_exact=True),))),
        (r'flow:"say \"x\""', Term("flow", (Pattern('say "x"', is_exact=True),))),
        ("since:24h", Term("since", (Moment(ago_seconds=86400.0),))),
        ("since:1h30m", Term("since", (Moment(ago_seconds=5400.0),))),
        ("since:2026-11-20", Term("since", (Moment(datetime(2026, 11, 20, tzinfo=UTC)),))),
        ("until:2026-11-20", Term("until", (Moment(datetime(2026, 11, 21, tzinfo=UTC)),))),
        ("until:yesterday", Term("until", (Moment(datetime(2026, 11, 22, tzinfo=UTC)),))),
        ("since:8:05", Term("since", (Moment(datetime(2026, 11, 22, 8, 5, tzinfo=UTC)),))),
        ("since:2026-11-20T08:00:00Z", Term("since", (Moment(datetime(2026, 11, 20, 8, tzinfo=UTC)),))),
        ("id:3F2A-b", Term("id", ("3f2a-b",))),
        ("parent:none", Term("parent", (Pattern("none"),))),
        ("duration:>5m", Term("duration", (DurationBound(">", 300.0),))),
        ("duration:<=250ms", Term("duration", (DurationBound("<=", 0.25),))),
        ('"a b: c"', Term(TEXT, ("a b: c",))),
        ("otter", Term(TEXT, ("otter",))),
        ("12:04", Term(TEXT, ("12:04",))),
        ("!otter", Term(TEXT, ("otter",), is_negated=True)),
        ('!"a b"', Term(TEXT, ("a b",), is_negated=True)),
        (r"/time ?out\/x/", Term(REGEX, ("time ?out/x",))),
        ("!/^a b$/", Term(REGEX, ("^a b$",), is_negated=True)),
    ],
)
def test_each_kind_of_term_is_read(text: str, term: Term) -> None:
    """Keys, commas, quotes, negation, text and regular expressions."""
    assert read(text) == (term,)


def test_terms_are_separated_by_blanks_outside_of_quotes_and_slashes() -> None:
    """All of them hold."""
    found = read(' state:failed  flow:"a b" /x y/ "p q"\tlast ')
    assert [term.key for term in found] == ["state", "flow", REGEX, TEXT, TEXT]
    assert parse("", NOW) == RunFilter()
    assert not parse("  ", NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat:failed", ["'stat:failed'", "Did you mean state?"]),
        ("http://x", ["there is not: http", "Keys are state, flow", "quotes"]),
        ("state:fialed", ["'state:fialed'", "no state: fialed", "Did you mean failed?"]),
        ("state:zzz", ["States are scheduled", 'state:"zzz"']),
        ("state:", ["'state:' needs a value: write state:failed,crashed."]),
        ("state:failed,", ["needs a value"]),
        ("flow:,etl", ["needs a value"]),
        ('flow:a"b"', ["quotes", "flow:etl"]),
        ('"abc', ["'\"abc'", "quotes"]),
        ('""', ["holds no text"]),
        ("since:soon", ["no time: soon", "24h"]),
        ("since:2026-13-40", ["no time: 2026-13-40"]),
        ("since:9999999999w", ["no time"]),
        ("until:25:00", ["no time: 25:00"]),
        ("duration:5m", ["'duration:5m'", "duration:>5m"]),
        ("duration:>long", ["duration:>5m"]),
        ("id:zz", ["4 or more characters"]),
        ("!", ["!text"]),
        ("/abc", ["'/abc'", "/ at both ends", "quotes"]),
        ("//", ["/ at both ends"]),
        ("/(/", ["'/(/' is no regular expression: missing )"]),
        ("/(a+)+$/", ["may take for ever"]),
    ],
)
def test_what_cannot_be_read_is_named_with_what_would_be_right(text: str, words: list[str]) -> None:
    """The token, and an example."""
    with pytest.raises(FilterError) as caught:
        parse(f"flow:etl {text}", NOW, UTC)
    for word in words:
        assert word in str(caught.value)


def test_a_time_ago_goes_on_with_the_clock() -> None:
    """A filter that is kept for hours still means the last 24."""
    (moment,) = read("since:24h")[0].values
    assert isinstance(moment, Moment)
    assert moment.resolve(NOW + timedelta(hours=5)) == NOW - timedelta(hours=19)


def test_times_are_those_of_the_one_who_types() -> None:
    """08:00 is local."""
    zone = timezone(timedelta(hours=2))
    (moment,) = parse("since:08:00", NOW, zone).terms[0].values
    assert isinstance(moment, Moment)
    assert moment.resolve(NOW) == datetime(2026, 11, 22, 6, tzinfo=UTC)


@pytest.mark.parametrize("name", ["etl", "a b", 'say "x"', "star*", "com,ma", "back\\slash", "ümlaut", "12:30"])
def test_the_filter_of_a_flow_can_be_typed(name: str) -> None:
    """What the Flows pane shows in the bar means the same when it is read again."""
    assert parse(of_flow(name).text, NOW) == of_flow(name)
    assert parse(f"flow:{written(name)}", NOW).terms == of_flow(name).terms


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_example_can_be_read(key: str) -> None:
    """What an error advises is right."""
    assert [term.key for term in read(KEYS[key])] == [key]
