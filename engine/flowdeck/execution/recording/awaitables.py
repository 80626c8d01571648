"""Awaiting from synchronous code: what an author's function returned, whether it is `async` or not."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable
from typing import Any


def awaited(value: Any) -> Any:
    """Return a value as it is; of an awaitable what it comes to, and raise what it raises.

    It gets an event loop of its own. A loop that runs in this thread cannot serve it: then it has a thread, too.
    """
    if not hasattr(value, "__await__"):
        return value
    import asyncio  # noqa: PLC0415 - only what is async pays its 40 ms

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_outcome(value))
    ended: list[tuple[Any, BaseException | None]] = []
    here = contextvars.copy_context()

    def run() -> None:
        try:
            ended.append((here.run(asyncio.run, _outcome(value)), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            ended.append((None, error))

    thread = threading.Thread(target=run, name=threading.current_thread().name, daemon=True)
    thread.start()
    thread.join()
    result, error = ended[0]
    if error is not None:
        raise error
    return result


async def _outcome(value: Awaitable[Any]) -> Any:
    return await value
