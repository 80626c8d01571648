"""Functions, classes and modules as values: what tells one from another, the same in every process.

What has a name in its file is that name: giving it other code changes nothing. What is made inside a function, and a
lambda, has no name of its own: it is its code, and what that closes over. Default values count for both.
"""

from __future__ import annotations

import contextlib
import functools
import marshal
import sys
from collections.abc import Callable, Generator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, Protocol

from flowdeck.rules.keys import places
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.keys.written_names import Written, written_by

_NOT_OF_THE_AUTHOR: Final = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__qualname__", "__static_attributes__"}
)
_GLOBAL_BYTES: Final = 1 << 20
"""A global variable that comes to more counts by its type: it would be read for every call."""
_MAXIMUM_DEPTH: Final = 100
_COLLECTIONS: Final = frozenset({list, tuple, dict, set, frozenset, bytearray})


class ValueEncoder(Protocol):
    """What encodes the values that functions close over."""

    budget: int

    def value(self, value: Any, depth: int) -> Any:
        """See `value_encoding.Encoder`."""
        ...

    def first_seen(self, value: Any, depth: int) -> Any:
        """See `value_encoding.Encoder`."""
        ...


def is_code(value: Any, kind: type[Any]) -> bool:
    """Tell whether a value is a function, a class, a module, a flow or a task, rather than data.

    Args:
        value: any.
        kind: its type.
    """
    return kind in _CODE or issubclass(kind, type) or hasattr(kind, "reduced_by_value")


def has_own_name(function: Any) -> bool:
    """Tell whether a function stands under its name in its file: neither made inside another one, nor a lambda."""
    return "<" not in function.__code__.co_qualname


def name_of(function: Any) -> str:
    """Return place and name of a function that is written in Python."""
    code = function.__code__
    return f"{places.of_file(code.co_filename)}:{code.co_qualname}"


@functools.lru_cache(maxsize=4096)
def plain_code(code: CodeType) -> bytes:
    """Return what tells the code of one function from that of another: not its name, nor its lines.

    Args:
        code: of a function.
    """
    constants = [plain_code(one) if isinstance(one, CodeType) else _constant(one) for one in code.co_consts]
    return marshal.dumps(
        (
            code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags,
            code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable,
        ),
        0,
    )  # fmt: skip


def _constant(value: Any) -> Any:
    """Return a constant of the compiler's: there are no other kinds than these."""
    if isinstance(value, tuple):
        return ("tuple", *map(_constant, value))
    if isinstance(value, frozenset):
        return ("set", *sorted(marshal.dumps(_constant(member), 0) for member in value))
    return value if isinstance(value, str | bytes | int | float | None) else repr(value)


