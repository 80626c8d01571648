"""Results in the store of this machine's home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.store.database.database import Database
from flowdeck.store.results import cached_results, recorded_results
from flowdeck.store.results.cached_results import CachedResult
from flowdeck.store.results.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.results.result_files import ResultFiles, StoredResult

if TYPE_CHECKING:
    from flowdeck.store.results.key_locks import KeyLock


class StoreResults:
    """Results in the store of this machine's home."""

    def __init__(self, database: Database, key: int) -> None:
        """Args: database: the database of the home. key: the integer key of the flow run."""
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
