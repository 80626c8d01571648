"""The filter of runs: `state:failed flow:etl since:24h "text" !x /regex/`. Parsed here, executed by the store. Pure.

Terms are separated by blanks, and all of them hold. A comma separates values of which one holds; `!` turns a term
round. A `*` in a value stands for any text; in quotes it is a star.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.runs.ids import MINIMUM_FRAGMENT_LENGTH, is_run_reference_fragment
from flowdeck.rules.states import NAMES, StateType
from flowdeck.rules.text import patterns, time_words
from flowdeck.rules.text.near_names import did_you_mean
from flowdeck.rules.text.time_words import Moment

TEXT, REGEX = "text", "regex"
NONE, ANY = "none", "any"
"""Values of `parent:` and `deployment:` that name no one."""

KEYS: Final[Mapping[str, str]] = {
    "state": "state:failed,crashed",
    "flow": "flow:etl",
    "since": "since:24h",
    "until": "until:2026-11-22",
    "tag": "tag:nightly",
    "name": "name:*otter",
    "id": "id:3f2a",
    "deployment": "deployment:hourly",
    "parent": "parent:none",
    "duration": "duration:>5m",
}
"""The keys of terms, each with an example."""


class FilterError(UsageError):
    """A filter cannot be understood; the text names the token and what would be right."""

    def __init__(self, token: str, problem: str) -> None:
        super().__init__(f"'{token}' {problem}")
        self.token = token


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text that a field has to be; with `is_exact` a star is a star."""

    text: str
    is_exact: bool = False

    @property
    def has_wildcard(self) -> bool:
        """Whether it stands for more than one text."""
        return "*" in self.text and not self.is_exact


@dataclass(frozen=True, slots=True)
class DurationBound:
    """A run takes longer, or less long, than so many seconds."""

    sign: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StateName:
    """A name that refines types of states, such as AwaitingRetry, or that an author gave."""

    name: str


Value = str | Pattern | StateType | StateName | Moment | DurationBound


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Attributes:
        key: a key of `KEYS`, or `TEXT`, or `REGEX`.
        values: one of them holds.
        is_negated: none of them holds.
    """

    key: str
    values: tuple[Value, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Conditions that all hold; empty for all runs.

    Attributes:
        terms: the conditions.
        text: as it was typed, without blanks around it.
    """

    terms: tuple[Term, ...] = ()
    text: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def has(self, key: str) -> bool:
        """Tell whether a term of this key is there."""
        return any(term.key == key for term in self.terms)


