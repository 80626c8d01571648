"""Going through a list of runs in steps, each a bounded stretch: whoever asks can stop, or show what there is so far.

A stretch goes on behind a place (value in the order, then key), never behind a number of rows: the millionth row costs
what the first one does.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from flowdeck.rules.runs.run_order import DESCENDING, Place, RunOrder
from flowdeck.store.database.index_expressions import BY_DURATION, BY_STATE
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.records import RunQuery
from flowdeck.store.runs import run_conditions
from flowdeck.store.runs.run_conditions import Conditions

KEYS_AT_ONCE: Final = 10_000
"""How many keys a step by age looks at: a few of its milliseconds for each thousand where every row is to be read."""
ROWS_AT_ONCE: Final = 2_000
"""How many rows a step in another order looks at: each is looked up by its key."""

_ORDERED_BY: Final = {
    RunOrder.NEWEST: "key",
    RunOrder.OLDEST: "key",
    RunOrder.DURATION: BY_DURATION,
    RunOrder.NAME: "name",
    RunOrder.STATE: BY_STATE,
}
"""What an order compares before the key."""


class RunScan:
    """One pass over the runs of a query, in its order."""

    def __init__(self, connection: Connection, query: RunQuery, now: datetime) -> None:
        """Begin at the query's place.

        Args:
            connection: a connection for the look-ups that the filter needs; later steps may use another one.
            query: the list; its limit is the caller's business.
            now: the time from which `24h` counts back.
        """
        self._query = query
        self._conditions = all_conditions(connection, query, now)
        self._place = query.after
        self._is_descending = (query.order in DESCENDING) is not query.backwards
        self.is_over = False
        """Whether everything has been gone through."""

    def step(self, connection: Connection, limit: int) -> list[int]:
        """Look at the next stretch; return the keys of up to `limit` runs in it, in their order."""
        by_age = self._query.order in (RunOrder.NEWEST, RunOrder.OLDEST)
        return self._step_by_age(connection, limit) if by_age else self._step_by_value(connection, limit)

    def count_step(self, connection: Connection) -> int:
        """Look at the next stretch by age; return how many runs in it belong to the list."""
        first, last = self._stretch(connection)
        where = self._conditions.where
        number: int = connection.execute(
            f"SELECT count(*) FROM flow_run WHERE key BETWEEN ? AND ?{where}", (first, last, *self._conditions.values)
        ).fetchone()[0]
        self._go_behind(connection, first if self._is_descending else last)
        return number

    # -- by key --------------------------------------------------------------------------------------------------

    def _step_by_age(self, connection: Connection, limit: int) -> list[int]:
        first, last = self._stretch(connection)
        direction = "DESC" if self._is_descending else "ASC"
        rows = connection.execute(
            f"""SELECT key FROM flow_run WHERE key BETWEEN ? AND ?{self._conditions.where}
                ORDER BY key {direction} LIMIT ?""",
            (first, last, *self._conditions.values, limit),
        ).fetchall()
        keys: list[int] = [key for (key,) in rows]
        reached = keys[-1] if len(keys) == limit else first if self._is_descending else last
        self._go_behind(connection, reached)
        return keys

    def _stretch(self, connection: Connection) -> tuple[int, int]:
        """Return the first and the last key that the next step looks at."""
        lowest, highest = self._bounds(connection)
        if self._query.parent_key is not None:
            return lowest, highest  # an index has them
        if self._is_descending:
            last = highest if self._place is None else self._place.key - 1
            return max(lowest, last - KEYS_AT_ONCE + 1), last
        first = lowest if self._place is None else max(lowest, self._place.key + 1)
        return first, min(highest, first + KEYS_AT_ONCE - 1)

    def _go_behind(self, connection: Connection, key: int) -> None:
        self._place = Place(key, key)
        lowest, highest = self._bounds(connection)
        self.is_over = key <= lowest if self._is_descending else key >= highest

    def _bounds(self, connection: Connection) -> tuple[int, int]:
        low = connection.execute("SELECT min(key) FROM flow_run").fetchone()[0]
        high = connection.execute("SELECT max(key) FROM flow_run").fetchone()[0]
        first = self._conditions.first_key
        return max(low or 0, first or 0), high or 0

    # -- by another value ----------------------------------------------------------------------------------------

    def _step_by_value(self, connection: Connection, limit: int) -> list[int]:
        has_conditions = bool(self._query.filter)
        candidates = self._candidates(connection, ROWS_AT_ONCE if has_conditions else max(limit, 1))
        if not candidates:
            self.is_over = True
            return []
        keys = [place.key for place in candidates]
        kept = kept_keys(connection, keys, self._conditions)
        chosen = [place for place in candidates if place.key in kept][:limit]
        self._place = chosen[-1] if len(chosen) == limit else candidates[-1]
        return [place.key for place in chosen]

    def _candidates(self, connection: Connection, number: int) -> list[Place]:
        """Read where the next runs stand, whether they belong to the list or not: an index alone tells it."""
        value = _ORDERED_BY[self._query.order]
        sign, direction = ("<", "DESC") if self._is_descending else (">", "ASC")
        by_key, by_value = f"key {direction}", f"{value} {direction}, key {direction}"
        parts: list[tuple[str, str, tuple[Any, ...]]] = [("1", by_value, ())]
        if self._place is not None:
            # In two parts: for a comparison of pairs SQLite would go through the index from its start.
            parts = [
                (f"{value} = ? AND key {sign} ?", by_key, (self._place.value, self._place.key)),
                (f"{value} {sign} ?", by_value, (self._place.value,)),
            ]
        found: list[Place] = []
        for condition, order, values in parts:
            rows = connection.execute(
                f"SELECT {value}, key FROM flow_run WHERE {condition} ORDER BY {order} LIMIT ?",
                (*values, number - len(found)),
            ).fetchall()
            found.extend(Place(*row) for row in rows)
            if len(found) == number:
                break
        return found


def all_conditions(connection: Connection, query: RunQuery, now: datetime) -> Conditions:
    """Return what a run has to fulfil to be in a list, wherever it stands there."""
    filtered = run_conditions.of_filter(connection, query.filter, now)
    sql, values = [*filtered.sql], [*filtered.values]
    if query.roots_only:
        sql.append("parent_key IS NULL")
    if query.parent_key is not None:
        sql.append(
            "parent_key = ? AND parent_attempt = (SELECT p.attempt FROM flow_run p WHERE p.key = flow_run.parent_key)"
        )
        values.append(query.parent_key)
    return Conditions(tuple(sql), tuple(values), filtered.first_key)


def kept_keys(connection: Connection, keys: list[int], conditions: Conditions) -> frozenset[int]:
    """Return which of these runs fulfil the conditions."""
    rows = connection.execute(
        f"SELECT key FROM flow_run WHERE key IN (SELECT value FROM json_each(?)){conditions.where}",
        (json.dumps(keys), *conditions.values),
    ).fetchall()
    return frozenset(key for (key,) in rows)
