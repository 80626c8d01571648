"""What the tests of generators share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

from flowdeck import task


class BrokenError(Exception):
    """What a user raises."""


@task
def numbers(count: int) -> Generator[int]:
    """Give numbers."""
    yield from range(count)


@task
async def numbers_async(count: int) -> AsyncGenerator[int]:
    """Give numbers."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number
