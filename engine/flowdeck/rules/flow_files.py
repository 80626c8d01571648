"""What a file's source tells of its flows, without running it.

Names are followed through the file as a whole: an import inside a function or an `if` counts everywhere in it.
That finds a few files too many and none too few; importing the file afterwards gives the exact answer.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowdeck.rules.prefect_names import AUTHORING_MODULES, FLOW, FLOW_CLASS

_ROOTS: Final = frozenset(module.partition(".")[0] for module in AUTHORING_MODULES)
_IMPORT_LINE: Final = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(?:flowdeck|prefect)\b", re.MULTILINE)
_FLOW_DECORATOR: Final = re.compile(rb"^[ \t]*@[\w.]*flow\b", re.MULTILINE)

_SHOWN_TEXT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class OutlinedFlow:
    """A function that becomes a flow, or a name to which one is assigned.

    Attributes:
        function: name in the module; of a method `Class.method`.
        line: line of its `def`, or of the assignment (from 1).
        name: what `name=` says, where that is plain text; None otherwise.
    """

    function: str
    line: int
    name: str | None


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why a source cannot be parsed; `line` and `text` are None when that cannot be told."""

    message: str
    line: int | None
    text: str | None


@dataclass(frozen=True, slots=True)
class FlowFileOutline:
    """What the source of a file tells.

    Attributes:
        flows: those at module level and in classes, in the order of the file.
        makes_flows: a flow is made somewhere in the file, perhaps inside a function or a list.
        problem: why the file cannot be parsed; `flows` is empty then, and `makes_flows` a guess by its text.
    """

    flows: tuple[OutlinedFlow, ...] = ()
    makes_flows: bool = False
    problem: SyntaxProblem | None = None


def candidate(source: bytes) -> bool:
    """Tell, at the cost of a search for bytes, whether a file is worth parsing."""
    return b"flowdeck" in source or b"prefect" in source


def find_flows(source: bytes, filename: str) -> FlowFileOutline:
    """Parse a source and list the flows it defines.

    Args:
        source: the file as it is on disk; its coding line is honoured.
        filename: name of the file, for messages only.
    """
    try:
        with warnings.catch_warnings():
            # Parsing warns of things such as invalid escapes: matters of the author's own test run.
            warnings.simplefilter("ignore")
            module = ast.parse(source, filename)
    except SyntaxError as error:
        text = error.text.rstrip("\r\n")[:_SHOWN_TEXT_LENGTH] if error.text else None
        problem = SyntaxProblem(error.msg, error.lineno, text)
    except ValueError as error:
        problem = SyntaxProblem(str(error), None, None)
    except (RecursionError, MemoryError):
        problem = SyntaxProblem("the source is nested too deeply to be parsed", None, None)
    else:
        return _Outliner(module).outline()
    makes_flows = bool(_IMPORT_LINE.search(source) and _FLOW_DECORATOR.search(source))
    return FlowFileOutline(makes_flows=makes_flows, problem=problem)


