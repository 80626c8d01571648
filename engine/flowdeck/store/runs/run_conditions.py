"""The filter of runs as SQL conditions."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND, to_microseconds
from flowdeck.rules.runs import run_filter
from flowdeck.rules.runs.ids import is_run_reference_fragment
from flowdeck.rules.runs.run_filter import DurationBound, Pattern, RunFilter, StateName, Term
from flowdeck.rules.runs.run_order import RANKS
from flowdeck.rules.states import StateType
from flowdeck.rules.text import patterns
from flowdeck.rules.text.time_words import Moment
from flowdeck.store.database.index_expressions import BY_STATE, MOMENT
from flowdeck.store.database.sqlite import Connection

TEXT_LENGTH: Final = 300
"""Characters of a field that a regular expression sees: it bounds how long one run can take."""

_TEXT: Final = "lower(name || ' ' || flow_name || ' ' || id || ' ' || tags || ' ' || coalesce(state_message, ''))"
_FIELDS: Final = " || char(10) || ".join(
    f"substr({column}, 1, {TEXT_LENGTH})"
    for column in ("name", "flow_name", "id", "tags", "coalesce(state_message, '')")
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a row has to fulfil: SQL with its values; and the keys between which such rows lie."""

    sql: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    first_key: int | None = None

    @property
    def where(self) -> str:
        """The conditions as they follow other ones; empty when there are none."""
        return "".join(f" AND {condition}" for condition in self.sql)


Part = tuple[str, Sequence[Any]]


def of_filter(connection: Connection, wanted: RunFilter, now: datetime) -> Conditions:
    """Write a filter as SQL.

    Args:
        connection: a connection for reading, for what the filter names and for its regular expressions.
        wanted: the filter.
        now: the time from which `24h` counts back.
    """
    sql: list[str] = []
    values: list[Any] = []
    first_key: int | None = None
    for term in wanted.terms:
        if term.key == run_filter.REGEX:
            connection.create_function("matches_pattern", 2, _matches, deterministic=True)
        condition, its_values = _WRITERS[term.key](connection, term, now)
        sql.append(f"NOT ifnull(({condition}), 0)" if term.is_negated else f"({condition})")
        values.extend(its_values)
        if term.key == "since" and not term.is_negated:
            oldest = min(_moments(term, now))
            # The plus keeps SQLite from looking for the lowest key by going through all rows from the oldest on.
            query = f"SELECT min(+key) FROM flow_run WHERE {MOMENT} >= ?"
            found = connection.execute(query, (oldest,)).fetchone()[0]
            first_key = max(first_key or 0, _BEHIND_ALL if found is None else found)
    return Conditions(tuple(sql), tuple(values), first_key)


_BEHIND_ALL: Final = (1 << 63) - 1


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@functools.lru_cache(maxsize=16)
def _compiled(pattern: str) -> re.Pattern[str]:
    return patterns.compiled(pattern)


def _any_of(parts: Sequence[Part]) -> Part:
    return " OR ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


def _like(column: str, values: Sequence[Any]) -> Part:
    """Write that a column is one of some patterns."""
    found = [value for value in values if isinstance(value, Pattern)]
    exact = [value.text for value in found if not value.has_wildcard]
    parts: list[Part] = [(f"{column} LIKE ? ESCAPE '\\'", [_wildcards(one.text)]) for one in found if one.has_wildcard]
    if exact:
        parts.append((f"{column} IN ({', '.join('?' * len(exact))})", exact))
    return _any_of(parts)


