"""What decides whether runs move: is there an engine, has it a place left, is a run's process there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo

from flowdeck.rules.runs.run_limits import default_limit
from flowdeck.rules.runs.waiting import START_AN_ENGINE, Surroundings, waiting_reason
from flowdeck.store import engines
from flowdeck.store.database.database import Database
from flowdeck.store.database.index_expressions import LIVE_RUNS
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.home import is_full
from flowdeck.store.records import FlowRun
from flowdeck.store.runs import flow_run_queries, process_claims


@dataclass(frozen=True, slots=True)
class Waits:
    """How things stood when they were looked at.

    Attributes:
        engine_running: an engine serves the home.
        run_limit: number of runs that it starts at once.
        runs_started: number of slots that are occupied, by runs that it claimed or that have a run host.
        lost: keys of runs whose process is there no more.
        engine_stalled: why the engine does nothing although it runs, and what to do; None when it works.
        disk_full: there is no room to record what happens.
    """

    engine_running: bool
    run_limit: int
    runs_started: int
    lost: frozenset[int]
    engine_stalled: str | None = None
    disk_full: bool = False

    def reason(
        self,
        run: FlowRun,
        now: datetime,
        zone: tzinfo | None = None,
        *,
        engine_starting: bool = False,
        remedy: str = START_AN_ENGINE,
    ) -> str | None:
        """Say why a run does not move, and what would move it; None when it does, or is over.

        Args:
            run: the run.
            now: the time, aware.
            zone: time zone of the reader; None for that of the machine.
            engine_starting: an engine is being started just now.
            remedy: advice on how the reader gets an engine.
        """
        if run.is_final:
            return None
        has_process = run.pid is not None or run.host_pid is not None
        around = Surroundings(
            now=now,
            engine_running=self.engine_running,
            process_alive=run.key not in self.lost if has_process else None,
            run_limit=self.run_limit,
            runs_started=self.runs_started,
            engine_starting=engine_starting,
            remedy=remedy,
            engine_stalled=self.engine_stalled,
            disk_full=self.disk_full,
        )
        return waiting_reason(run.state_type, run.state_name, run.scheduled_at, around, zone)


def look(database: Database, keys: Collection[int] | None) -> Waits:
    """Look at the engine, its places and the processes of runs.

    Args:
        database: database of the home.
        keys: integer keys of the flow runs whose processes count; None for all runs that are not over.
    """
    connection, engine = database.reader(), engines.status(database)
    disk_full = is_full(database.home)
    wanted = _with_processes(connection) if keys is None else keys
    return Waits(
        engine_running=engine.running,
        run_limit=default_limit(),
        runs_started=process_claims.started_count(connection),
        lost=flow_run_queries.lost(connection, wanted, hosted_too=disk_full),
        disk_full=disk_full,
        engine_stalled=engine.stalled,
    )


def _with_processes(connection: Connection) -> list[int]:
    rows = connection.execute(
        f"SELECT key FROM flow_run WHERE {LIVE_RUNS} AND (pid IS NOT NULL OR host_pid IS NOT NULL)"
    ).fetchall()
    return [key for (key,) in rows]
