"""Flow runs as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flowdeck.cli.tables import Paper, fields, section, table
from flowdeck.cli.texts.parts import (
    clock,
    count_text,
    duration,
    error_line,
    moment,
    one_line,
    problem_lines,
    state_cell,
    value_text,
)
from flowdeck.cli.texts.task_runs import task_run_table
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.state_signs import state_sign
from flowdeck.rules.text.terminal_text import inert_line

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun, TaskRun, UnusedResults


def flow_run_table(runs: Iterable[tuple[FlowRun, str | None]], paper: Paper) -> list[str]:
    """List runs, each with the reason why it waits."""
    header = ("RUN", "STATE", "FLOW", "NAME", "STARTED", "TOOK", "TASKS", "")
    rows = [
        (
            short_id(run.id),
            state_cell(run.state_type, run.state_name, paper),
            inert_line(run.flow_name),
            inert_line(run.name),
            clock(run.started_at, paper),
            duration(run.duration_seconds(paper.now)),
            f"{run.task_counts.completed}/{run.task_counts.total}" if run.task_counts.total else "",
            run_note(run, reason),
        )
        for run, reason in runs
    ]
    return table(header, rows, paper)


def flow_run_lines(
    run: FlowRun, reason: str | None, calls: Sequence[TaskRun], subflows: Sequence[FlowRun], paper: Paper
) -> list[str]:
    """Show one run with all that belongs to it."""
    counts = run.task_counts
    lines = fields(
        {
            "Run": inert_line(run.name),
            "Id": run.id,
            "Flow": inert_line(run.flow_name),
            "State": state_cell(run.state_type, run.state_name, paper),
            "Message": inert_line(run.state_message or ""),
            "Waiting": reason or "",
            "Attempt": str(run.attempt),
            "Created": moment(run.created_at),
            "Scheduled": moment(run.scheduled_at),
            "Started": moment(run.started_at),
            "Ended": moment(run.ended_at),
            "Took": duration(run.duration_seconds(paper.now)),
            "Triggered by": run.triggered_by,
            "Parent run": run.parent_run_id or "",
            "Tags": inert_line(", ".join(run.tags)),
            "Entrypoint": inert_line(run.entrypoint or ""),
            "Working dir": inert_line(run.working_dir),
            "Interpreter": inert_line(run.interpreter or ""),
            "Process": "" if run.pid is None else str(run.pid),
            "Exit code": "" if run.exit_code is None else str(run.exit_code),
            "Signal": "" if run.signal is None else str(run.signal),
            "Peak memory": "" if run.peak_rss_bytes is None else f"{run.peak_rss_bytes / 1e6:.1f} MB",
            "CPU time": "" if run.cpu_seconds is None else f"{run.cpu_seconds:.2f}s",
            "Tasks": f"{counts.completed} of {counts.total} completed" if counts.total else "",
            "Reused": "its recorded result, by a later attempt of its parent run" if run.reused else "",
            "Unused results": "" if run.unused_results is None else _unused(run.unused_results),
            "Log": f"{count_text(run.error_count, 'error')}, {count_text(run.warning_count, 'warning')}",
        },
        paper,
    )
    lines += section(
        "Parameters", [f"{inert_line(name)} = {value_text(value)}" for name, value in run.parameters.items()]
    )
    lines += section("Task runs", task_run_table(calls, paper) if calls else [])
    lines += section(
        "Subflow runs", flow_run_table([(subflow, None) for subflow in subflows], paper) if subflows else []
    )
    return lines + problem_lines(run.error)


def run_note(run: FlowRun, reason: str | None) -> str:
    """Say of a run what is worth a look: why it waits, what it failed of, or its message."""
    if reason:
        return reason
    if run.error is not None and run.is_final:
        return error_line(run.error)
    return one_line(run.state_message or "")


def ending(run: FlowRun, paper: Paper) -> str:
    """Say in one line how a run ended."""
    sign = state_sign(run.state_type, run.state_name, unicode=paper.unicode)
    took = duration(run.duration_seconds(paper.now))
    return inert_line(f"{sign} {run.state_name}: run {run.name} ({short_id(run.id)}) after {took or '0.00s'}")


def _unused(unused: UnusedResults) -> str:
    named = ", ".join(inert_line(call) for call in unused.calls)
    return f"{unused.count}: {named}{' …' if unused.count > len(unused.calls) else ''}"
