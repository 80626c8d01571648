"""Results of generator functions: a generator is run to its end where it was called, and its result is its items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from flowdeck.execution.recording.awaitables import awaited


class ReturnedItems(list[Any]):
    """The items of a generator that has returned a value at its end."""

    def __init__(self, items: Iterable[Any] = (), returned: Any = None) -> None:
        super().__init__(items)
        self.returned = returned

    def __reduce__(self) -> tuple[Any, ...]:
        return ReturnedItems, (list(self), self.returned)


def _all_of(generator: Generator[Any, Any, Any]) -> list[Any]:
    """Run a generator to its end."""
    returned: list[Any] = []

    def items() -> Generator[Any, Any, None]:
        returned.append((yield from generator))

    kept = list(items())
    return kept if returned[0] is None else ReturnedItems(kept, returned[0])


def collected(value: Any) -> Any:
    """Return what a function returned; of a generator, which could be neither recorded nor repeated, its items."""
    kind = type(value)
    if kind is GeneratorType:
        return _all_of(value)
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
    return _all_of(result) if type(result) is GeneratorType else result


async def _items_of(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
