"""A list of flow runs that is read step by step."""

from __future__ import annotations

from flowdeck.store.database.database import Database
from flowdeck.store.records import FlowRun
from flowdeck.store.runs import flow_run_queries
from flowdeck.store.runs.run_scan import RunScan


class RunPages:
    """A list of runs, read step by step. Each step is short, and may be made by any thread, one at a time."""

    def __init__(self, database: Database, scan: RunScan) -> None:
        """Args: database: database of the home. scan: the pass."""
        self._database = database
        self._scan = scan

    @property
    def is_over(self) -> bool:
        """Whether the list is at its end."""
        return self._scan.is_over

    def step(self, limit: int) -> list[FlowRun]:
        """Read on for a while; return up to `limit` runs, or none although there are more."""
        connection = self._database.reader()
        return flow_run_queries.in_order(connection, self._scan.step(connection, limit))

    def count_step(self) -> int:
        """Count on for a while, whatever the order; return how many more there are."""
        return self._scan.count_step(self._database.reader())
