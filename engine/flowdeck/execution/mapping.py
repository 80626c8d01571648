"""What `.map()` maps over: which arguments are iterables, and the arguments of each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import IOBase
from typing import Any, Final, Generic, TypeVar

from flowdeck.execution.arguments import resolve
from flowdeck.execution.futures import TaskFuture
from flowdeck.rules.exceptions import MappingLengthMismatch, MappingMissingIterable

T = TypeVar("T")

_CONSTANT: Final = (str, bytes, bytearray, Mapping, IOBase)


class Unmapped(Generic[T]):
    """A value that every call of a `.map()` gets as it is."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def unmapped(value: T) -> Unmapped[T]:
    """Mark an argument of `.map()` that is not to be mapped over."""
    return Unmapped(value)


def items_of(
    task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return the positional and keyword arguments of each call, one after another."""
    names: list[int | str] = [*range(len(args)), *kwargs]
    given = [_column(value) for value in (*args, *kwargs.values())]
    # What is unmapped is a tuple itself, and no column.
    lengths = {name: len(column) for name, column in zip(names, given, strict=True) if not isinstance(column, Unmapped)}
    if not lengths:
        raise MappingMissingIterable(
            f"{task_name}.map() was given nothing to map over. Give at least one list, or call {task_name}.submit()."
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
    if isinstance(value, TaskFuture):
        value.result()  # its failure is the caller's to see: without it there is nothing to map over
        value = resolve(value)
    if isinstance(value, _CONSTANT) or not hasattr(value, "__iter__"):
        return Unmapped(value)
    return value if isinstance(value, Sequence) else list(value)
