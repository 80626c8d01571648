"""The few values that writers and readers of runs share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

CALLS_PER_RUN: Final = 100_000_000
"""A task run's id is its flow run's key times this, plus the call's number in that run (from 1).

So ids are integers that any process can allocate without asking, a run's calls lie side by side in the table,
and `WHERE id BETWEEN` finds them without another index.
"""


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed: the exception as text, and where in the user's code it was raised."""

    type: str
    message: str
    traceback: str
    file: str | None = None
    line: int | None = None


def error_from_json(text: str | None) -> RunError | None:
    """Read an error column."""
    return None if text is None else RunError(**json.loads(text))


def error_to_json(error: RunError | None) -> str | None:
    """Write an error column."""
    if error is None:
        return None
    return json.dumps({name: getattr(error, name) for name in ("type", "message", "traceback", "file", "line")})


@dataclass(frozen=True, slots=True)
class UnusedResults:
    """Recorded results that no call of an attempt asked for: the flow has changed since."""

    count: int
    calls: tuple[str, ...]
    """Some of them, such as `extract[0]`."""


def unused_from_json(text: str | None) -> UnusedResults | None:
    """Read the column of unused results."""
    if text is None:
        return None
    found = json.loads(text)
    return UnusedResults(found["count"], tuple(found["calls"]))


def unused_to_json(unused: UnusedResults | None) -> str | None:
    """Write the column of unused results."""
    return None if unused is None else json.dumps({"count": unused.count, "calls": unused.calls})
