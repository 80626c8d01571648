"""`flowdeck run FILE[:FLOW]`: a flow here and now, in this process, its log on the terminal."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from flowdeck.cli.engine_checks import now
from flowdeck.cli.flow_reference import parsed_parameters
from flowdeck.cli.printing import lines, note
from flowdeck.cli.verbs import Parser, Verb, add_parameters, parsed
from flowdeck.deck import Deck, RunQuery
from flowdeck.execution.calls import context
from flowdeck.execution.limits.excepthook import ENDED_BY_SIGTERM
from flowdeck.execution.limits.signals import AskedToEnd
from flowdeck.execution.recording.failures import describe
from flowdeck.flows import Flow
from flowdeck.host.loading import (
    LoadError,
    choose_flow,
    compile_file,
    flows_of,
    flows_of_classes,
    load_file,
    put_first,
)
from flowdeck.host.packages import module_file, place_in_package, prepare
from flowdeck.rules.exceptions import CancelledRun, NotFoundError, ParameterError, StoreError, UsageError
from flowdeck.rules.parameters import parameter_checks, parameter_schema
from flowdeck.rules.parameters import parameters as parameter_rules
from flowdeck.rules.states import State
from flowdeck.rules.text.terminal_text import inert

INTERRUPTED: Final = 130
_GUARD_NAME: Final = "__main__"


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck run` with these words."""
    return VERB.run(parsed("flowdeck run", VERB, argv))


def _configure(parser: Parser) -> None:
    parser.add_argument(
        "file", metavar="FILE[:FLOW]", help="file or dotted module of the flow, and the name of its function"
    )
    add_parameters(parser)


def _run(arguments: argparse.Namespace) -> int:
    path, function = _file_and_function(arguments.file)
    try:
        if function is None and not arguments.parameters:
            return _run_script(path)
        return _run_flow(path, function, arguments.parameters)
    except LoadError as error:
        lines(inert(error.error.traceback).split("\n"), sys.stderr)
        raise


def _file_and_function(reference: str) -> tuple[Path, str | None]:
    """Split FILE[:FLOW]; a file may have a colon in its name.

    Raises:
        UsageError: it names a folder.
        NotFoundError: there is no such file.
    """
    file, function = reference, None
    if not os.path.exists(reference) and ":" in reference:
        file, _, function = reference.rpartition(":")
    if not os.path.exists(file) and (found := module_file(file)) is not None:
        file = str(found)
    if os.path.isdir(file):
        raise UsageError(f"{file} is a folder; `flowdeck {file}` opens it, `flowdeck run` takes a file.")
    if not os.path.exists(file):
        hint = "" if file.endswith(".py") else f" To run a flow by its name: flowdeck flow-run create {reference}"
        raise NotFoundError(f"There is no file {file}.{hint}")
    return Path(os.path.abspath(file)), function or None


# -- as a script -------------------------------------------------------------------------------------------------------


def _run_script(path: Path) -> int:
    """Run a file as Python does; when it only defines a flow, run that."""
    code = compile_file(path)
    started_at = now()
    module = _become_script(path)
    try:
        exit_code = _exit_code_of_script(code, module)
        if exit_code == 0 and not _has_guard(path) and not _has_run_a_flow(started_at.timestamp()):
            return _run_only_flow(module, path)
    except KeyboardInterrupt:
        return INTERRUPTED
    except CancelledRun as cancel:
        return _exit_code_of_cancel(cancel)
    return exit_code


def _become_script(path: Path) -> ModuleType:
    """Make this process look to the file as if Python had been started with it."""
    module = ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    _take_place_of_command(path)
    place = place_in_package(Path(os.path.realpath(path)))
    if place is not None and prepare(place):
        module.__package__ = place.package  # as `python -m` does: its relative imports find their package
    return module


def _take_place_of_command(path: Path) -> None:
    """Put the file where the `flowdeck` command stands in `sys.argv`, and its folder where that of the command is."""
    if not sys.flags.safe_path and sys.path[:1] == [os.path.dirname(os.path.realpath(sys.argv[0]))]:
        del sys.path[0]
    sys.argv = [str(path)]
    put_first(os.path.realpath(path.parent))


