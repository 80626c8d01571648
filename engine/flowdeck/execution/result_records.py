"""Where results are kept and found again. In flowdeck's own environment that is the store."""

from __future__ import annotations

from typing import Protocol

from flowdeck.store import recorded_results
from flowdeck.store.database import Database
from flowdeck.store.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.result_files import ResultFiles, StoredResult


class ResultRecords(Protocol):
    """The recorded results of one flow run, and the files of all. Thread-safe."""

    max_bytes: int
    """Larger results are not recorded."""

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

    def keep(self, content: bytes) -> StoredResult:
        """Keep the bytes of a result; OSError when that is not possible."""
        ...

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """Return the bytes of a result; ResultLostError when they are gone."""
        ...


class StoreResults:
    """Results in the store of this machine's home."""

    def __init__(self, database: Database, key: int) -> None:
        """Args: database: of the home. key: of the flow run."""
        self.max_bytes = database.settings.result_max_bytes
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

    def keep(self, content: bytes) -> StoredResult:
        """See `ResultRecords`."""
        return self._files.keep(content)

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """See `ResultRecords`."""
        return self._files.read(inline, file_hash)
