"""Which of the variables around it a function changes: told by its code, before it runs."""

from __future__ import annotations

import dis
import functools
import sys
from types import CodeType
from typing import Final, NamedTuple

_REBINDS: Final = frozenset({"STORE_DEREF", "DELETE_DEREF", "STORE_GLOBAL", "DELETE_GLOBAL"})
_LOADS: Final = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "LOAD_GLOBAL", "LOAD_NAME"})
_STORES_INTO: Final = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "DELETE_ATTR"})
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CHANGING: Final = frozenset(
    {
        "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
        "intersection_update", "pop", "popitem", "popleft", "put", "put_nowait", "remove", "reverse", "rotate",
        "setdefault", "sort", "subtract", "symmetric_difference_update", "update", "write", "__next__",
    }
)  # fmt: skip
"""Methods by which collections, queues and streams change."""


class Written(NamedTuple):
    """Names of variables that a function takes from around it."""

    rebound: frozenset[str]
    """It gives them another value."""
    changed: frozenset[str]
    """It may change the object that they hold: a line of it that reads them stores into something, or calls a method
    by which collections change."""
    called: frozenset[str]
    """It calls the object, or a method of it: what an author's object does then is not known."""


@functools.lru_cache(maxsize=4096)
def written_by(code: CodeType) -> Written:
    """Return what a function changes of what is around it, itself or by functions that it makes.

    Args:
        code: of the function.
    """
    rebound, changed = set[str](), set[str]()
    called = _called(list(dis.get_instructions(code)))
    for instructions in _lines(code):
        rebound.update(one.argval for one in instructions if one.opname in _REBINDS)
        if any(map(_changes, instructions)):
            changed.update(one.argval for one in instructions if one.opname in _LOADS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = written_by(constant)
            rebound |= inner.rebound
            changed |= inner.changed
            called |= inner.called
    own = frozenset(code.co_cellvars)
    return Written(*(frozenset(names) - own for names in (rebound, changed, called)))


def _lines(code: CodeType) -> list[list[dis.Instruction]]:
    lines: dict[int | None, list[dis.Instruction]] = {}
    for instruction in dis.get_instructions(code):
        line = None if instruction.positions is None else instruction.positions.lineno
        lines.setdefault(line, []).append(instruction)
    return list(lines.values())


def _called(instructions: list[dis.Instruction]) -> set[str]:
    """Return the names of what is called, or has a method called, right where it is read."""
    called = set[str]()
    for before, one, after in zip([None, *instructions], instructions, [*instructions[1:], None], strict=False):
        if one.opname not in _LOADS:
            continue
        at_once = any(beside is not None and beside.opname == "PUSH_NULL" for beside in (before, after))
        if at_once or (one.opname == "LOAD_GLOBAL" and (one.arg or 0) & 1) or (after is not None and _is_method(after)):
            called.add(one.argval)
    return called


def _is_method(instruction: dis.Instruction) -> bool:
    """Tell whether an attribute is read to be called: by an instruction of its own until 3.11, by a bit of it since."""
    if instruction.opname == "LOAD_METHOD":
        return True
    return sys.version_info >= (3, 12) and instruction.opname == "LOAD_ATTR" and bool((instruction.arg or 0) & 1)


def _changes(instruction: dis.Instruction) -> bool:
    if instruction.opname in _STORES_INTO:
        return True
    if instruction.opname in _ATTRIBUTES:
        return instruction.argval in _CHANGING
    return instruction.opname in _LOADS and instruction.argval == "next"
