"""Tasks that the tests of submitted calls share."""

from __future__ import annotations

from typing import Any

from flowdeck import task


class BrokenError(Exception):
    """What a user raises."""


@task
def double(number: int) -> int:
    return 2 * number


@task
def breaks(_: Any = None) -> None:
    raise BrokenError("no")
