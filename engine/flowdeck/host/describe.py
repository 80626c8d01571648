"""The process that imports a flow file only to say what flows it holds: `python -P -m flowdeck.host.describe FILE`.

It runs in the watched folder. One JSON document goes to the stdout that it was started with; what the file itself
prints goes to stderr. Flows and tasks that the file calls at module level do not run, and are named with their lines.
"""

from __future__ import annotations

import faulthandler
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from flowdeck.execution.calls import context
from flowdeck.execution.calls.methods import STATIC
from flowdeck.flows import Flow
from flowdeck.host.loading import LoadError, flows_of, flows_of_classes, load_file
from flowdeck.rules.exceptions import DefinitionError, FlowdeckError
from flowdeck.rules.flow_files import OutlinedFlow, find_flows
from flowdeck.rules.options.function_code import code_of
from flowdeck.rules.parameters import parameter_schema
from flowdeck.rules.parameters import parameters as parameter_rules
from flowdeck.rules.parameters.parameter_json import json_value

STACK_AT_SHARE_OF_LIMIT: Final = 0.9
"""When, within the time limit, a file that is still being imported writes to stderr where it is."""
_SHORTEST_SECONDS: Final = 0.01
ALARM_AFTER_LIMIT_SECONDS: Final = 5.0
"""How long after the time limit this process ends by itself: nobody may be left who would end it."""


def main() -> None:
    """Describe the file that the command line names: within the seconds that may follow it, since the moment after."""
    path = Path(sys.argv[1])
    if len(sys.argv) > 2:
        _limit_time(*map(float, sys.argv[2:]))
    out = os.dup(1)
    os.dup2(2, 1)
    sys.argv = [str(path)]
    context.describing = True  # also for threads that the file starts and leaves behind
    described_by = os.getpid()
    description = json.dumps(describe_file(path)).encode()
    if os.getpid() != described_by:
        os._exit(0)  # the file forks, and this is the copy: one of them speaks
    view = memoryview(description)
    while view:
        view = view[os.write(out, view) :]
    # The author's threads and exit handlers belong to a run; nothing here waits for them.
    os._exit(0)


def describe_file(path: Path) -> dict[str, Any]:
    """Import a file and return what it holds.

    Returns:
        `flows`: list of {function, name, line, description, parameter_schema}; `warnings`: list of sentences;
        `error`: {type, message, traceback, file, line} when it cannot be imported, else None.
    """
    context.module_level_calls.clear()
    fork_lines = _noted_forks(path)
    try:
        module = load_file(path)
    except LoadError as error:
        told = {name: getattr(error.error, name) for name in ("type", "message", "traceback", "file", "line")}
        told["message"] = _with_cause(told["type"], told["message"])
        return {"flows": [], "warnings": [], "error": told}
    except FlowdeckError as error:
        told = {"type": type(error).__name__, "message": str(error), "traceback": "", "file": str(path), "line": None}
        return {"flows": [], "warnings": [], "error": told}
    outlined = find_flows(_source_of(path), str(path)).flows
    warnings = [*_call_warnings(), *_fork_warnings(path, fork_lines)]
    flows = _flows(module, outlined, warnings)
    warnings += [*_name_warnings(flows), *_shadow_warnings(outlined), *_missing(module, outlined, flows)]
    if not flows and warnings and outlined:
        told = {"type": "DefinitionError", "message": " ".join(warnings), "traceback": "", "file": str(path)}
        return {"flows": [], "warnings": [], "error": {**told, "line": outlined[0].line}}
    return {"flows": flows, "warnings": warnings, "error": None}


def _noted_forks(path: Path) -> list[int]:
    """Return a list that will have the lines of a file during which the process is copied."""
    lines: list[int] = []
    name = os.path.realpath(path)

    def note() -> None:
        frame = inspect.currentframe()
        while frame is not None and os.path.realpath(frame.f_code.co_filename) != name:
            frame = frame.f_back
        if frame is not None:
            lines.append(frame.f_lineno)

    os.register_at_fork(before=note)
    return lines


def _limit_time(seconds: float, begun: float | None = None) -> None:
    """Count from `begun`, by the monotonic clock that all processes share: this one may have been slow to start."""
    late_seconds = 0.0 if begun is None else max(0.0, time.monotonic() - begun)
    faulthandler.dump_traceback_later(max(_SHORTEST_SECONDS, seconds * STACK_AT_SHARE_OF_LIMIT - late_seconds))
    signal.setitimer(signal.ITIMER_REAL, seconds + ALARM_AFTER_LIMIT_SECONDS)


