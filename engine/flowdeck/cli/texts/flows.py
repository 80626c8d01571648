"""Flows, and files that could not be imported, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdeck.cli.tables import Cell, Paper, fields, section, table
from flowdeck.cli.texts.parts import COLOURS, UNKNOWN, error_line, one_line, problem_lines, state_cell, value_text
from flowdeck.rules.states import StateType
from flowdeck.rules.text.terminal_text import inert_line

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry


def flow_table(entries: Sequence[FlowEntry], paper: Paper) -> list[str]:
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
        about = Cell(one_line(entry.description or ""))
        if entry.status != "ok":
            about = Cell(f"{_trouble(entry)}: {error_line(entry.error)}", COLOURS[StateType.FAILED])
        name = inert_line(entry.name) if entry.name else UNKNOWN
        rows.append((name, inert_line(entry.entrypoint), last, about))
    return table(("FLOW", "FILE", "LAST RUN", ""), rows, paper)


def flow_lines(entry: FlowEntry, paper: Paper) -> list[str]:
    """Show one flow with its parameters."""
    lines = fields(
        {
            "Flow": inert_line(entry.name or UNKNOWN),
            "Entrypoint": inert_line(entry.entrypoint),
            "Folder": inert_line(entry.folder),
            "Line": str(entry.line or ""),
            "Status": Cell("ok") if entry.status == "ok" else Cell(_trouble(entry), COLOURS[StateType.FAILED]),
            "About": one_line(entry.description or ""),
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
            "required" if name in required else value_text(prop.get("default")),
            one_line(str(prop.get("description") or "")),
        )
        for name, prop in schema.get("properties", {}).items()
    ]
    lines += section("Parameters", table(("NAME", "TYPE", "DEFAULT", ""), rows, paper) if rows else [])
    return lines + problem_lines(entry.error, "Error" if entry.status != "ok" else "Note")


def _last_run(state_type: StateType, paper: Paper) -> Cell:
    return state_cell(state_type, state_type.capitalize(), paper)


def _trouble(entry: FlowEntry) -> str:
    """Say what is wrong with a file that gives no flow."""
    is_imported = entry.error is not None and entry.error.type == "DefinitionError" and not entry.error.traceback
    return "no flow of it can be started" if is_imported else "cannot be imported"