def _exit_code_of_script(code: CodeType, module: ModuleType) -> int:
    try:
        exec(code, module.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        lines([inert(str(end.code))], sys.stderr)
        return 1
    except Exception as error:
        if isinstance(error, StoreError) or type(error) is UsageError:
            raise  # about the home and its settings, not about the author's file: a sentence is enough
        lines(inert(describe(error).traceback).split("\n"), sys.stderr)
        return 1
    return 0


def _has_guard(path: Path) -> bool:
    """Tell whether a file says itself what to do when it is run: `if __name__ == "__main__":`."""
    return any(
        isinstance(statement, ast.If)
        and any(isinstance(node, ast.Constant) and node.value == _GUARD_NAME for node in ast.walk(statement.test))
        for statement in ast.parse(path.read_bytes()).body
    )


def _has_run_a_flow(since: float) -> bool:
    """Tell whether a flow was called in this process since a moment, by what is recorded."""
    pid = os.getpid()
    with closing(Deck()) as deck:
        recent = deck.flow_runs.select(RunQuery(roots_only=True))
    return any(run.pid == pid and run.created_at.timestamp() >= since for run in recent)


def _run_only_flow(module: ModuleType, path: Path) -> int:
    if not flows_of(module):
        note(f"{path} ran; it defines no flow and called none.")
        return 0
    return _exit_code(_call(_only(module, path), []))


# -- a flow of it ------------------------------------------------------------------------------------------------------


def _run_flow(path: Path, function: str | None, words: Sequence[str]) -> int:
    """Import a file and run one flow of it."""
    _take_place_of_command(path)
    module = load_file(path)
    for name, file, line in context.module_level_calls:
        note(f"{file}, line {line}: the call of '{name}' was not run, since the file is imported here.")
    flow = _only(module, path) if function is None else choose_flow(module, function)
    try:
        return _exit_code(_call(flow, words))
    except KeyboardInterrupt:
        return INTERRUPTED
    except CancelledRun as cancel:
        return _exit_code_of_cancel(cancel)


def _only(module: ModuleType, path: Path) -> Flow[..., Any]:
    flows = flows_of(module)
    if len(flows) == 1:
        return next(iter(flows.values()))
    methods = [name for name, method in flows_of_classes(module).items() if method.is_startable()]
    startable = [*flows, *methods]
    if not startable:
        raise NotFoundError(f"{path} defines no flow that can be started.")
    if len(startable) > 1:
        shown = str(path).removeprefix(os.getcwd() + os.sep)
        choices = ", ".join(f"{shown}:{function}" for function in startable)
        raise UsageError(f"{shown} has {len(startable)} flows; say which: {choices}")
    return choose_flow(module, startable[0])


def _call(flow: Flow[..., Any], words: Sequence[str]) -> State:
    """Call a flow with `name=value` words; the run shows its own log, and keeps its own exception."""
    signature = parameter_rules.signature_of(flow.fn)
    schema = parameter_schema.schema(signature, parameter_rules.type_hints(flow.fn), flow.fn.__doc__)
    values = parsed_parameters(schema, words)
    problems = parameter_checks.validate(schema, values)
    if problems:
        raise ParameterError(f"Flow '{flow.name}': {'; '.join(problems.values())}.")
    positional, named = parameter_rules.call_arguments(signature, values)
    called: Any = flow(*positional, **named, return_state=True)
    if not flow.is_async:
        return called
    import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

    return asyncio.run(called)


def _exit_code_of_cancel(cancel: CancelledRun) -> int:
    return ENDED_BY_SIGTERM if isinstance(cancel, AskedToEnd) else 1


def _exit_code(state: State) -> int:
    if isinstance(state.exception, KeyboardInterrupt):
        return INTERRUPTED
    return 0 if state.is_completed() else 1


VERB: Final = Verb(
    "run a flow in the foreground, its log on stderr",
    _configure,
    _run,
    "FILE alone runs it as `python FILE` does; if it neither calls a flow nor says what to do when it is run,\n"
    "its only flow is called. FILE:FLOW, or -p, imports the file and calls that flow.\n"
    "A value of -p is text where the flow takes text, else JSON, else text.",
)