def _with_cause(kind: str, message: str) -> str:
    """Add to an error what may have led to it and is not seen in it."""
    if kind == "SystemExit":
        return (
            f"The file ends the process when it is imported (exit code {message or 0}). Put what does so under "
            '`if __name__ == "__main__":`.'
        )
    if not context.module_level_calls:
        return message
    name, _, line = context.module_level_calls[-1]
    return (
        f"{message}\nBefore that, line {line} calls '{name}', which does not run while the file is imported and gives "
        'None. Put the call under `if __name__ == "__main__":`.'
    )


def _source_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # gone since it was imported
        return b""


def _flows(module: ModuleType, outlined: Sequence[OutlinedFlow], warnings: list[str]) -> list[dict[str, Any]]:
    lines = {flow.function: flow.line for flow in outlined}
    methods = {name: method for name, method in flows_of_classes(module).items() if method.is_startable()}
    of_objects = {name for name, method in methods.items() if method.binding != STATIC}
    found = {**flows_of(module), **{name: method.flow for name, method in methods.items()}}
    described = [
        {
            "function": function,
            "name": flow.name,
            "line": lines.get(function) or _first_line(flow),
            "description": flow.description,
            "parameter_schema": _schema(flow, warnings, is_method=function in of_objects),
        }
        for function, flow in found.items()
    ]
    return sorted(described, key=lambda flow: flow["line"])


def _first_line(flow: Flow[..., Any]) -> int:
    try:
        return code_of(flow.fn, "").co_firstlineno
    except DefinitionError:
        return 1


def _schema(flow: Flow[..., Any], warnings: list[str], *, is_method: bool) -> dict[str, Any]:
    try:
        signature = parameter_rules.signature_of(flow.fn)
        if is_method:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        hints = parameter_rules.type_hints(flow.fn)
        # Once more through our own JSON: a default inside a model of pydantic may be NaN.
        return json_value(parameter_schema.schema(signature, hints, flow.fn.__doc__)).value
    except Exception as error:  # noqa: BLE001 - annotations and defaults are the author's code
        warnings.append(
            f"The parameters of '{flow.name}' cannot be described ({type(error).__name__}: {error}); any are taken."
        )
        return {"type": "object", "properties": {}, "required": []}


def _call_warnings() -> list[str]:
    return [
        f"{os.path.basename(file)}, line {line}: '{name}' is called when the file is imported. It does not run there; "
        'put the call under `if __name__ == "__main__":`.'
        for name, file, line in context.module_level_calls
    ]


def _fork_warnings(path: Path, lines: Sequence[int]) -> list[str]:
    return [
        f"{path.name}, line {line}: the process is copied (fork) when the file is imported. Put what does so under "
        '`if __name__ == "__main__":`.'
        for line in sorted(set(lines))
    ]


def _name_warnings(flows: Sequence[dict[str, Any]]) -> list[str]:
    first_lines: dict[str, int] = {}
    return [
        f"Two flows are named '{flow['name']}': lines {first_lines[flow['name']]} and {flow['line']}. Give one of them "
        "another name, or address them by FILE:FUNCTION."
        for flow in flows
        if first_lines.setdefault(flow["name"], flow["line"]) != flow["line"]
    ]


def _shadow_warnings(outlined: Sequence[OutlinedFlow]) -> list[str]:
    last_lines = {flow.function: flow.line for flow in outlined}
    return [
        f"Line {last_lines[flow.function]} defines '{flow.function}' again, so that the flow of line {flow.line} is "
        "lost. Give one of them another name."
        for flow in outlined
        if flow.line != last_lines[flow.function]
    ]


def _missing(module: ModuleType, outlined: Sequence[OutlinedFlow], flows: Sequence[dict[str, Any]]) -> list[str]:
    """Say of each flow that the source makes and that cannot be started from here why it cannot."""
    listed = {flow["function"] for flow in flows}
    lines = {flow.function: flow.line for flow in outlined if flow.function not in listed}
    methods = flows_of_classes(module)
    told: list[str] = []
    for function, line in lines.items():
        owner = methods[function].owner if function in methods else None
        if owner is not None:
            told.append(
                f"'{function}' in line {line} is a flow of a class whose objects are made with arguments: it can be "
                "called, but not be started from here. Make it a function of the file, or a classmethod or "
                "staticmethod, for that."
            )
        elif "." not in function and function in vars(module) and vars(module)[function] is not None:
            kind = type(vars(module)[function]).__name__
            told.append(
                f"'{function}' in line {line} is made a flow, but what the file has under that name is a {kind}, from "
                "which the flow is not reached. Put @flow above the other decorators, or use functools.wraps in them."
            )
    return told


if __name__ == "__main__":
    main()
