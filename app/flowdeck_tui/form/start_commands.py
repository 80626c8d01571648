"""The commands that a submitted run form gives: a new run of a flow, or the flow of a run once more."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions import actions
from flowdeck_tui.live.messages import Command
from flowdeck_tui.text.present import parameters_echo

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun
    from flowdeck_tui.form.form_fields import Filled


def create(entry: FlowEntry, filled: Filled) -> Command:
    """Start a flow."""
    flow = entry.name or entry.entrypoint
    return Command(
        lambda deck: deck.flow_runs.create(
            entry, filled.values, name=filled.name, tags=filled.tags, triggered_by="tui"
        ),
        lambda run: f"{inert_line(run.name)} is a new run of {inert_line(flow)}",
        actions.echo("flow.run", flow=shlex.quote(inert_line(flow)), parameters=inert_line(form_echo(filled))),
        needs_engine=True,
    )


def rerun(run: FlowRun, filled: Filled) -> Command:
    """Start the flow of a run once more, as a new run."""
    return Command(
        lambda deck: deck.flow_runs.rerun(
            run.id, filled.values, name=filled.name, tags=filled.tags, triggered_by="tui"
        ),
        lambda new: f"{inert_line(new.name)} is a new run, with {inert_line(run.name)} as its origin",
        actions.echo("run.rerun", run=short_id(run.id), parameters=inert_line(form_echo(filled))),
        needs_engine=True,
    )


def form_echo(filled: Filled) -> str:
    """Write what a form adds to a command line: parameters, name and tags."""
    name = f" --name {shlex.quote(filled.name)}" if filled.name else ""
    tags = "".join(f" --tag {shlex.quote(tag)}" for tag in filled.tags)
    return f"{parameters_echo(filled.texts)}{name}{tags}"
