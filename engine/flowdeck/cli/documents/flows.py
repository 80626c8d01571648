"""Flows as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.cli.documents.document import Document, error_document
from flowdeck.rules.clock import rfc3339

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry


def flow_document(entry: FlowEntry) -> Document:
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
        "error": error_document(entry.error),
        "last_run": last_run,
    }


def flow_detail_document(entry: FlowEntry) -> Document:
    """Write a flow as `flow inspect` shows it."""
    schema = entry.parameter_schema
    return {**flow_document(entry), "parameter_schema": None if schema is None else dict(schema)}
