"""Importing a flow file as flowdeck does everywhere: to describe it, to run it for an engine, for `flowdeck run`.

The file is compiled from what is on disk now, never taken from a bytecode cache: a cache tells versions apart by whole
seconds, and a file is imported at the moment it is saved.
"""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import replace
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from flowdeck.execution.calls import context
from flowdeck.execution.calls.methods import CLASS, STATIC
from flowdeck.execution.recording.failures import describe
from flowdeck.flows import Flow, flow_of_task
from flowdeck.host.packages import import_by_package, place_in_package, prepare
from flowdeck.rules.exceptions import CancelledRun, DefinitionError, FlowdeckError, NotFoundError, RefusedError
from flowdeck.rules.options.function_code import code_of
from flowdeck.store.run_values import RunError
from flowdeck.tasks import Task, name_of

_MOST_DECORATORS: Final = 50


class LoadError(FlowdeckError):
    """A flow file cannot be imported.

    Args:
        path: the path of the flow file.
        error: the exception that its code raised.

    Attributes:
        error: what its code raised, as it is recorded; the traceback is the author's part of it.
    """

    def __init__(self, path: Path, error: RunError) -> None:
        first_line = error.message.strip().partition("\n")[0]
        told = f"{error.type}: {first_line}" if first_line else error.type
        super().__init__(f"{path} cannot be imported: {told}{_place(path, error)}.")
        self.error = error


def module_name_of(path: Path) -> str:
    """Return the name under which a flow file is imported: the one by which files beside it import it.

    So an `import etl` elsewhere finds the same module, and what its tasks send to other processes can be found there.
    A file whose name is no module name, or that of a module which is in use already, gets one of its own.
    """
    stem = path.stem
    taken = stem in sys.stdlib_module_names or not _is_from(sys.modules.get(stem), path)
    if stem.isidentifier() and not taken:
        return stem
    return "flow_file_" + "".join(character if character.isalnum() else "_" for character in stem)


def load_file(path: Path, module_name: str | None = None) -> ModuleType:
    """Import a flow file anew, with its folder first in `sys.path`; one of a package by that, from its root.

    Flows and tasks that the file calls at module level do not run; `context.module_level_calls` names them.

    Args:
        path: the file.
        module_name: the name of its module in `sys.modules`; None for that in its package, or `module_name_of(path)`.

    Raises:
        NotFoundError: there is no such file.
        LoadError: it cannot be read or compiled, or its own code raised.
    """
    path = Path(os.path.realpath(path))
    code = compile_file(path)
    put_first(str(path.parent))
    place = place_in_package(path)
    if place is not None and not (module_name in {None, place.name} and prepare(place)):
        place = None
    name = place.name if place is not None else module_name or module_name_of(path)
    context.flow_files[name] = str(path)
    replaced = sys.modules.get(name)
    was_describing, context.describing = context.describing, True
    calls_before = len(context.module_level_calls)
    try:
        return _execute(path, name, code) if place is None else import_by_package(path, place, code)
    except (KeyboardInterrupt, CancelledRun):
        raise
    except BaseException as error:
        sys.modules.pop(name, None)
        if replaced is not None:
            sys.modules[name] = replaced
        raise LoadError(path, _with_hint(describe(error), calls_before)) from error
    finally:
        context.describing = was_describing


def _execute(path: Path, name: str, code: CodeType) -> ModuleType:
    module = _new_module(name, path)
    sys.modules[name] = module  # before its code runs: dataclasses and pickle look their module up there
    exec(code, module.__dict__)
    return module


def compile_file(path: Path) -> CodeType:
    """Compile a file as it is on disk now.

    Raises:
        NotFoundError: there is no such file.
        LoadError: it cannot be read, or is not valid Python.
    """
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.") from None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise LoadError(path, describe(error)) from error


def flows_of(module: ModuleType) -> dict[str, Flow[..., Any]]:
    """Return the flows that a module's own file defines, by the name they have there, in its order.

    A flow that the file imports belongs to another file. One that has two names here counts under that of its function.
    One that stands behind a decorator (with `functools.wraps`) counts, without that.
    """
    flows: dict[int, tuple[str, Flow[..., Any]]] = {}
    for name, value in vars(module).items():
        flow = _behind_decorators(value)
        if flow is not None and _is_defined_in(flow, module):
            known = flows.get(id(flow))
            if known is None or name == name_of(flow.fn, "flow"):
                flows[id(flow)] = (name, flow)
    return dict(flows.values())


class ClassFlow(NamedTuple):
    """A flow of a class."""

    owner: type
    flow: Flow[..., Any]
    binding: str
    """What it is bound to when it is called: an instance, the class, or nothing."""

    def is_startable(self) -> bool:
        """Tell whether it can be started without an object of the author's."""
        return self.binding in {STATIC, CLASS} or not needs_arguments(self.owner)

    def startable(self, name: str) -> Flow[..., Any]:
        """Return it as a flow that needs no object: it is called on the class, or on a new object of it.

        Args:
            name: the name of the flow, for the error.

        Raises:
            RefusedError: its class takes arguments.
        """
        if self.binding == STATIC:
            return self.flow
        if self.binding == CLASS:
            return self.flow.bound_to(self.owner)
        if not self.is_startable():
            raise RefusedError(
                f"'{name}' is a flow of an object, and {self.owner.__name__} takes arguments to make one. Make it a "
                "function of the file, or a classmethod or staticmethod, to start it from here."
            )
        return self.flow.bound_to(self.owner())


