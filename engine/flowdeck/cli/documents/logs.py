"""Log records as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.cli.documents.document import Document
from flowdeck.rules.clock import rfc3339

if TYPE_CHECKING:
    from flowdeck.deck import LogRecord


def log_record_document(record: LogRecord) -> Document:
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
