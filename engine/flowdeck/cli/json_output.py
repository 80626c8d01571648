"""Records as the JSON that scripts rely on: every key always there, unknown is null, times RFC 3339 in UTC. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowdeck.rules.clock import rfc3339
from flowdeck.rules.parameters.parameter_json import to_json

if TYPE_CHECKING:
    from flowdeck.deck import (
        EngineStatus,
        FlowEntry,
        FlowRun,
        LogRecord,
        RunError,
        StateRecord,
        TaskRun,
        UnusedResults,
    )
    from flowdeck.service.service_managers import Enablement

Document = dict[str, Any]


def flow_run(run: FlowRun, now: datetime, waiting_reason: str | None) -> Document:
    """Write a run as `flow-run ls` lists it.

    Args:
        run: the run.
        now: up to when the duration of one that is not over counts.
        waiting_reason: why it does not move; None when it does.
    """
    counts = run.task_counts
    return {
        "id": run.id,
        "name": run.name,
        "flow_name": run.flow_name,
        "entrypoint": run.entrypoint,
        "deployment_name": None,
        "state_type": run.state_type.value,
        "state_name": run.state_name,
        "state_message": run.state_message,
        "waiting_reason": waiting_reason,
        "attempt": run.attempt,
        "created_at": rfc3339(run.created_at),
        "scheduled_at": rfc3339(run.scheduled_at),
        "started_at": rfc3339(run.started_at),
        "ended_at": rfc3339(run.ended_at),
        "duration_seconds": run.duration_seconds(now),
        "parent_run_id": run.parent_run_id,
        "root_run_id": run.root_run_id,
        "origin_run_id": run.origin_run_id,
        "triggered_by": run.triggered_by,
        "tags": list(run.tags),
        "task_counts": {
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "running": counts.running,
            "other": counts.other,
        },
        "log_counts": {"warning": run.warning_count, "error": run.error_count},
    }


def flow_run_detail(
    run: FlowRun,
    now: datetime,
    waiting_reason: str | None,
    states: Sequence[StateRecord],
    task_runs: Sequence[TaskRun],
    subflow_runs: Sequence[FlowRun],
) -> Document:
    """Write a run as `flow-run inspect` shows it; task runs and subflow runs are those of its current attempt."""
    return {
        **flow_run(run, now, waiting_reason),
        "parameters": to_json(run.parameters),  # NaN, which JSON cannot hold, as text
        "working_dir": run.working_dir,
        "interpreter": run.interpreter,
        "pid": run.pid,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "peak_rss_bytes": run.peak_rss_bytes,
        "cpu_seconds": run.cpu_seconds,
        "reused": run.reused,
        "unused_results": None if run.unused_results is None else unused_results(run.unused_results),
        "error": error(run.error),
        "states": [state(record) for record in states],
        "task_runs": [task_run(call, now) for call in task_runs],
        "subflow_run_ids": [subflow.id for subflow in subflow_runs],
        "artifact_ids": [],
    }


def unused_results(unused: UnusedResults) -> Document:
    """Write how many recorded results nothing asked for, and some of their calls."""
    return {"count": unused.count, "calls": list(unused.calls)}


def state(record: StateRecord) -> Document:
    """Write one entry of a run's history."""
    return {
        "state_type": record.state_type.value,
        "state_name": record.state_name,
        "message": record.message,
        "at": rfc3339(record.at),
        "attempt": record.attempt,
    }


def task_run(call: TaskRun, now: datetime) -> Document:
    """Write a task run."""
    return {
        "id": call.id,
        "name": call.name,
        "task_name": call.task_name,
        "index": call.index,
        "state_type": call.state_type.value,
        "state_name": call.state_name,
        "state_message": call.state_message,
        "attempt": call.attempt,
        "from_cache": call.from_cache,
        "reused": call.reused,
        "worker": call.worker,
        "started_at": rfc3339(call.started_at),
        "ended_at": rfc3339(call.ended_at),
        "duration_seconds": call.duration_seconds(now),
        "upstream_ids": list(call.upstream_ids),
        "result_preview": call.result_preview,
        "result_bytes": call.result_bytes,
        "reused_from": call.reused_from,
        "cache_reason": call.cache_reason,
        "error": error(call.error),
    }


def error(problem: RunError | None) -> Document | None:
    """Write why something failed."""
    if problem is None:
        return None
    return {
        "type": problem.type,
        "message": problem.message,
        "traceback": problem.traceback,
        "file": problem.file,
        "line": problem.line,
    }


def log_record(record: LogRecord) -> Document:
    """Write one record of a log."""
    return {
        "seq": record.seq,
        "at": rfc3339(record.at),
        "level": record.level,
        "flow_run_id": record.flow_run_id,
        "task_run_id": record.task_run_id,
        "task_name": record.task_name,
        "source": record.source,
        "message": record.message,
    }


def flow(entry: FlowEntry) -> Document:
    """Write a flow, or a file that could not be described, as `flow ls` lists it."""
    last_run = None
    if entry.last_run_id is not None and entry.last_run_state is not None:
        last_run = {
            "id": entry.last_run_id,
            "state_type": entry.last_run_state.value,
            "ended_at": rfc3339(entry.last_run_ended_at),
        }
    return {
        "name": entry.name,
        "function": entry.function,
        "file": entry.file,
        "line": entry.line,
        "folder": entry.folder,
        "entrypoint": entry.entrypoint,
        "description": entry.description,
        "status": entry.status,
        "error": error(entry.error),
        "last_run": last_run,
    }


def flow_detail(entry: FlowEntry) -> Document:
    """Write a flow as `flow inspect` shows it."""
    schema = entry.parameter_schema
    return {**flow(entry), "parameter_schema": None if schema is None else dict(schema)}


def server_status(status: EngineStatus) -> Document:
    """Write what is known of the engine."""
    return {
        "running": status.running,
        "pid": status.pid,
        "folders": list(status.folders),
        "spares_ready": status.spares_ready,
        "started_at": rfc3339(status.started_at),
        "version": status.version,
    }


def enablement(found: Enablement | None) -> Document:
    """Write whether the engine is started at login; all but `enabled` is null when it never was."""
    return {
        "enabled": found is not None and found.enabled,
        "manager": None if found is None else found.manager,
        "name": None if found is None else found.name,
        "file": None if found is None else str(found.file),
        "linger": None if found is None else found.linger,
    }