def flows_of_classes(module: ModuleType) -> dict[str, ClassFlow]:
    """Return the flows of a module's classes, by `Class.method`."""
    found: dict[str, ClassFlow] = {}
    left = [(name, value) for name, value in vars(module).items() if _is_own_class(value, module)]
    seen: set[int] = set()
    while left:
        prefix, owner = left.pop(0)
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        for name, value in vars(owner).items():
            flow = _behind_decorators(value)
            if flow is not None:
                outer = {staticmethod: STATIC, classmethod: CLASS}.get(type(value), flow.binding)
                found[f"{prefix}.{name}"] = ClassFlow(owner, flow, outer)
            elif _is_own_class(value, module):
                left.append((f"{prefix}.{name}", value))
    return found


def needs_arguments(owner: type) -> bool:
    """Tell whether an object of a class cannot be made without arguments."""
    try:
        parameters = inspect.signature(owner).parameters.values()
    except (TypeError, ValueError):
        return False
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(one.default is inspect.Parameter.empty and one.kind not in variadic for one in parameters)


def find_flow(path: Path, function: str) -> Flow[..., Any]:
    """Import a file and return one flow of it.

    Args:
        path: the file.
        function: the name of the flow's function, or of the variable that holds the flow.

    Raises:
        NotFoundError: there is no such file, or no such flow in it; the sentence lists those that there are.
        LoadError: the file cannot be imported.
    """
    return choose_flow(load_file(path), function)


def choose_flow(module: ModuleType, function: str) -> Flow[..., Any]:
    """Return the flow of a loaded file that has this name, function name, or flow name; or else the task, as a flow.

    Raises:
        NotFoundError: it has none; the sentence lists those that can be started.
        RefusedError: it is a method of objects that cannot be made without arguments.
    """
    flows, methods = flows_of(module), flows_of_classes(module)
    if function in flows:
        return flows[function]
    if function in methods:
        return methods[function].startable(function)
    for flow in flows.values():
        # A run that a script recorded names the function, also where a variable of another name holds the flow.
        if function in (name_of(flow.fn, "flow"), flow.name):
            return flow
    for value in vars(module).values():
        # A task that was called outside of flows has a flow run of its own.
        if isinstance(value, Task) and name_of(value.fn, "task") == function and _is_defined_in(value, module):
            return flow_of_task(value)
    startable = [*flows, *(name for name, method in methods.items() if method.is_startable())]
    there_are = f"it has {', '.join(startable)}" if startable else "it has none that can be started"
    raise NotFoundError(f"There is no flow '{function}' in {module.__file__}: {there_are}.")


def put_first(folder: str) -> None:
    """Make a folder the first place in which modules are looked for, as it is for a script that lies there."""
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _new_module(name: str, path: Path) -> ModuleType:
    loader = SourceFileLoader(name, str(path))
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    module = ModuleType(name)
    module.__file__, module.__loader__, module.__spec__, module.__package__ = str(path), loader, spec, ""
    return module


def _is_from(module: ModuleType | None, path: Path) -> bool:
    """Tell whether a module was loaded from this file; no module counts as yes."""
    file = getattr(module, "__file__", None)
    return module is None or (isinstance(file, str) and os.path.realpath(file) == os.path.realpath(path))


def _is_defined_in(flow: Flow[..., Any] | Task[..., Any], module: ModuleType) -> bool:
    if module.__name__ in (getattr(flow.fn, "__module__", None), getattr(flow, "made_in", None)):
        return True
    try:
        return module.__file__ is not None and code_of(flow.fn, "").co_filename == module.__file__
    except DefinitionError:
        return False


def _behind_decorators(value: Any) -> Flow[..., Any] | None:
    """Return the flow that a value is, or that a decorator of the author's stands around."""
    for _ in range(_MOST_DECORATORS):
        if isinstance(value, Flow):
            return value
        if not isinstance(value, FunctionType | partial | staticmethod | classmethod):
            return None
        value = getattr(value, "__wrapped__", None)
    return None


def _is_own_class(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _with_hint(error: RunError, calls_before: int) -> RunError:
    """Name the calls that did not run: what a file makes of their missing result may well be what it failed of."""
    calls = context.module_level_calls[calls_before:]
    if not calls:
        return error
    name, _, line = calls[-1]
    hint = f"the call of '{name}' in line {line} does not run when the file is imported"
    return replace(error, message=f"{error.message} ({hint})")


def _place(path: Path, error: RunError) -> str:
    if error.line is None or f"line {error.line})" in error.message:
        return ""  # a SyntaxError says it itself
    same = error.file is not None and os.path.realpath(error.file) == str(path)
    return f" (line {error.line})" if same else f" ({error.file}, line {error.line})"
