"""Task runs as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from flowdeck.cli.documents.document import Document, error_document
from flowdeck.rules.clock import rfc3339

if TYPE_CHECKING:
    from flowdeck.deck import TaskRun


def task_run_document(call: TaskRun, now: datetime) -> Document:
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
        "error": error_document(call.error),
    }
