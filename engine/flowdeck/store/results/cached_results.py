"""Cached results: by key, over all flow runs of the home."""

from __future__ import annotations

from typing import NamedTuple

from flowdeck.store.database.sqlite import Connection
from flowdeck.store.results.result_files import StoredResult


class CachedResult(NamedTuple):
    """A result that was recorded under a key."""

    flow_run_id: str | None
    """None when it was recorded outside of flow runs."""
    recorded_at: int
    """Microseconds since 1970 UTC."""
    expires_at: int | None
    """None for never."""
    inline: bytes | None
    file_hash: str | None


def find(connection: Connection, cache_key: str) -> CachedResult | None:
    """Return what is recorded under a key, expired or not."""
    row = connection.execute(
        """SELECT flow_run_id, recorded_at, expires_at, result, result_hash FROM cached_result
           WHERE cache_key = ?""",
        (cache_key,),
    ).fetchone()
    return None if row is None else CachedResult(*row)


def put(
    connection: Connection,
    cache_key: str,
    result: StoredResult,
    *,
    task_run_id: int | None,
    flow_run_id: str | None,
    at: int,
    expires_at: int | None,
) -> None:
    """Record a result under a key, in the place of what was there."""
    connection.execute(
        "INSERT OR REPLACE INTO cached_result VALUES (?, ?, ?, ?, ?, ?, ?)",
        (cache_key, task_run_id, flow_run_id, at, expires_at, result.inline, result.file_hash),
    )


def forget(connection: Connection, cache_key: str) -> None:
    """Remove what is recorded under a key."""
    connection.execute("DELETE FROM cached_result WHERE cache_key = ?", (cache_key,))


def forget_expired(connection: Connection, now: int) -> int:
    """Remove what has expired; return how many."""
    return connection.execute("DELETE FROM cached_result WHERE expires_at <= ?", (now,)).rowcount


def files_in_use(connection: Connection, prefix: str) -> set[str]:
    """Return the names of those result files beginning with `prefix` that a call, a run or a cached result needs."""
    rows = connection.execute(
        """SELECT result_hash FROM task_run WHERE result_hash >= :low AND result_hash < :high
           UNION SELECT result_hash FROM flow_run WHERE result_hash >= :low AND result_hash < :high
           UNION SELECT result_hash FROM cached_result WHERE result_hash >= :low AND result_hash < :high""",
        {"low": prefix, "high": f"{prefix}g"},
    )
    return {name for (name,) in rows.fetchall()}
