"""What the documents of all nouns share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdeck.deck import RunError

Document = dict[str, Any]


def error_document(problem: RunError | None) -> Document | None:
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
