"""What a command knows of a run beside its row: is there an engine, is its process there. Gives the waiting reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from flowdeck.cli.printing import note
from flowdeck.deck import Deck, EngineStatus, FlowRun, RunQuery
from flowdeck.rules.states import StateType
from flowdeck.rules.waiting import Surroundings, waiting_reason

_noted: Final[set[str]] = set()
_HOLDING_A_PLACE: Final = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def now() -> datetime:
    """Return the time at which a command looks."""
    return datetime.now(UTC)


def bring_up_engine(deck: Deck) -> None:
    """Start an engine if none serves the home, and say so; say it too when one of another version does.

    Raises:
        RefusedError: it did not come up.
    """
    status = deck.engine_status()
    if status.running:
        note_version(status)
        return
    status = deck.ensure_engine(started_by="cli")
    note(f"started an engine for {deck.home} (pid {status.pid}); it ends by itself when nothing needs it.")


def note_version(status: EngineStatus) -> None:
    """Say that the engine is of another version, if it is; once."""
    sentence = status.version_note
    if sentence is not None and sentence not in _noted:
        _noted.add(sentence)
        note(sentence)


def with_reasons(deck: Deck, runs: Sequence[FlowRun], at: datetime) -> list[tuple[FlowRun, str | None]]:
    """Pair each run with the reason why it does not move, None where it does."""
    if all(run.is_final for run in runs):
        return [(run, None) for run in runs]
    around = Surroundings(now=at, engine_running=deck.engine_status().running)
    if around.engine_running and any(_is_due(run, at) for run in runs):
        around = _with_places(deck, around)
    lost = deck.lost_runs([run.key for run in runs if not run.is_final])
    return [(run, _reason(run, around, run.key in lost)) for run in runs]


def reason_of(deck: Deck, run: FlowRun, at: datetime) -> str | None:
    """Return why a run does not move; None when it does, or is over."""
    return with_reasons(deck, [run], at)[0][1]


def _reason(run: FlowRun, around: Surroundings, is_lost: bool) -> str | None:
    if run.is_final:
        return None
    has_process = run.pid is not None or run.host_pid is not None
    seen = replace(around, process_alive=not is_lost if has_process else None)
    return waiting_reason(run.state_type, run.state_name, run.scheduled_at, seen)


def _is_due(run: FlowRun, at: datetime) -> bool:
    return run.state_type is StateType.SCHEDULED and (run.scheduled_at is None or run.scheduled_at <= at)


def _with_places(deck: Deck, around: Surroundings) -> Surroundings:
    """Count the places of the engine that are taken: by runs that it claimed, or that have a run host."""
    # Imported here: it brings asyncio (40 ms), and is asked for only when a run is due and an engine does not start it.
    from flowdeck.service.worker import default_limit  # noqa: PLC0415

    started = deck.flow_runs(RunQuery(state_types=_HOLDING_A_PLACE, roots_only=True, limit=0))
    taken = sum(run.host_pid is not None or run.pid is None for run in started)
    return replace(around, run_limit=default_limit(), runs_started=taken)