EVERYTHING: Final = RunFilter()


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the reading of values needs beside them."""

    now: datetime
    zone: tzinfo | None


_TOKEN: Final = re.compile(
    r'!?(?:/(?:[^/\\]|\\.)*/(?=\s|\Z)|(?:"(?:[^"\\]|\\.)*"|[^\s"])+|"[^\n]*)',
)
_KEYED: Final = re.compile(r"(?P<key>[A-Za-z][A-Za-z_-]*):(?P<rest>.*)", re.DOTALL)
_VALUE: Final = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",]+)')
_BOUND: Final = re.compile(r"(?P<sign>>=|<=|>|<)(?P<rest>.+)")


def parse(text: str, now: datetime, zone: tzinfo | None = None) -> RunFilter:
    """Read a filter.

    Args:
        text: as typed.
        now: aware; decides what `today` and `08:00` mean.
        zone: time zone of the one who types; None for that of the machine.

    Raises:
        FilterError: it cannot be understood.
    """
    reader = _Reader(now, zone)
    return RunFilter(tuple(_term(token, reader) for token in tokens(text)), text.strip())


def tokens(text: str) -> Iterator[str]:
    """Split a filter at the blanks that lie outside of quotes and of `/…/`."""
    return (match[0] for match in _TOKEN.finditer(text))


def in_states(*types: StateType) -> RunFilter:
    """Return the filter that keeps runs in a state of one of these types."""
    return RunFilter((Term("state", types),), f"state:{','.join(types).lower()}")


def of_flow(name: str) -> RunFilter:
    """Return the filter that keeps the runs of one flow."""
    return RunFilter((Term("flow", (Pattern(name, is_exact=not _is_plain(name)),)),), f"flow:{written(name)}")


def both(one: RunFilter, other: RunFilter) -> RunFilter:
    """Return the filter that keeps what both keep."""
    return RunFilter((*one.terms, *other.terms), f"{one.text} {other.text}".strip())


def named(wanted: RunFilter, key: str) -> list[str]:
    """List the texts that the terms of a key ask for, without those that stand for several."""
    values = [value for term in wanted.terms if term.key == key and not term.is_negated for value in term.values]
    return [value.text for value in values if isinstance(value, Pattern) and not value.has_wildcard]


def written(value: str) -> str:
    """Write a value so that it is read as it stands: in quotes if need be."""
    if _is_plain(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(value: str) -> bool:
    return bool(value) and not any(char.isspace() or char in '",*\\' for char in value)


def _term(token: str, reader: _Reader) -> Term:
    is_negated = token.startswith("!")
    body = token[1:] if is_negated else token
    if not body:
        raise FilterError(token, "turns nothing round: write !text or !state:failed.")
    if body.startswith("/"):
        return Term(REGEX, (_regex(token, body),), is_negated)
    if body.startswith('"'):
        return Term(TEXT, (_quoted_text(token, body),), is_negated)
    keyed = _KEYED.fullmatch(body)
    if keyed is None:
        return Term(TEXT, (body,), is_negated)
    key = keyed["key"].lower()
    if key not in KEYS:
        hint = did_you_mean(key, KEYS) or f" Keys are {', '.join(KEYS)}."
        raise FilterError(token, f"has a key that there is not: {key}.{hint} Text with a colon goes in quotes.")
    values = tuple(_READERS[key](token, value, reader) for value in _values(token, key, keyed["rest"]))
    return Term(key, values, is_negated)


def _regex(token: str, body: str) -> str:
    if len(body) < 3 or not body.endswith("/"):
        raise FilterError(
            token, f"is no regular expression with a / at both ends; text goes in quotes: {written(body)}."
        )
    pattern = body[1:-1].replace("\\/", "/")
    try:
        patterns.compiled(pattern)
    except ValueError as error:
        raise FilterError(token, f"{error}.") from None
    return pattern


def _quoted_text(token: str, body: str) -> str:
    quoted = _VALUE.fullmatch(body)
    if quoted is None:
        raise FilterError(token, 'has quotes that do not go round the whole: write "some text".')
    if not quoted["quoted"]:
        raise FilterError(token, 'holds no text: write "some text".')
    return _unescaped(quoted["quoted"])


def _values(token: str, key: str, text: str) -> list[Pattern]:
    """Split the values of a term at its commas."""
    found: list[Pattern] = []
    at = 0
    while True:
        piece = _VALUE.match(text, at)
        if piece is None or (piece.end() < len(text) and text[piece.end()] != ","):
            problem = "needs a value" if piece is None else "has quotes that do not go round a whole value"
            raise FilterError(token, f"{problem}: write {KEYS[key]}.")
        quoted = piece["quoted"]
        found.append(Pattern(piece["plain"]) if quoted is None else Pattern(_unescaped(quoted), is_exact=True))
        if piece.end() == len(text):
            return found
        at = piece.end() + 1


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


# -- values of each key ------------------------------------------------------------------------------------------------


def _state(token: str, value: Pattern, reader: _Reader) -> Value:
    del reader
    if value.is_exact:
        return StateName(value.text)
    word = value.text.lower()
    types = {state_type.value.lower(): state_type for state_type in StateType}
    names = {name.lower(): name for name in NAMES}
    if word in types:
        return types[word]
    if word in names:
        return StateName(names[word])
    hint = did_you_mean(word, [*types, *names]) or f" States are {', '.join(types)}."
    raise FilterError(
        token, f'names no state: {value.text}.{hint} One of your own goes in quotes: state:"{value.text}".'
    )


def _pattern(token: str, value: Pattern, reader: _Reader) -> Value:
    del token, reader
    return value


def _moment(token: str, value: Pattern, reader: _Reader) -> Value:
    is_end = token.lstrip("!").lower().startswith("until")
    found = time_words.moment(value.text, reader.now, reader.zone, is_end=is_end)
    if found is None:
        raise FilterError(
            token, f"holds no time: {value.text}. Write 30m, 24h, 7d, 2026-11-22, 2026-11-22T08:00, 08:00 or yesterday."
        )
    return found


def _id(token: str, value: Pattern, reader: _Reader) -> Value:
    del reader
    if not is_run_reference_fragment(value.text):
        raise FilterError(
            token, f"holds no id: {value.text}. Write {MINIMUM_FRAGMENT_LENGTH} or more characters of its start or end."
        )
    return value.text.lower()


def _duration(token: str, value: Pattern, reader: _Reader) -> Value:
    del reader
    bound = _BOUND.fullmatch(value.text)
    seconds = time_words.duration_seconds(bound["rest"]) if bound else None
    if bound is None or seconds is None:
        raise FilterError(token, f"holds no bound of a duration: {value.text}. Write duration:>5m or duration:<=1.5s.")
    return DurationBound(bound["sign"], seconds)


_READERS: Final[Mapping[str, Callable[[str, Pattern, _Reader], Value]]] = {
    "state": _state,
    "flow": _pattern,
    "since": _moment,
    "until": _moment,
    "tag": _pattern,
    "name": _pattern,
    "id": _id,
    "deployment": _pattern,
    "parent": _pattern,
    "duration": _duration,
}