class _Outliner:
    """Follows the names that stand for the flow decorator, and collects what it is applied to."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self._meanings: dict[str, str] = {}
        """Dotted name as written in the file -> what it means in flowdeck."""
        self._flow_names: set[str] = set()
        self._flows: list[OutlinedFlow] = []

    def outline(self) -> FlowFileOutline:
        for node in ast.walk(self._module):
            if isinstance(node, ast.Import):
                self._note_import(node)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self._note_import_from(node, node.module)
        if not self._meanings:
            return FlowFileOutline()
        self._visit_body(self._module.body, prefix="")
        return FlowFileOutline(tuple(self._flows), any(map(self._uses_flow, ast.walk(self._module))))

    def _note_import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root not in _ROOTS:
                continue
            if alias.asname:
                self._note_module(alias.asname, alias.name)
                continue
            for module in AUTHORING_MODULES:
                # `import prefect.tasks` binds `prefect`, and with it all that hangs on it.
                if module.partition(".")[0] == root:
                    self._note_module(module, module)

    def _note_import_from(self, node: ast.ImportFrom, module: str) -> None:
        names = AUTHORING_MODULES.get(module)
        if names is None:
            return
        for alias in node.names:
            if alias.name == "*":
                self._meanings.update(names)
            elif alias.name in names:
                self._meanings[alias.asname or alias.name] = names[alias.name]
            else:
                self._note_module(alias.asname or alias.name, f"{module}.{alias.name}")

    def _note_module(self, written: str, module: str) -> None:
        for name, meaning in AUTHORING_MODULES.get(module, {}).items():
            self._meanings[f"{written}.{name}"] = meaning

    def _visit_body(self, body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._visit_function(statement, prefix)
            elif isinstance(statement, ast.ClassDef):
                self._visit_body(statement.body, f"{prefix}{statement.name}.")
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                self._visit_assignment(statement, prefix)
            else:
                for inner in _blocks(statement):
                    self._visit_body(inner, prefix)

    def _visit_function(self, function: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> None:
        for decorator in function.decorator_list:
            if self._makes_decorator(decorator):
                self._add(f"{prefix}{function.name}", function.lineno, decorator)
                break

    def _visit_assignment(self, statement: ast.Assign | ast.AnnAssign, prefix: str) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        value = statement.value
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if value is None or not names:
            return
        if self._makes_decorator(value):
            self._meanings.update(dict.fromkeys(names, FLOW))
        elif isinstance(value, ast.Call) and self._makes_flow(value):
            for name in names:
                self._add(f"{prefix}{name}", statement.lineno, value)

    def _add(self, function: str, line: int, made_by: ast.expr) -> None:
        self._flow_names.add(function)
        self._flows.append(OutlinedFlow(function, line, _literal_name(made_by)))

    def _uses_flow(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and self._meanings.get(_dotted(node.func) or "") == FLOW_CLASS:
            return True
        return isinstance(node, ast.Name | ast.Attribute) and self._is_flow_decorator(node)

    def _is_flow_decorator(self, node: ast.expr) -> bool:
        return self._meanings.get(_dotted(node) or "") == FLOW

    def _makes_decorator(self, node: ast.expr) -> bool:
        """Tell whether an expression is the decorator itself: `flow`, `flow(retries=2)`, `partial(flow, ...)`."""
        if not isinstance(node, ast.Call):
            return self._is_flow_decorator(node)
        if (_dotted(node.func) or "").rpartition(".")[2] == "partial":
            return bool(node.args) and self._is_flow_decorator(node.args[0])
        return self._is_flow_decorator(node.func) and not _takes_function(node)

    def _makes_flow(self, call: ast.Call) -> bool:
        """Tell whether a call gives a flow: `flow(fn)`, `flow(name=...)(fn)`, `Flow(fn)`, `known.with_options(...)`."""
        if isinstance(call.func, ast.Attribute) and call.func.attr == "with_options":
            return _dotted(call.func.value) in self._flow_names
        if isinstance(call.func, ast.Call):
            return self._makes_decorator(call.func) and _takes_function(call)
        if self._meanings.get(_dotted(call.func) or "") == FLOW_CLASS:
            return True
        return self._is_flow_decorator(call.func) and _takes_function(call)


def _takes_function(call: ast.Call) -> bool:
    return bool(call.args) or any(keyword.arg in {"fn", "__fn"} for keyword in call.keywords)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the bodies of `if`, `try`, `with`, loops and `match`."""
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for branch in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield branch.body


def _dotted(node: ast.expr) -> str | None:
    """Return `a.b.c` for a name or a chain of attributes, None for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _literal_name(node: ast.expr) -> str | None:
    """Return the plain text of `name=` in a call, or in the call that it calls."""
    while isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                return keyword.value.value if isinstance(keyword.value.value, str) else None
        node = node.func
    return None
