"""What earlier attempts of a flow run have recorded, for this attempt to take instead of running it again."""

from __future__ import annotations

import threading
from typing import Final

from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.store.results.recorded_results import RecordedCall, RecordedSubflow
from flowdeck.store.run_values import UnusedResults

NAMED_AT_MOST: Final = 3
"""So many of the recorded calls that nothing asked for are named; the others are only counted."""


class Replay:
    """Recorded calls and subflows of earlier attempts, each to be taken once in an attempt. Thread-safe."""

    def __init__(self, records: ResultRecords, attempt: int) -> None:
        """Read what there is; a first attempt has nothing behind it.

        Args:
            records: the recorded results of the flow run.
            attempt: the number of the attempt that begins now.
        """
        self._records = records
        self._lock = threading.Lock()
        self._calls: dict[bytes, RecordedCall] = {}
        self._subflows: dict[bytes, RecordedSubflow] = {}
        self.start_attempt(attempt)

    def start_attempt(self, attempt: int) -> None:
        """Read what there is now."""
        if attempt > 1:
            calls, subflows = self._records.calls(), self._records.subflows()
            with self._lock:
                self._calls, self._subflows = calls, subflows

    def __len__(self) -> int:
        return len(self._calls) + sum(subflow.completed for subflow in self._subflows.values())

    def take(self, call_key: bytes) -> RecordedCall | None:
        """Return the recorded call of this key, once."""
        if not self._calls:
            return None
        with self._lock:
            return self._calls.pop(call_key, None)

    def take_subflow(self, call_key: bytes) -> RecordedSubflow | None:
        """Return the subflow run that an earlier attempt made for this call, once."""
        if not self._subflows:
            return None
        with self._lock:
            return self._subflows.pop(call_key, None)

    def unused(self) -> UnusedResults | None:
        """Return the recorded calls of the flow itself that this attempt, which is over, has not asked for.

        What tasks have called is not counted: it is not asked for when the task that called it is complete.
        """
        with self._lock:
            left = sorted(call.task_run_id for call in self._calls.values() if call.is_top_level)
        if not left:
            return None
        return UnusedResults(len(left), tuple(self._records.names(left[:NAMED_AT_MOST])))
