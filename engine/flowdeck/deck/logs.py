"""Deck's readers of run logs."""

from __future__ import annotations

from flowdeck.deck.open_home import OpenHome
from flowdeck.store.logs.log_merge import LogPart, MergedLog
from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.records import FlowRun
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck.store.runs import flow_run_queries


class Logs:
    """The logs of one home's runs."""

    def __init__(self, home: OpenHome) -> None:
        """Args: home: the open home."""
        self._home = home

    def of_run(self, flow_run: FlowRun) -> LogReader:
        """Return a reader of a run's log; the caller closes it."""
        path = self._home.database.home.log_file(flow_run.id)
        return LogReader(path, flow_run.id, flow_run.key * CALLS_PER_RUN)

    def merged(self, flow_run: FlowRun, *, subflows: bool = True) -> MergedLog:
        """Return a reader of a run's log, by default together with those of its subflow runs, by time.

        The caller closes it.
        """
        parts: dict[int, LogPart] = {flow_run.key: LogPart(self.of_run(flow_run))}

        def find() -> list[LogPart]:
            for key, run_id, name in flow_run_queries.below(self._home.reader(), flow_run.key) if subflows else ():
                if key not in parts:
                    path = self._home.database.home.log_file(run_id)
                    parts[key] = LogPart(LogReader(path, run_id, key * CALLS_PER_RUN), name)
            return list(parts.values())

        return MergedLog(find, self._home.now_microseconds)
