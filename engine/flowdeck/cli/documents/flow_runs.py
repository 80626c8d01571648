"""Flow runs as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flowdeck.cli.documents.document import Document, error_document
from flowdeck.cli.documents.task_runs import task_run_document
from flowdeck.rules.clock import rfc3339
from flowdeck.rules.parameters.parameter_json import to_json

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun, StateRecord, TaskRun, UnusedResults


def flow_run_document(run: FlowRun, now: datetime, waiting_reason: str | None) -> Document:
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


def flow_run_detail_document(
    run: FlowRun,
    now: datetime,
    waiting_reason: str | None,
    states: Sequence[StateRecord],
    task_runs: Sequence[TaskRun],
    subflow_runs: Sequence[FlowRun],
) -> Document:
    """Write a run as `flow-run inspect` shows it; task runs and subflow runs are those of its current attempt."""
    return {
        **flow_run_document(run, now, waiting_reason),
        "parameters": to_json(run.parameters),  # NaN, which JSON cannot hold, as text
        "working_dir": run.working_dir,
        "interpreter": run.interpreter,
        "pid": run.pid,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "peak_rss_bytes": run.peak_rss_bytes,
        "cpu_seconds": run.cpu_seconds,
        "reused": run.reused,
        "unused_results": None if run.unused_results is None else _unused_results(run.unused_results),
        "error": error_document(run.error),
        "states": [_state(record) for record in states],
        "task_runs": [task_run_document(call, now) for call in task_runs],
        "subflow_run_ids": [subflow.id for subflow in subflow_runs],
        "artifact_ids": [],
    }


def _unused_results(unused: UnusedResults) -> Document:
    """Write how many recorded results nothing asked for, and some of their calls."""
    return {"count": unused.count, "calls": list(unused.calls)}


def _state(record: StateRecord) -> Document:
    """Write one entry of a run's history."""
    return {
        "state_type": record.state_type.value,
        "state_name": record.state_name,
        "message": record.message,
        "at": rfc3339(record.at),
        "attempt": record.attempt,
    }
