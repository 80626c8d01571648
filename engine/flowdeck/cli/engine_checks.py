"""What a command knows of a run beside its row: is there an engine, is its process there. Gives the waiting reasons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from flowdeck.cli.printing import note
from flowdeck.deck import Deck, EngineStatus, FlowRun

LOSS_PATIENCE_SECONDS: Final = 10.0
LOSS_LOOK_SECONDS: Final = 0.25

_noted: Final[set[str]] = set()


def now() -> datetime:
    """Return the time at which a command looks."""
    return datetime.now(UTC)


def bring_up_engine(deck: Deck) -> None:
    """Start an engine if none serves the home, and say so; say it too when one of another version does.

    Raises:
        RefusedError: it did not come up.
    """
    status = deck.engine.status()
    if status.running:
        note_stalled(status)
        note_version(status)
        return
    status = deck.engine.ensure(started_by="cli")
    note(f"started an engine for {deck.home} (pid {status.pid}); it ends by itself when nothing needs it.")


def await_loss_noted(deck: Deck, run: FlowRun) -> None:
    """Wait a little for the engine to note that a run's process is gone: who has killed it retries it at once."""
    deadline = time.monotonic() + LOSS_PATIENCE_SECONDS
    with deck.changes() as feed:
        while run.key in deck.flow_runs.waits([run.key]).lost and not deck.flow_runs.find(run.id).is_final:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            feed.wait(min(left, LOSS_LOOK_SECONDS))


def note_stalled(status: EngineStatus) -> None:
    """Say that the engine is stopped or hung, if it is, and what to do."""
    if status.stalled is not None:
        note(f"{status.stalled}.")


def note_version(status: EngineStatus) -> None:
    """Say that the engine is of another version, if it is; once."""
    sentence = status.version_note
    if sentence is not None and sentence not in _noted:
        _noted.add(sentence)
        note(sentence)


def with_reasons(deck: Deck, runs: Sequence[FlowRun], at: datetime) -> list[tuple[FlowRun, str | None]]:
    """Pair each run with the reason why it does not move, None where it does."""
    live = [run.key for run in runs if not run.is_final]
    if not live:
        return [(run, None) for run in runs]
    waits = deck.flow_runs.waits(live)
    return [(run, waits.reason(run, at)) for run in runs]


def reason_of(deck: Deck, run: FlowRun, at: datetime) -> str | None:
    """Return why a run does not move; None when it does, or is over."""
    return with_reasons(deck, [run], at)[0][1]
