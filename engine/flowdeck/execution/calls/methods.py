"""Flows and tasks that are methods: of an instance, of a class, or static, with the decorators in either order."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any, Final

from flowdeck.execution.calls.annotations import unmapped

INSTANCE: Final = "instance"
CLASS: Final = "class"
STATIC: Final = "static"


def plain(function: Any) -> tuple[Any, str]:
    """Return the function in a `classmethod` or `staticmethod`, and what it is to be bound to."""
    if isinstance(function, classmethod):
        return function.__func__, CLASS
    if isinstance(function, staticmethod):
        return function.__func__, STATIC
    return function, INSTANCE


def bound(decorated: Any, binding: str, instance: Any, owner: type | None) -> Any:
    """Return a flow or task as an attribute of an instance or a class gives it."""
    if binding == STATIC:
        return decorated
    to = owner if binding == CLASS else instance
    return decorated if to is None else BoundMethod(decorated, to)


class BoundMethod:
    """A flow or task bound to the instance or class that is its first argument."""

    def __init__(self, decorated: Any, to: Any) -> None:
        self.__func__ = decorated
        self.__self__ = to

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run it; see `Flow.__call__` and `Task.__call__`."""
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain method: calling it is not recorded."""
        return MethodType(self.__func__.fn, self.__self__)

    def submit(self, /, *args: Any, **kwargs: Any) -> Any:
        """See `Task.submit`."""
        return self.__func__.submit(self.__self__, *args, **kwargs)

    def map(self, /, *args: Any, **kwargs: Any) -> Any:
        """See `Task.map`."""
        return self.__func__.map(unmapped(self.__self__), *args, **kwargs)

    def with_options(self, **options: Any) -> BoundMethod:
        """See `Flow.with_options` and `Task.with_options`."""
        return BoundMethod(self.__func__.with_options(**options), self.__self__)

    def __getattr__(self, name: str) -> Any:
        if name in {"__func__", "__self__"}:  # not set yet: it is being unpickled
            raise AttributeError(name)
        return getattr(self.__func__, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.__func__.fn.__name__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMethod):
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"{self.__func__!r} of {self.__self__!r}"
