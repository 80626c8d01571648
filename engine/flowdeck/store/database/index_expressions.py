"""The expressions that indexes of flow runs hold.

SQLite uses a partial index, or one on an expression, only where a query says the very same: so queries take these words
from here. Whoever changes one makes its index anew by a migration. The orders are those of `rules.runs.run_order`.
"""

from __future__ import annotations

from typing import Final

from flowdeck.rules.runs.run_order import NOT_STARTED, RANKS, RUNNING_FIRST

LIVE_RUNS: Final = "state_type IN ('SCHEDULED','PENDING','RUNNING','PAUSED','CANCELLING')"
"""Flow runs that are not over: the index `flow_run_live`."""
FAILED_RUNS: Final = "state_type IN ('FAILED', 'CRASHED') AND parent_key IS NULL"
"""Root runs that failed or crashed: the index `flow_run_failed`."""

_CASES: Final = " ".join(f"WHEN '{state_type}' THEN {rank}" for state_type, rank in RANKS.items())
BY_STATE: Final = f"CASE state_type {_CASES} END"
BY_DURATION: Final = f"coalesce(ended_at - started_at, {RUNNING_FIRST} - started_at, {NOT_STARTED})"
MOMENT: Final = "coalesce(started_at, scheduled_at, created_at)"
"""When a run was, as its row on the screen tells it."""
