"""The engine as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdeck.cli.documents.document import Document
from flowdeck.rules.clock import rfc3339

if TYPE_CHECKING:
    from flowdeck.deck import EngineStatus
    from flowdeck.service.service_managers import Enablement


def engine_document(status: EngineStatus) -> Document:
    """Write what is known of the engine."""
    return {
        "running": status.works,
        "pid": status.pid,
        "folders": list(status.folders),
        "spares_ready": status.spares_ready,
        "started_at": rfc3339(status.started_at),
        "version": status.version,
    }


def enablement_document(found: Enablement | None) -> Document:
    """Write whether the engine is started at login; all but `enabled` is null when it never was."""
    return {
        "enabled": found is not None and found.enabled,
        "manager": None if found is None else found.manager,
        "name": None if found is None else found.name,
        "file": None if found is None else str(found.file),
        "linger": None if found is None else found.linger,
    }
