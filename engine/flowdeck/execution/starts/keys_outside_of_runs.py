"""Keys of transactions that stand in no flow run: of a script, a notebook, a service."""

from __future__ import annotations

from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.execution.recording.store_results import StoreResults
from flowdeck.execution.starts import run_creation
from flowdeck.store.calls.transactions import CommittedKey
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.results import cached_results

_NO_RUN = 0


class StoredKeys:
    """Keys in the home that the environment names; see `transaction_keys.KeysOutsideOfRuns`."""

    def __init__(self) -> None:
        """Open the home.

        Raises:
            StoreError: it cannot be used.
        """
        self._database = run_creation.shared_database()
        self.results: ResultRecords = StoreResults(self._database, _NO_RUN)

    def commit(self, key: CommittedKey, at: int) -> None:
        """Record a key.

        Args:
            key: the key and its value.
            at: microseconds since 1970 UTC.

        Raises:
            StoreError: the home cannot be written.
        """

        def put(connection: Connection) -> None:
            cached_results.put(
                connection, key.key, key.value, task_run_id=None, flow_run_id=None, at=at, expires_at=None
            )  # fmt: skip

        self._database.write(put)
