"""What the tests of Deck make without an engine: flows as discovery notes them, runs in a state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowdeck.deck import Deck, FlowRun
from flowdeck.rules.states import StateType
from flowdeck.store.catalogue import Catalogue, FlowDescription
from tests.store.rows import force, make_run

SCHEMA = {
    "type": "object",
    "properties": {"day": {"type": "integer"}, "note": {"type": "string", "default": ""}},
    "required": ["day"],
    "additionalProperties": False,
}


def put_flow(deck: Deck, folder: Path, file: str, function: str, name: str | None = None) -> None:
    """Note a flow as discovery does."""
    flow_description = FlowDescription(function, name or function.replace("_", "-"), 3, None, SCHEMA)
    Catalogue(deck._database).put_file(str(folder), file, "sha", "python", "ok", None, [flow_description])


def in_state(deck: Deck, state_type: StateType, **changes: Any) -> FlowRun:
    """Make a run in a state."""
    key = make_run(deck._database, **changes)
    deck._database.write(lambda connection: force(connection, "flow_run", "key", key, state_type))
    run = deck.flow_runs.by_key(key)
    assert run is not None
    return run
