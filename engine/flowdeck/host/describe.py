"""The process that imports a flow file only to say what flows it holds: `python -P -m flowdeck.host.describe FILE`.

It runs in the watched folder. One JSON document goes to the stdout that it was started with; what the file itself
prints goes to stderr. Flows and tasks that the file calls at module level do not run, and are named with their lines.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from flowdeck.execution import context
from flowdeck.flows import Flow
from flowdeck.host.loading import LoadError, flows_of, load_file
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.flow_files import find_flows


def main() -> int:
    """Describe the file that the command line names; return the exit code."""
    path = Path(sys.argv[1])
    out = os.dup(1)
    os.dup2(2, 1)
    sys.argv = [str(path)]
    document = json.dumps(describe_file(path)).encode()
    view = memoryview(document)
    while view:
        view = view[os.write(out, view) :]
    return 0


def describe_file(path: Path) -> dict[str, Any]:
    """Import a file and return what it holds.

    Returns:
        `flows`: list of {function, name, line, description, parameter_schema}; `warnings`: list of sentences;
        `error`: {type, message, traceback, file, line} when it cannot be imported, else None.
    """
    context.module_level_calls.clear()
    try:
        module = load_file(path)
    except LoadError as error:
        told = {name: getattr(error.error, name) for name in ("type", "message", "traceback", "file", "line")}
        return {"flows": [], "warnings": [], "error": told}
    except FlowdeckError as error:
        message = str(error)
        told = {"type": type(error).__name__, "message": message, "traceback": "", "file": str(path), "line": None}
        return {"flows": [], "warnings": [], "error": told}
    flows = _flows(module, path)
    return {"flows": flows, "warnings": _warnings(flows), "error": None}


def _flows(module: ModuleType, path: Path) -> list[dict[str, Any]]:
    lines = {outlined.function: outlined.line for outlined in find_flows(path.read_bytes(), str(path)).flows}
    described = [
        {
            "function": function,
            "name": flow.name,
            "line": lines.get(function, _first_line(flow)),
            "description": flow.description,
            "parameter_schema": _schema(flow),
        }
        for function, flow in flows_of(module).items()
    ]
    return sorted(described, key=lambda flow: flow["line"])


def _first_line(flow: Flow[..., Any]) -> int:
    return flow.fn.__code__.co_firstlineno


def _schema(flow: Flow[..., Any]) -> dict[str, Any]:
    signature = parameter_rules.signature_of(flow.fn)
    return parameter_rules.schema(signature, parameter_rules.type_hints(flow.fn), flow.fn.__doc__)


def _warnings(flows: list[dict[str, Any]]) -> list[str]:
    warnings: list[str] = []
    for name, file, line in context.module_level_calls:
        warnings.append(
            f"{os.path.basename(file)}, line {line}: '{name}' is called when the file is imported. It does not run "
            f'there; put the call under `if __name__ == "__main__":`.'
        )
    seen: dict[str, int] = {}
    for flow in flows:
        first = seen.setdefault(flow["name"], flow["line"])
        if first != flow["line"]:
            warnings.append(
                f"Two flows are named '{flow['name']}': lines {first} and {flow['line']}. Give one of them another "
                "name, or address them by FILE:FUNCTION."
            )
    return warnings


if __name__ == "__main__":
    sys.exit(main())
