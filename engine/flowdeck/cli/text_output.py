"""Records as people read them: local time, a sign and a word for each state. Pure.

Every text that came from a user's code is made inert before it stands here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flowdeck.cli.tables import Cell, Paper, fields, section, table
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.states import NOT_READY, StateType
from flowdeck.rules.text.terminal_text import inert, inert_line

if TYPE_CHECKING:
    from flowdeck.deck import EngineStatus, FlowEntry, FlowRun, RunError, TaskRun, UnusedResults

_S = StateType

SIGNS: Final[Mapping[StateType, str]] = {
    _S.SCHEDULED: "◷", _S.PENDING: "◌", _S.RUNNING: "●", _S.PAUSED: "‖", _S.CANCELLING: "□", _S.COMPLETED: "✓",
    _S.FAILED: "✗", _S.CANCELLED: "■", _S.CRASHED: "▲",
}  # fmt: skip
ASCII_SIGNS: Final[Mapping[StateType, str]] = {
    _S.SCHEDULED: "@", _S.PENDING: ".", _S.RUNNING: ">", _S.PAUSED: "=", _S.CANCELLING: "o", _S.COMPLETED: "+",
    _S.FAILED: "x", _S.CANCELLED: "#", _S.CRASHED: "!",
}  # fmt: skip
REFINED_SIGNS: Final = {"AwaitingRetry": ("↻", "~"), NOT_READY: ("–", "-")}
"""State name -> its sign, and that of terminals without Unicode."""

_COLOURS: Final[Mapping[StateType, str]] = {
    _S.RUNNING: "36", _S.PAUSED: "33", _S.CANCELLING: "33", _S.COMPLETED: "32", _S.FAILED: "31", _S.CANCELLED: "33",
    _S.CRASHED: "31",
}  # fmt: skip
_UNKNOWN: Final = "-"
_VALUE_LENGTH: Final = 2_000
"""Characters of a parameter's value that are shown."""


