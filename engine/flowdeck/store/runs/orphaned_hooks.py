"""Hooks of runs that ended when their process was gone: whoever claims one runs it, once."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from flowdeck.rules.states import TERMINAL, StateType
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.runs import flow_runs

_KINDS: Final = {StateType.CANCELLED: "cancellation", StateType.CRASHED: "crashed"}


class OrphanedHooks(NamedTuple):
    """A run of which hooks are to be run, and what that takes."""

    key: int
    run_id: str
    kind: str
    """`cancellation` or `crashed`."""
    working_dir: str
    interpreter: str | None


def take(connection: Connection, key: int) -> list[OrphanedHooks]:
    """Take what is due for a run that is over and for its subflow runs; nobody else gets it.

    Args:
        connection: a connection for writing, inside a transaction.
        key: integer key of the flow run.
    """
    if not flow_runs.is_over(connection, key):
        return []
    found: list[OrphanedHooks] = []
    for one in (key, *flow_runs.descendants(connection, key)):
        row = connection.execute(
            "SELECT id, state_type, hooks, working_dir, interpreter FROM flow_run WHERE key = ? AND hooks IS NOT NULL",
            (one,),
        ).fetchone()
        if row is None or row[1] not in TERMINAL:
            continue
        flow_runs.set_columns(connection, one, {"hooks": None})
        kind = _KINDS.get(StateType(row[1]))
        if kind is not None and kind in json.loads(row[2]):
            found.append(OrphanedHooks(one, row[0], kind, row[3], row[4]))
    return found


def any_due(connection: Connection, key: int) -> bool:
    """Tell whether `take` may find something: a look that takes no lock."""
    for one in (key, *flow_runs.descendants(connection, key)):
        row = connection.execute("SELECT hooks IS NOT NULL FROM flow_run WHERE key = ?", (one,)).fetchone()
        if row is not None and row[0]:
            return True
    return False