class FunctionEncoder:
    """Encodes functions and classes for one key; one that is met again is a number, so that it may refer to itself."""

    def __init__(self, values: ValueEncoder, source_file: str) -> None:
        """Args: values, source_file: see `value_encoding.Encoder`."""
        self._values = values
        self._source_file = source_file
        self._met: dict[int, tuple[int, Any]] = {}

    def number(self, value: Any) -> int | None:
        """Return the number of what was met before, and otherwise note it."""
        met = self._met.get(id(value))
        if met is not None:
            return met[0]
        self._met[id(value)] = (len(self._met), value)
        return None

    @contextlib.contextmanager
    def numbered_apart(self) -> Generator[None]:
        """Forget afterwards what was met meanwhile: it may be known another time, and not be met."""
        met, self._met = self._met, dict(self._met)
        try:
            yield
        finally:
            self._met = met

    def encode(self, value: Any, depth: int) -> dict[str, Any]:
        """Return what marshal writes for a function, a class, a module, a flow or a task.

        Args:
            value: one of these.
            depth: of what it stands in.

        Raises:
            NotKeyedError: it closes over something that has no stable bytes, or too many.
        """
        kind: type[Any] = type(value)
        if kind is FunctionType:
            return self._function(value, depth)
        if kind is MethodType:
            return {"method": (self.encode(value.__func__, depth), self._values.value(value.__self__, depth + 1))}
        if kind is functools.partial:
            given = (value.func, value.args, value.keywords)
            return {"partial": tuple(self._values.value(part, depth + 1) for part in given)}
        if kind is ModuleType:
            return {"module": places.of_module(value.__name__)}
        if kind is BuiltinFunctionType:
            return self._built_in(value, depth)
        if isinstance(value, type):
            return self._class(value, depth)
        if hasattr(kind, "reduced_by_value"):
            return {"decorated": (value.spec.name, self._values.value(value.fn, depth + 1))}
        return {"wraps": self._values.value(value.__wrapped__, depth + 1)}

    def _built_in(self, function: Any, depth: int) -> dict[str, Any]:
        owner = function.__self__
        if owner is None or isinstance(owner, type | ModuleType):
            return {"built-in": (str(function.__module__), function.__qualname__)}
        return {"method": (function.__qualname__, self._values.value(owner, depth + 1))}

    def _function(self, function: FunctionType, depth: int) -> dict[str, Any]:
        number = self.number(function)
        if number is not None:
            return {"again": number}
        if depth > _MAXIMUM_DEPTH:
            raise NotKeyedError(f"it is nested more than {_MAXIMUM_DEPTH} deep")
        code, named = function.__code__, has_own_name(function)
        in_source = code.co_filename == self._source_file
        # A decorator's own variables, and the defaults of what has a name, only tell calls apart; the name stays.
        lenient = named or "__wrapped__" in function.__dict__
        parts: list[Any] = [] if in_source else [name_of(function)]
        if in_source or not named:
            parts.append(plain_code(code))
        parts.append(self._cells(function, depth + 1, lenient))
        parts.append([self._default(name, one, depth + 1, lenient) for name, one in _defaults(function)])
        if in_source:
            parts.append(self._globals(function, depth + 1))
        return {"function": parts}

    def _cells(self, function: FunctionType, depth: int, lenient: bool) -> list[Any]:
        encoded: list[Any] = []
        written = written_by(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name in written.rebound:
                encoded.append((name, {"its own": None}))
                continue
            try:
                value = cell.cell_contents
            except ValueError:
                encoded.append((name, {"empty": None}))
                continue
            changes = lenient or _may_change(name, value, written)
            encoded.append((name, self._part(f"it closes over '{name}'", value, depth, lenient, changes)))
        return encoded

    def _default(self, name: str, value: Any, depth: int, lenient: bool) -> Any:
        return (name, self._part(f"the default of '{name}'", value, depth, lenient, changes=True))

    def _part(self, what: str, value: Any, depth: int, lenient: bool, changes: bool) -> Any:
        try:
            return self._values.first_seen(value, depth) if changes else self._values.value(value, depth)
        except NotKeyedError as error:
            if lenient:
                return {"type": type(value).__qualname__}
            raise NotKeyedError(f"{what}, of type {type(value).__qualname__}: {error}") from None

    def _globals(self, function: FunctionType, depth: int) -> list[Any]:
        """Return the global variables that a function names, as far as they are set and may be read."""
        encoded: list[Any] = []
        written, names = written_by(function.__code__), function.__globals__
        for name in sorted(_named(function.__code__)):
            if name in names and name not in written.rebound:
                before = self._values.budget
                self._values.budget = min(before, _GLOBAL_BYTES)
                part = self._part("", names[name], depth, lenient=True, changes=_may_change(name, names[name], written))
                self._values.budget = before
                encoded.append((name, part))
        return encoded

    def _class(self, kind: type[Any], depth: int) -> dict[str, Any]:
        place = places.of_module(kind.__module__)
        if not self._is_of_source(kind, place) and _stands_under_its_name(kind):
            return {"class": (place, kind.__qualname__)}
        number = self.number(kind)
        if number is not None:
            return {"again": number}
        members = [
            (name, self._member(value, depth + 1))
            for name, value in sorted(vars(kind).items())
            if name not in _NOT_OF_THE_AUTHOR
        ]
        bases = [self._class(base, depth + 1) for base in kind.__bases__]
        return {"class": (place, kind.__qualname__, bases, members)}

    def _is_of_source(self, kind: type[Any], place: str) -> bool:
        return bool(self._source_file) and place == places.of_file(self._source_file)

    def _member(self, value: Any, depth: int) -> Any:
        if isinstance(value, classmethod | staticmethod):
            return (type(value).__name__, self._part("", value.__func__, depth, lenient=True, changes=True))
        if isinstance(value, property):
            return ("property", [self._part("", one, depth, True, True) for one in (value.fget, value.fset)])
        return self._part("", value, depth, lenient=True, changes=True)


def _defaults(function: FunctionType) -> list[tuple[str, Any]]:
    given = function.__defaults__ or ()
    code = function.__code__
    names = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
    return [*zip(names, given, strict=True), *sorted((function.__kwdefaults__ or {}).items())]


def _may_change(name: str, value: Any, written: Written) -> bool:
    """Tell whether a function may change what a variable holds; what a collection does when it is asked is known."""
    return name in written.changed or (name in written.called and type(value) not in _COLLECTIONS)


def _named(code: CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_named, inner))


def _stands_under_its_name(kind: type[Any]) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


_CACHED: Final[Any] = type(functools.lru_cache(lambda: None))
_CODE: Final[frozenset[Callable[..., Any] | type[Any]]] = frozenset(
    {FunctionType, MethodType, BuiltinFunctionType, ModuleType, functools.partial, _CACHED}
)
