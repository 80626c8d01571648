"""A run's states and error, a call, and values in full, as lines to read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.text.terminal_text import inert, inert_line
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Tone
from flowdeck_tui.text.render_context import RenderContext

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun, RunError, StateRecord, TaskRun

Line = tuple[str, Tone]

VALUE_CHARACTERS: Final = 100_000
"""What is shown of a value; the pager shows all of it."""
_LABEL_WIDTH: Final = 14


def state_lines(run: FlowRun, states: Sequence[StateRecord], context: RenderContext) -> list[Line]:
    """Write every state of a run: when, what, how long, why; then the facts of the run."""
    lines: list[Line] = []
    own = [state for state in states if state.task_run_id is None]
    attempt = 1
    for state, following in zip(own, [*own[1:], None], strict=False):
        if state.attempt != attempt:
            attempt = state.attempt
            lines.append((f"attempt {attempt}", Tone.MUTED))
        lines.extend(_state(run, state, following, context))
    lines.append(("", Tone.PLAIN))
    lines.extend(_facts(run, context))
    return lines


def _state(run: FlowRun, state: StateRecord, following: StateRecord | None, context: RenderContext) -> Iterator[Line]:
    word = present.state_text(state.state_type, state.state_name, context.glyphs)
    until = following.at if following is not None else None if run.is_final else context.now()
    seconds = None if until is None else max(0.0, (until - state.at).total_seconds())
    took = present.duration_text(seconds, is_over=following is not None)
    message = inert(state.message or "").strip()
    first, *more = message.splitlines() or [""]
    tone = present.state_tone(state.state_type, state.state_name)
    yield f"{moment_text(state.at, context)}  {word:<14} {took:>7}  {first}".rstrip(), tone
    yield from ((f"{'':37}{line.rstrip()}", Tone.MUTED) for line in more)


def moment_text(moment: datetime, context: RenderContext) -> str:
    """Write a moment in local time to the millisecond, with its day unless that is today."""
    local, today = moment.astimezone(context.zone), context.now().astimezone(context.zone)
    day = "" if local.date() == today.date() else f"{local:%Y-%m-%d} "
    return f"{day}{local:%H:%M:%S}.{local.microsecond // 1000:03}"


def _facts(run: FlowRun, context: RenderContext) -> Iterator[Line]:
    peak_bytes: int | None = getattr(run, "peak_rss_bytes", None)
    cpu_seconds: float | None = getattr(run, "cpu_seconds", None)
    facts = {
        "id": run.id,
        "flow": inert_line(run.flow_name),
        "defined in": inert_line(run.entrypoint or ""),
        "working dir": inert_line(run.working_dir),
        "interpreter": inert_line(run.interpreter or ""),
        "triggered by": run.triggered_by,
        "tags": inert_line(", ".join(run.tags)),
        "origin": run.origin_run_id or "",
        "parent run": run.parent_run_id or "",
        "process": "" if run.pid is None else str(run.pid),
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "signal": "" if run.signal is None else str(run.signal),
        "peak memory": "" if peak_bytes is None else f"{peak_bytes / 1e6:,.0f} MB",
        "CPU time": "" if cpu_seconds is None else present.duration_text(cpu_seconds),
        "scheduled": "" if run.scheduled_at is None else moment_text(run.scheduled_at, context),
    }
    yield from _labelled(facts, Tone.MUTED)


def error_lines(error: RunError | None, message: str | None) -> list[Line]:
    """Write an error: type, message, place, traceback; or why there is none.

    Args:
        error: of a run or a call; None when it raised nothing.
        message: of its state, which tells what happened when nothing was raised.
    """
    if error is None:
        text = inert(message or "").strip()
        return [(line, Tone.PLAIN) for line in text.splitlines()] or [("No error.", Tone.MUTED)]
    lines: list[Line] = [(inert_line(error.type), Tone.BAD)]
    lines.extend((line.rstrip(), Tone.BAD) for line in inert(error.message).splitlines())
    if error.file:
        place = f"{inert_line(error.file)}, line {error.line}" if error.line else inert_line(error.file)
        lines.extend((("", Tone.PLAIN), (f"{place}   e opens it in an editor", Tone.MUTED)))
    lines.append(("", Tone.PLAIN))
    lines.extend((line.rstrip(), Tone.PLAIN) for line in inert(error.traceback).strip().splitlines())
    return lines


def call_lines(call: TaskRun, context: RenderContext) -> list[Line]:
    """Write all that is known of one task call: how it ended, then why, then the rest."""
    state = present.state_text(call.state_type, call.state_name, context.glyphs)
    took = present.duration_text(call.duration_seconds(context.now()), is_over=call.ended_at is not None)
    first = {
        "state": f"{state}  {took}".rstrip(),
        "message": "" if call.error is not None else inert_line((call.state_message or "").strip()),
        "result": inert_line(call.result_preview or ""),
    }
    rest = {
        "attempt": str(call.attempt) if call.attempt > 1 else "",
        "started": "" if call.started_at is None else moment_text(call.started_at, context),
        "ended": "" if call.ended_at is None else moment_text(call.ended_at, context),
        "from cache": "yes" if call.from_cache else "",
        "worker": inert_line(call.worker or ""),
        "tags": inert_line(", ".join(call.tags)),
        "waits for": f"{len(call.upstream_ids):,} calls" if call.upstream_ids else "",
        "id": str(call.id),
    }
    tone = present.state_tone(call.state_type, call.state_name)
    lines = [*_labelled(first, tone)]
    if call.error is not None:
        lines.extend((*error_lines(call.error, None), ("", Tone.PLAIN)))
    return [*lines, *_labelled(rest, Tone.MUTED)]


def _labelled(facts: Mapping[str, str], tone: Tone) -> Iterator[Line]:
    """Write those of some facts that are known."""
    yield from ((f"{name:<{_LABEL_WIDTH}}{value}", tone) for name, value in facts.items() if value)


def value_text(value: Any) -> str:
    """Write a value whole: a text as it is, anything else as JSON on several lines."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def value_lines(value: Any) -> list[Line]:
    """Write a value as lines, harmless for a terminal, up to a length that can be scrolled."""
    text = value_text(value)
    lines: list[Line] = [(line, Tone.PLAIN) for line in inert(text[:VALUE_CHARACTERS]).split("\n")]
    if len(text) > VALUE_CHARACTERS:
        lines.append((f"{len(text) - VALUE_CHARACTERS:,} more characters: o shows all in the pager.", Tone.MUTED))
    return lines