def escaped(text: str) -> str:
    """Write text for a LIKE with a backslash as ESCAPE, so that it means itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _wildcards(text: str) -> str:
    return escaped(text).replace("*", "%")


# -- each key ----------------------------------------------------------------------------------------------------------


def _state(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    ranks = [str(RANKS[value]) for value in term.values if isinstance(value, StateType)]
    names = [value.name.lower() for value in term.values if isinstance(value, StateName)]
    parts: list[Part] = [(f"{BY_STATE} IN ({', '.join(ranks)})", [])] if ranks else []
    if names:
        parts.append((f"lower(state_name) IN ({', '.join('?' * len(names))})", names))
    return _any_of(parts)


def _flow(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    # A function is known by its own name too, as everywhere.
    names = [value for value in term.values if isinstance(value, Pattern) and "_" in value.text]
    values = [*term.values, *(Pattern(name.text.replace("_", "-"), name.is_exact) for name in names)]
    return _like("flow_name", values)


def _name(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    return _like("name", term.values)


def _tag(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    sql, values = _like("value", term.values)
    return f"tags <> '[]' AND EXISTS (SELECT 1 FROM json_each(tags) WHERE {sql})", values


def _moments(term: Term, now: datetime) -> list[int]:
    return [to_microseconds(value.resolve(now)) for value in term.values if isinstance(value, Moment)]


def _since(connection: Connection, term: Term, now: datetime) -> Part:
    del connection
    return f"{MOMENT} >= ?", [min(_moments(term, now))]


def _until(connection: Connection, term: Term, now: datetime) -> Part:
    del connection
    return f"{MOMENT} < ?", [max(_moments(term, now))]


def _duration(connection: Connection, term: Term, now: datetime) -> Part:
    del connection
    parts: list[Part] = []
    for value in term.values:
        if isinstance(value, DurationBound):
            microseconds = round(value.seconds * MICROSECONDS_PER_SECOND)
            sql = f"coalesce(ended_at, ?) - started_at {value.sign} ?"
            parts.append((sql, [to_microseconds(now), microseconds]))
    return _any_of(parts)


def _id(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    return _any_of([_id_part(str(value)) for value in term.values])


def _id_part(fragment: str) -> Part:
    # A range, not a LIKE: the index on ids serves it. `g` stands behind every character of an id.
    return "(id >= ? AND id < ?) OR substr(id, ?) = ?", [fragment, f"{fragment}g", -len(fragment), fragment]


def _deployment(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    return _of_someone("deployment_id", term, lambda values: _like("deployment_id", values))


def _parent(connection: Connection, term: Term, now: datetime) -> Part:
    del now

    def below(values: Sequence[Pattern]) -> Part:
        keys = sorted({key for value in values for key in _keys_named(connection, value)})
        return f"parent_key IN ({', '.join(map(str, keys))})", []

    return _of_someone("parent_key", term, below)


def _of_someone(column: str, term: Term, named: Callable[[Sequence[Pattern]], Part]) -> Part:
    """Write that a column names one of the values, or no one, or anyone."""
    words = {run_filter.NONE: f"{column} IS NULL", run_filter.ANY: f"{column} IS NOT NULL"}
    values = [value for value in term.values if isinstance(value, Pattern)]
    parts: list[Part] = [(words[value.text], []) for value in values if value.text in words and not value.is_exact]
    names = [value for value in values if value.text not in words or value.is_exact]
    return _any_of([*parts, named(names)] if names else parts)


def _keys_named(connection: Connection, value: Pattern) -> list[int]:
    """Look up the runs that may be meant by a name or a part of an id: once for the filter, not for each row."""
    sql, values = _like("name", [value])
    if not value.is_exact and is_run_reference_fragment(value.text):
        sql, values = _any_of([(sql, values), _id_part(value.text.lower())])
    return [key for (key,) in connection.execute(f"SELECT key FROM flow_run WHERE {sql}", values).fetchall()]


def _text(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    return f"instr({_TEXT}, lower(?))", [str(term.values[0])]


def _regex(connection: Connection, term: Term, now: datetime) -> Part:
    del connection, now
    return f"matches_pattern(?, {_FIELDS})", [str(term.values[0])]


_WRITERS: Final[Mapping[str, Callable[[Connection, Term, datetime], Part]]] = {
    "state": _state,
    "flow": _flow,
    "name": _name,
    "tag": _tag,
    "since": _since,
    "until": _until,
    "duration": _duration,
    "id": _id,
    "deployment": _deployment,
    "parent": _parent,
    run_filter.TEXT: _text,
    run_filter.REGEX: _regex,
}
