"""Results of generator functions: a generator is run to its end where it was called, and its result is its items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from flowdeck.execution.recording.awaitables import awaited


def collected(value: Any) -> Any:
    """Return what a function returned; of a generator, which could be neither recorded nor repeated, its items."""
    kind = type(value)
    if kind is GeneratorType:
        return list(value)
    if kind is AsyncGeneratorType:
        return awaited(_items_of(value))
    return value


async def collected_async(value: Any) -> Any:
    """Await what an asynchronous function returned; see `collected`."""
    if type(value) is AsyncGeneratorType:
        return await _items_of(value)
    result = await value
    if type(result) is AsyncGeneratorType:
        return await _items_of(result)
    return list(result) if type(result) is GeneratorType else result


async def _items_of(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