def flow_runs(runs: Iterable[tuple[FlowRun, str | None]], paper: Paper) -> list[str]:
    """List runs, each with the reason why it waits."""
    header = ("RUN", "STATE", "FLOW", "NAME", "STARTED", "TOOK", "TASKS", "")
    rows = [
        (
            short_id(run.id),
            state(run.state_type, run.state_name, paper),
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


def flow_run(
    run: FlowRun, reason: str | None, calls: Sequence[TaskRun], subflows: Sequence[FlowRun], paper: Paper
) -> list[str]:
    """Show one run with all that belongs to it."""
    counts = run.task_counts
    lines = fields(
        {
            "Run": inert_line(run.name),
            "Id": run.id,
            "Flow": inert_line(run.flow_name),
            "State": state(run.state_type, run.state_name, paper),
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
            "Log": f"{_count(run.error_count, 'error')}, {_count(run.warning_count, 'warning')}",
        },
        paper,
    )
    lines += section("Parameters", [f"{inert_line(name)} = {_value(value)}" for name, value in run.parameters.items()])
    lines += section("Task runs", task_runs(calls, paper) if calls else [])
    lines += section("Subflow runs", flow_runs([(subflow, None) for subflow in subflows], paper) if subflows else [])
    return lines + problem(run.error)


def task_runs(calls: Iterable[TaskRun], paper: Paper) -> list[str]:
    """List task runs."""
    rows = [
        (
            str(call.id),
            state(call.state_type, call.state_name, paper),
            inert_line(call.name),
            str(call.attempt),
            clock(call.started_at, paper),
            duration(call.duration_seconds(paper.now)),
            _task_note(call),
        )
        for call in calls
    ]
    return table(("TASK RUN", "STATE", "NAME", "ATTEMPT", "STARTED", "TOOK", ""), rows, paper)


def task_run(call: TaskRun, paper: Paper) -> list[str]:
    """Show one task run."""
    lines = fields(
        {
            "Task run": inert_line(call.name),
            "Id": str(call.id),
            "Task": inert_line(call.task_name),
            "Flow run": call.flow_run_id,
            "State": state(call.state_type, call.state_name, paper),
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
    return lines + problem(call.error)


def flows(entries: Sequence[FlowEntry], paper: Paper) -> list[str]:
    """List flows, and the files that could not be imported; below the name of their folder if there are several."""
    by_folder: dict[str, list[FlowEntry]] = {}
    for entry in entries:
        by_folder.setdefault(entry.folder, []).append(entry)
    if len(by_folder) == 1:
        return _flows_of_folder(entries, paper)
    lines: list[str] = []
    for folder, members in by_folder.items():
        lines += ["", f"{inert_line(folder)}:", *_flows_of_folder(members, paper)]
    return lines[1:]


def _flows_of_folder(entries: Sequence[FlowEntry], paper: Paper) -> list[str]:
    rows: list[tuple[Cell | str, ...]] = []
    for entry in entries:
        last = Cell("") if entry.last_run_state is None else _last_run(entry.last_run_state, paper)
        about = Cell(_one_line(entry.description or ""))
        if entry.status != "ok":
            about = Cell(f"{_trouble(entry)}: {error_line(entry.error)}", _COLOURS[_S.FAILED])
        name = inert_line(entry.name) if entry.name else _UNKNOWN
        rows.append((name, inert_line(entry.entrypoint), last, about))
    return table(("FLOW", "FILE", "LAST RUN", ""), rows, paper)


def _trouble(entry: FlowEntry) -> str:
    """Say what is wrong with a file that gives no flow."""
    is_imported = entry.error is not None and entry.error.type == "DefinitionError" and not entry.error.traceback
    return "no flow of it can be started" if is_imported else "cannot be imported"


def flow(entry: FlowEntry, paper: Paper) -> list[str]:
    """Show one flow with its parameters."""
    lines = fields(
        {
            "Flow": inert_line(entry.name or _UNKNOWN),
            "Entrypoint": inert_line(entry.entrypoint),
            "Folder": inert_line(entry.folder),
            "Line": str(entry.line or ""),
            "Status": Cell("ok") if entry.status == "ok" else Cell(_trouble(entry), _COLOURS[_S.FAILED]),
            "About": _one_line(entry.description or ""),
            "Last run": Cell("") if entry.last_run_state is None else _last_run(entry.last_run_state, paper),
            "Last run id": entry.last_run_id or "",
        },
        paper,
    )
    schema = entry.parameter_schema or {}
    required = set(schema.get("required", ()))
    rows = [
        (
            inert_line(name),
            inert_line(str(prop.get("format") or prop.get("type") or "any")),
            "required" if name in required else _value(prop.get("default")),
            _one_line(str(prop.get("description") or "")),
        )
        for name, prop in schema.get("properties", {}).items()
    ]
    lines += section("Parameters", table(("NAME", "TYPE", "DEFAULT", ""), rows, paper) if rows else [])
    return lines + problem(entry.error, "Error" if entry.status != "ok" else "Note")


def engine(status: EngineStatus, paper: Paper) -> list[str]:
    """Show what is known of the engine."""
    running = Cell("running", _COLOURS[_S.COMPLETED]) if status.running else Cell("not running")
    folders = [inert_line(folder) for folder in status.folders]
    shown = {
        "Engine": running,
        "Process": "" if status.pid is None else str(status.pid),
        "Started": moment(status.started_at),
        "Version": status.version or "",
    }
    return fields(shown, paper) + section(
        "Watched folders", folders or ["none; `flowdeck server start FOLDER` adds one"]
    )


# -- parts -------------------------------------------------------------------------------------------------------------


def state(state_type: StateType, state_name: str, paper: Paper) -> Cell:
    """Write a state: its sign and its name."""
    return Cell(f"{state_sign(state_type, state_name, paper.unicode)} {inert_line(state_name)}", _colour(state_type))


def state_sign(state_type: StateType, state_name: str, unicode: bool) -> str:
    """Return the sign of a state, the same as on the screen."""
    if refined := REFINED_SIGNS.get(state_name):
        return refined[0 if unicode else 1]
    return (SIGNS if unicode else ASCII_SIGNS)[state_type]


def run_note(run: FlowRun, reason: str | None) -> str:
    """Say of a run what is worth a look: why it waits, what it failed of, or its message."""
    if reason:
        return reason
    if run.error is not None and run.is_final:
        return error_line(run.error)
    return _one_line(run.state_message or "")


def ending(run: FlowRun, paper: Paper) -> str:
    """Say in one line how a run ended."""
    sign = state_sign(run.state_type, run.state_name, paper.unicode)
    took = duration(run.duration_seconds(paper.now))
    return inert_line(f"{sign} {run.state_name}: run {run.name} ({short_id(run.id)}) after {took or '0.00s'}")


def duration(seconds: float | None) -> str:
    """Write a duration in a few characters; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def clock(at: datetime | None, paper: Paper) -> str:
    """Write a moment in local time: the time if it was today, else the day too; empty when unknown."""
    if at is None:
        return ""
    local = at.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == paper.now.astimezone().date() else "%Y-%m-%d %H:%M")


def moment(at: datetime | None) -> str:
    """Write a moment in local time, in full; empty when unknown."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def problem(error: RunError | None, title: str = "Error") -> list[str]:
    """Show why something failed, its traceback as Python writes it."""
    if error is None:
        return []
    text = inert(error.traceback or f"{error.type}: {error.message}")
    return section(title, text.split("\n"))


def _colour(state_type: StateType) -> str:
    return _COLOURS.get(state_type, "")


def _last_run(state_type: StateType, paper: Paper) -> Cell:
    return state(state_type, state_type.capitalize(), paper)


def _task_note(call: TaskRun) -> str:
    if call.error is not None:
        return error_line(call.error)
    return _one_line(call.state_message or call.result_preview or "")


def error_line(error: RunError | None) -> str:
    """Write an error as one line: its type, the first line of its message, and where it was raised."""
    if error is None:
        return ""
    place = ""
    if error.file:
        line = f":{error.line}" if error.line else ""
        place = f" ({error.file.rpartition('/')[2]}{line})"
    return inert_line(f"{error.type}: {_first_line(error.message)}{place}")


def _one_line(text: str) -> str:
    return inert_line(" ".join(text.split()))


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _VALUE_LENGTH:
        return inert_line(text)
    return f"{inert_line(text[:_VALUE_LENGTH])}… ({len(text):,} characters; --json has them all)"


def _unused(unused: UnusedResults) -> str:
    named = ", ".join(inert_line(call) for call in unused.calls)
    return f"{unused.count}: {named}{' …' if unused.count > len(unused.calls) else ''}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
