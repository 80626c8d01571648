"""The code of what an author wrote, also behind other decorators: there is its place in a file."""

from __future__ import annotations

from types import CodeType
from typing import Any, Final

from flowdeck.rules.exceptions import DefinitionError

NO_CODE: Final = compile("", "<built-in>", "exec")
"""Stands for that of a function that is not written in Python."""


def code_of(function: Any, owner: str) -> CodeType:
    """Return the code of a function, or of what a decorator, a partial or a callable object has in it.

    Raises:
        DefinitionError: it is not written in Python.
    """
    innermost = function
    while (wrapped := getattr(innermost, "__wrapped__", None) or getattr(innermost, "func", None)) is not None:
        innermost = wrapped
    for candidate in (innermost, type(innermost).__call__):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            return code
    raise DefinitionError(f"{owner} is not a function that is written in Python.")
