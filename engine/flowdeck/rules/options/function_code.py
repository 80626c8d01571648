"""The code of what an author wrote, also behind other decorators: there is its place in a file."""

from __future__ import annotations

from types import CodeType
from typing import Any, Final

from flowdeck.rules.exceptions import DefinitionError

NO_CODE: Final = compile("", "<built-in>", "exec")
"""Stands for that of a function that is not written in Python."""


_MOST_WRAPPERS: Final = 100


def innermost(function: Any, owner: str) -> Any:
    """Return the function that a decorator or a partial has in it, or the callable object itself.

    Args:
        function: that can be called.
        owner: words for the flow or task that is made of it.

    Raises:
        DefinitionError: there is another one in each, without end.
    """
    inner = function
    for _ in range(_MOST_WRAPPERS):
        wrapped = getattr(inner, "__wrapped__", None) or getattr(inner, "func", None)
        if wrapped is None:
            return inner
        inner = wrapped
    raise DefinitionError(
        f"{owner} was given an object of type {type(function).__name__} whose function cannot be found: there is "
        "another one in each, without end, as in a Mock. Give it a function that calls the object."
    )


def code_of(function: Any, owner: str) -> CodeType:
    """Return the code of a function, or of what a decorator, a partial or a callable object has in it.

    Raises:
        DefinitionError: it is not written in Python.
    """
    inner = innermost(function, owner)
    for candidate in (inner, type(inner).__call__):
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            return code
    raise DefinitionError(f"{owner} is not a function that is written in Python.")
