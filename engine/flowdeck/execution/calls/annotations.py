"""Marks around arguments of task calls: how a value is looked at before the task gets it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Annotation(Generic[T]):
    """A value with a mark; the task is given the value alone."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def unwrap(self) -> T:
        """Return the value."""
        return self.value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class Unmapped(Annotation[T]):
    """Every call of a `.map()` gets it as it is."""


class AllowFailure(Annotation[T]):
    """What is in it may have failed: the task then gets the exception in the place of the value."""


class Quote(Annotation[T]):
    """Handed on as it is: nothing in it is waited for or replaced."""


class Opaque(Annotation[T]):
    """Only the value itself is replaced when it is a future; what is inside of it is not looked at."""


def unmapped(value: T) -> Unmapped[T]:
    """Mark an argument of `.map()` that is not to be mapped over."""
    return Unmapped(value)


def allow_failure(value: object) -> Any:
    """Mark a future (or a collection of them, or a state) that may have failed: the task is called all the same.

    In place of a failed one the task gets its exception. The author answers for the failure: it fails the flow no more.
    """
    return AllowFailure(value)


def quote(value: object) -> Any:
    """Mark a value that is handed on untouched, futures in it too; saves the look through a large one."""
    return Quote(value)


def opaque(value: object) -> Any:
    """Mark a value that is not looked into: if it is a future it is replaced by its result, as that is."""
    return Opaque(value)
