"""What can be copied of a run, a call or a flow. Pure."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.runs.run_actions import retry_obstacle
from flowdeck_tui.actions import actions
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.text import present

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowEntry, FlowRun, RunError


def copies_of_run(run: FlowRun) -> list[CopyChoice]:
    """List what can be copied of a run."""
    short = short_id(run.id)
    found = [
        CopyChoice("id", run.id),
        CopyChoice("name", run.name),
        *copies_of_error(run.error if run.is_final else None),
        CopyChoice("parameters", json.dumps(run.parameters, ensure_ascii=False, indent=2)),
        CopyChoice("logs command", actions.echo("log.full", run=short)),
    ]
    if retry_obstacle(run) is None:
        found.append(CopyChoice("retry command", actions.echo("run.retry", run=short)))
    given = {name: _argument(value) for name, value in run.parameters.items()}
    create = actions.echo("flow.run", flow=shlex.quote(run.flow_name), parameters=present.parameters_echo(given))
    return [*found, CopyChoice("create command", create)]


def copies_of_call(call: CallLine | None) -> list[CopyChoice]:
    """List what can be copied of a call."""
    if call is None:
        return []
    return [CopyChoice("task", call.name), CopyChoice("task message", (call.state_message or "").strip())]


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def copies_of_error(error: RunError | None) -> list[CopyChoice]:
    """List what can be copied of an error: what it says, where it was raised, its traceback."""
    if error is None:
        return []
    said = f"{error.type}: {error.message}" if error.message else error.type
    place = f"{error.file}:{error.line}" if error.file and error.line else error.file or ""
    trace = CopyChoice("traceback", error.traceback or "")
    found = [CopyChoice("error", said), CopyChoice("file and line", place), trace]
    return [choice for choice in found if choice.text]


def copies_of_flow(entry: FlowEntry) -> list[CopyChoice]:
    """List what can be copied of a flow, or of a file that cannot be imported."""
    place = f"{entry.folder}/{entry.file}" + (f":{entry.line}" if entry.line else "")
    found = copies_of_error(entry.error)
    if entry.name is not None:
        found.append(CopyChoice("name", entry.name))
        found.append(
            CopyChoice("create command", actions.echo("flow.run", flow=shlex.quote(entry.name), parameters=""))
        )
    return [*found, CopyChoice("path", place)]
