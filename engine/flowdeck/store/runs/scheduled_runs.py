"""Runs that are asked for: what a flow of the catalogue, or the record of an earlier run, makes of a request."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowdeck.rules.exceptions import ParameterError, RefusedError, UsageError
from flowdeck.rules.parameters import parameter_checks
from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.runs.run_names import new_run_name
from flowdeck.rules.states import named
from flowdeck.store.records import FlowEntry, FlowRun
from flowdeck.store.runs.flow_runs import NewFlowRun
from flowdeck.store.runs.launch_context import why_not_startable

NAME_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What may be said of a new run beside its flow and parameters. Times in microseconds since 1970 UTC.

    Attributes:
        at: now.
        name: None for a random one of two words.
        scheduled_at: time of the start; None for now.
        key: deduplication key of the request.
        triggered_by: origin of the request: `cli`, `tui` or `api`.
        tags: tags of the run.
    """

    at: int
    name: str | None = None
    scheduled_at: int | None = None
    key: str | None = None
    triggered_by: str = "api"
    tags: Collection[str] = ()


def scheduled(
    flow: FlowEntry, parameters: Mapping[str, Any], request: RunRequest, origin: FlowRun | None = None
) -> NewFlowRun:
    """Return the run of a flow, for an engine to start.

    Args:
        flow: the flow to run.
        parameters: JSON values by name.
        request: the options of the new run.
        origin: the run that is run once more.

    Raises:
        ParameterError: the parameters do not fit the flow.
        RefusedError: the flow's file has no version that could be imported.
        UsageError: the name is too long, or empty.
    """
    if flow.function is None or flow.parameter_schema is None:
        raise RefusedError(f"{flow.file} could not be imported, so it has no flow to run. Mend the file first.")
    if request.name is not None and not 0 < len(request.name) <= NAME_LENGTH:
        raise UsageError(f"A run's name has 1 to {NAME_LENGTH} characters, not {len(request.name)}.")
    problems = parameter_checks.validate(flow.parameter_schema, parameters)
    if problems:
        raise ParameterError(f"Flow '{flow.name}': " + " ".join(problems.values()))
    run_id = new_run_id()
    is_recorded = origin is not None and flow == entry_of(origin)
    return NewFlowRun(
        id=run_id,
        name=request.name or new_run_name(),
        flow_name=flow.name or flow.function,
        entrypoint=flow.entrypoint,
        working_dir=flow.folder,
        source_file=os.path.join(flow.folder, flow.file),
        function=flow.function,
        state=named("Scheduled"),
        at=request.at,
        scheduled_at=request.at if request.scheduled_at is None else request.scheduled_at,
        triggered_by=request.triggered_by,
        parameters=json.dumps(dict(parameters)),
        root_run_id=run_id,
        origin_run_id=None if origin is None else origin.id,
        dedup_key=request.key,
        tags=tuple(request.tags),
        environment=json.dumps(dict(os.environ)),
        # The catalogue knows the Python of its flows; of others only the record does.
        interpreter=origin.interpreter if is_recorded and origin is not None else None,
    )


def entry_of(run: FlowRun) -> FlowEntry:
    """Return the flow of a run as far as its record tells; any parameters are taken."""
    file = run.source_file or ""
    if Path(file).is_relative_to(run.working_dir):
        file = os.path.relpath(file, run.working_dir)
    schema = {"type": "object"}
    return FlowEntry(run.working_dir, file, run.function, run.flow_name, None, None, schema, "ok", None)


def check_record(run: FlowRun, participle: str, parameters: Mapping[str, Any]) -> None:
    """Make sure that a run can be started from its record.

    Args:
        run: the run.
        participle: the action as a participle, such as `retried`.
        parameters: with which.

    Raises:
        RefusedError: its file is not known or gone, or a parameter was a value that JSON cannot hold.
    """
    reason = why_not_startable(run.source_file, run.function, parameters, participle)
    if reason is not None:
        raise RefusedError(f"Run '{run.name}' {reason}")
