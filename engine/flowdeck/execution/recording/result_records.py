"""Keeping results and finding them again: in the store or, from another process, over a stream to the run's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowdeck.store.results.cached_results import CachedResult
from flowdeck.store.results.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.results.result_files import StoredResult

if TYPE_CHECKING:
    from flowdeck.store.results.key_locks import KeyLock


class ResultRecords(Protocol):
    """The recorded results of one flow run, and the files of all. Thread-safe."""

    max_bytes: int
    """Larger results are not recorded."""
    caching: str
    """`on`, `refresh` or `off`: the setting."""

    def calls(self) -> dict[bytes, RecordedCall]:
        """Return the completed calls of earlier attempts whose results are recorded, by call key."""
        ...

    def subflows(self) -> dict[bytes, RecordedSubflow]:
        """Return the subflow runs that earlier attempts have made, by call key."""
        ...

    def of_call(self, task_run_id: int) -> RecordedResult | None:
        """Return what was recorded of a call."""
        ...

    def names(self, task_run_ids: list[int]) -> list[str]:
        """Return calls as people write them."""
        ...

    def cached(self, cache_key: str) -> CachedResult | None:
        """Return what is recorded under a cache key, expired or not."""
        ...

    def lock(self, cache_key: str) -> KeyLock:
        """Return the lock of a cache key, not yet taken."""
        ...

    def size_of(self, file_hash: str | None) -> int:
        """Return the size of a result's file in bytes; 0 when it is gone."""
        ...

    def keep(self, content: bytes, name: str | None = None) -> StoredResult:
        """Keep the bytes of a result, under a name too if one is given; OSError when that is not possible."""
        ...

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """Return the bytes of a result; ResultLostError when they are gone."""
        ...
