"""What `.map()` maps over: which arguments are iterables, and the arguments of each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import IOBase
from typing import Any, Final

from flowdeck.execution.calls.annotations import AllowFailure, Unmapped
from flowdeck.execution.calls.arguments import resolve
from flowdeck.execution.calls.futures import TaskFuture
from flowdeck.rules.exceptions import MappingLengthMismatch, MappingMissingIterable
from flowdeck.rules.states import State

_CONSTANT: Final = (str, bytes, bytearray, Mapping, IOBase)


def items_of(
    task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return the positional and keyword arguments of each call, one after another.

    Raises:
        MappingMissingIterable: nothing to map over.
        MappingLengthMismatch: iterables of different lengths.
    """
    names: list[int | str] = [*range(len(args)), *kwargs]
    given = [_column(value) for value in (*args, *kwargs.values())]
    # What is unmapped is a tuple itself, and no column.
    lengths = {name: len(column) for name, column in zip(names, given, strict=True) if not isinstance(column, Unmapped)}
    if not lengths:
        raise MappingMissingIterable(
            f"{task_name}.map() was given nothing to map over: texts, mappings and frames are constants. Give at least "
            f"one list (list(...), frame.itertuples()), or call {task_name}.submit()."
        )
    if len(set(lengths.values())) > 1:
        told = ", ".join(
            f"{f'argument {name + 1}' if isinstance(name, int) else name} has {length}"
            for name, length in lengths.items()
        )
        raise MappingLengthMismatch(f"{task_name}.map() was given iterables of different lengths: {told}.")
    return _rows(given, len(args), list(kwargs), next(iter(lengths.values())))


def _rows(
    given: list[Any], positional: int, names: list[str], length: int
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for index in range(length):
        row = [column.value if isinstance(column, Unmapped) else column[index] for column in given]
        yield tuple(row[:positional]), dict(zip(names, row[positional:], strict=True))


def _column(value: Any) -> Any:
    """Return a sequence to map over, or the value wrapped as a constant."""
    if isinstance(value, Unmapped):
        return value
    if isinstance(value, AllowFailure):
        return _tolerant_column(value)
    if isinstance(value, TaskFuture | State):
        value.result()  # its failure is the caller's to see: without it there is nothing to map over
        value = resolve(value)
    if not is_mapped_over(value):
        return Unmapped(value)
    return value if isinstance(value, Sequence) else list(value)


def _tolerant_column(mark: AllowFailure[Any]) -> Any:
    """Return the items of what may have failed, each with the mark; what failed as a whole is a constant."""
    value = mark.value
    if isinstance(value, TaskFuture):
        value.wait()
        value = resolve(value)
    return [AllowFailure(item) for item in value] if is_mapped_over(value) else Unmapped(mark)


def is_future(value: Any) -> bool:
    """Tell whether an argument is a future, one that may have failed among them."""
    return isinstance(value.value if isinstance(value, AllowFailure) else value, TaskFuture)


def is_mapped_over(value: Any) -> bool:
    """Tell whether an argument is mapped over, item by item; the items of a future are not known before it is over."""
    if isinstance(value, AllowFailure):
        return is_mapped_over(value.value)
    if isinstance(value, TaskFuture | State):
        return True
    # A frame's items would be the names of its columns, which nobody means.
    is_constant = (
        isinstance(value, (*_CONSTANT, Unmapped)) or not hasattr(value, "__iter__") or hasattr(value, "columns")
    )
    return not is_constant
