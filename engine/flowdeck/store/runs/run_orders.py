"""The orders of a list of runs in SQL; the same rules as `rules.run_order`. Indexes hold these expressions.

SQLite uses an index on an expression only where the query has that very expression: whoever changes one here makes the
index anew by a migration.
"""

from __future__ import annotations

from typing import Final

from flowdeck.rules.runs.run_order import NOT_STARTED, RANKS, RUNNING_FIRST, RunOrder

_CASES: Final = " ".join(f"WHEN '{state_type}' THEN {rank}" for state_type, rank in RANKS.items())
BY_STATE: Final = f"CASE state_type {_CASES} END"
BY_DURATION: Final = f"coalesce(ended_at - started_at, {RUNNING_FIRST} - started_at, {NOT_STARTED})"
MOMENT: Final = "coalesce(started_at, scheduled_at, created_at)"
"""When a run was, as its row on the screen tells it."""

VALUES: Final = {
    RunOrder.NEWEST: "key",
    RunOrder.OLDEST: "key",
    RunOrder.DURATION: BY_DURATION,
    RunOrder.NAME: "name",
    RunOrder.STATE: BY_STATE,
}
"""What an order compares before the key."""
