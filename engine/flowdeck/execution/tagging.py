"""`with tags("nightly"):` adds tags to the runs that are made inside."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from typing import Any

from flowdeck.execution import context
from flowdeck.rules.exceptions import DefinitionError


@contextlib.contextmanager
def tags(*names: str) -> Generator[frozenset[str]]:
    """Add tags to every flow and task run that is made inside the `with`.

    Args:
        names: the tags; those of an outer `with` stay.

    Raises:
        DefinitionError: one of them is no text.
    """
    token = context.current_tags.set(context.current_tags.get() | tag_set(names, "tags()"))
    try:
        yield context.current_tags.get()
    finally:
        context.current_tags.reset(token)


def tag_set(given: Iterable[Any] | None, owner: str) -> frozenset[str]:
    """Return tags as they were given to a decorator or a `with`.

    Raises:
        DefinitionError: they are not a collection of texts; one text alone would be taken for its letters.
    """
    if isinstance(given, str):
        raise DefinitionError(f"{owner} takes a list of texts as tags, not {given!r}.")
    names = tuple(given or ())
    for name in names:
        if not isinstance(name, str):
            raise DefinitionError(f"{owner} takes a list of texts as tags, not {name!r}.")
    return frozenset(names)
