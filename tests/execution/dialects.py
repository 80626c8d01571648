"""One test, two dialects: flows and tasks of `def`, and the same of `async def`.

A test's bodies are `async def` and await what may be awaited; in the synchronous dialect they are run by hand, as a
plain function that never suspends.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from flowdeck import Flow, Task, flow, task
from flowdeck.execution.drivers.drivers import finish

Body = Callable[..., Coroutine[Any, Any, Any]]


class Dialect:
    """Makes flows and tasks of the bodies of a test, and calls them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"

    def task(self, **options: Any) -> Callable[[Body], Task[..., Any]]:
        """Return a decorator."""
        return lambda body: task(**options)(self._function(body))

    def flow(self, **options: Any) -> Callable[[Body], Flow[..., Any]]:
        """Return a decorator."""
        return lambda body: flow(**options)(self._function(body))

    async def call(self, callee: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a task or subflow from a body."""
        return await callee(*args, **kwargs) if self.is_async else callee(*args, **kwargs)

    def run(self, callee: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a flow from the test."""
        called = callee(*args, **kwargs)
        return asyncio.run(called) if self.is_async else called

    def _function(self, body: Body) -> Callable[..., Any]:
        if self.is_async:
            return body

        @functools.wraps(body)
        def function(*args: Any, **kwargs: Any) -> Any:
            return finish(body(*args, **kwargs))

        return function
