"""Where results are kept and found again. In flowdeck's own environment that is the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowdeck.store.database.database import Database
from flowdeck.store.results import cached_results, recorded_results
from flowdeck.store.results.cached_results import CachedResult
from flowdeck.store.results.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.results.result_files import ResultFiles, StoredResult

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


class StoreResults:
    """Results in the store of this machine's home."""

    def __init__(self, database: Database, key: int) -> None:
        """Args: database: of the home. key: of the flow run."""
        self.max_bytes = database.settings.result_max_bytes
        self.caching = database.settings.caching
        self._database = database
        self._key = key
        self._files = ResultFiles(database.home.results, durable=database.settings.durability == "full")

    def calls(self) -> dict[bytes, RecordedCall]:
        """See `ResultRecords`."""
        return recorded_results.calls(self._database.reader(), self._key)

    def subflows(self) -> dict[bytes, RecordedSubflow]:
        """See `ResultRecords`."""
        return recorded_results.subflows(self._database.reader(), self._key)

    def of_call(self, task_run_id: int) -> RecordedResult | None:
        """See `ResultRecords`."""
        return recorded_results.result(self._database.reader(), task_run_id)

    def names(self, task_run_ids: list[int]) -> list[str]:
        """See `ResultRecords`."""
        return recorded_results.names(self._database.reader(), task_run_ids)

    def cached(self, cache_key: str) -> CachedResult | None:
        """See `ResultRecords`."""
        return cached_results.find(self._database.reader(), cache_key)

    def lock(self, cache_key: str) -> KeyLock:
        """See `ResultRecords`."""
        from flowdeck.store.results.key_locks import KeyLock  # noqa: PLC0415 - loads OpenSSL, for the few that ask for it

        return KeyLock(self._database.home.locks, cache_key)

    def size_of(self, file_hash: str | None) -> int:
        """See `ResultRecords`."""
        return 0 if file_hash is None else self._files.size_of(file_hash)

    def keep(self, content: bytes, name: str | None = None) -> StoredResult:
        """See `ResultRecords`."""
        return self._files.keep(content) if name is None else self._files.keep_named(content, name)

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """See `ResultRecords`."""
        return self._files.read(inline, file_hash)
