"""Task runs as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowdeck.cli.tables import Paper, fields, table
from flowdeck.cli.texts.parts import clock, duration, error_line, moment, one_line, problem_lines, state_cell
from flowdeck.rules.text.terminal_text import inert_line

if TYPE_CHECKING:
    from flowdeck.deck import TaskRun


def task_run_table(calls: Iterable[TaskRun], paper: Paper) -> list[str]:
    """List task runs."""
    rows = [
        (
            str(call.id),
            state_cell(call.state_type, call.state_name, paper),
            inert_line(call.name),
            str(call.attempt),
            clock(call.started_at, paper),
            duration(call.duration_seconds(paper.now)),
            _task_note(call),
        )
        for call in calls
    ]
    return table(("TASK RUN", "STATE", "NAME", "ATTEMPT", "STARTED", "TOOK", ""), rows, paper)


def task_run_lines(call: TaskRun, paper: Paper) -> list[str]:
    """Show one task run."""
    lines = fields(
        {
            "Task run": inert_line(call.name),
            "Id": str(call.id),
            "Task": inert_line(call.task_name),
            "Flow run": call.flow_run_id,
            "State": state_cell(call.state_type, call.state_name, paper),
            "Message": inert_line(call.state_message or ""),
            "Attempt": str(call.attempt),
            "Started": moment(call.started_at),
            "Ended": moment(call.ended_at),
            "Took": duration(call.duration_seconds(paper.now)),
            "Worker": inert_line(call.worker or ""),
            "Tags": inert_line(", ".join(call.tags)),
            "Waits for": ", ".join(str(upstream) for upstream in call.upstream_ids),
            "Result": inert_line(call.result_preview or ""),
            "Cache": inert_line(call.cache_reason or ""),
        },
        paper,
    )
    return lines + problem_lines(call.error)


def _task_note(call: TaskRun) -> str:
    if call.error is not None:
        return error_line(call.error)
    return one_line(call.state_message or call.result_preview or "")
