"""Keys of transactions. They are those of the cache: what is committed under one is found by a task with that key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flowdeck.execution.recording import results
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.options.result_options import DEFAULT_RESULTS
from flowdeck.store.calls.transactions import CommittedKey
from flowdeck.store.results.cached_results import CachedResult

if TYPE_CHECKING:
    from flowdeck.execution.recording.result_records import ResultRecords


class KeysOutsideOfRuns(Protocol):
    """Where the keys of transactions are recorded that stand in no flow run."""

    results: ResultRecords

    def commit(self, key: CommittedKey, at: int) -> None:
        """Record a key; StoreError when that is not possible."""
        ...


class Kept(NamedTuple):
    """What became of the value of a key."""

    key: CommittedKey | None
    problem: str | None
    """A sentence, when it cannot be recorded though it should be."""


def is_committed(key: str, records: ResultRecords) -> bool:
    """Tell whether a result is recorded under a key and is not to be made anew."""
    found = None if records.caching == "refresh" else _find(key, records)
    return found is not None and (found.inline is not None or records.size_of(found.file_hash) > 0)


def read(key: str, records: ResultRecords) -> Any:
    """Return what is recorded under a key; None when there is nothing.

    Raises:
        ResultLostError: it cannot be had any more.
    """
    found = _find(key, records)
    if found is None:
        return None
    return results.load(found.inline, found.file_hash, records, DEFAULT_RESULTS.serializer, {})


def keep(key: str, value: Any, records: ResultRecords) -> Kept:
    """Keep the bytes of a value, to be recorded under a key."""
    if records.caching == "off":
        return Kept(None, None)
    kept = results.keep(value, DEFAULT_RESULTS.serializer, records, wanted=True)
    if kept.value.result is None:
        return Kept(None, f"Transaction '{key}' is committed, but not under its key. {kept.problem}")
    return Kept(CommittedKey(key, kept.value.result), None)


def _find(key: str, records: ResultRecords) -> CachedResult | None:
    found = None if records.caching == "off" else records.cached(key)
    if found is None or (found.expires_at is not None and found.expires_at <= SYSTEM_CLOCK.now_microseconds()):
        return None
    return found
