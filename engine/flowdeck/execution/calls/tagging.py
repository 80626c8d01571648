"""`with tags("nightly"):` adds tags to the runs that are made inside."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from flowdeck.execution.calls import context
from flowdeck.rules.options.tag_sets import tag_set


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
