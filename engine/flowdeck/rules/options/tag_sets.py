"""Tags as an author gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdeck.rules.exceptions import DefinitionError


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
