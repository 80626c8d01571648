"""Generators as flows and tasks: the caller gets each item as it is produced, and the run lives while it iterates.

The engine's body is the same as of any call. It runs under a driver that steps through the author's generator and
suspends the body at each item; whoever iterates gets the item, and goes on with the body when it asks for the next.
The body has a context of its own, so that what it sets is not seen by the code between two items.
"""

from __future__ import annotations

import atexit
import contextvars
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final, NamedTuple, cast

from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.calls.futures import value_of
from flowdeck.execution.drivers.drivers import AsyncDriver, SyncDriver
from flowdeck.execution.drivers.yielded_items import UnkeptItems, YieldedItems
from flowdeck.execution.limits import excepthook
from flowdeck.execution.limits.timeouts import TimeLimit
from flowdeck.execution.recording.outcome import Outcome
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import State

Life = Callable[[], Coroutine[Any, Any, State]]
"""Makes the body of a call: its run begins when the first item is asked for, as the code of a generator does."""


class _Reply(NamedTuple):
    """How whoever iterates goes on: a method of the generator, without the `a` of an asynchronous one."""

    method: str
    arguments: tuple[Any, ...] = ()


_NEXT: Final = _Reply("next")
_CLOSE: Final = _Reply("close")


class _Item:
    """What a body awaits to hand an item out; it comes to the reply."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, _Reply, _Reply]:
        return (yield self)


class _Stepping:
    """What the two drivers have in common that step through a generator."""

    _methods: Mapping[str, str]
    _exhausted: type[Exception]

    def __init__(self, items: YieldedItems) -> None:
        super().__init__()
        self.items = items

    @property
    def may_repeat(self) -> bool:
        """An item that somebody has cannot be taken back."""
        return not self.items.count

    async def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        limit: TimeLimit | None = None,
    ) -> Outcome:
        """Step through the generator that `function` makes; every step is under the same limit."""
        try:
            generator = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - the body decides what each kind means
            return Outcome(None, error)
        reply = _NEXT
        while reply is not _CLOSE:
            step = await self._step(generator, reply, limit)
            if isinstance(step.error, self._exhausted):
                return Outcome(self.items.value(getattr(step.error, "value", None)))
            if step.error is not None:
                return step
            (item,) = step.value
            self.items.add(item)
            reply = await _Item(item)
        closed = await self._step(generator, reply, limit)
        if closed.error is not None:
            return closed
        count = self.items.count
        return Outcome(None, CancelledRun(f"Closed after {count} item{'' if count == 1 else 's'}."))

    async def _step(self, generator: Any, reply: _Reply, limit: TimeLimit | None) -> Outcome:
        raise NotImplementedError


class SteppingDriver(_Stepping, SyncDriver):
    """Steps through a generator in the thread that asks for its next item."""

    _methods = {"next": "__next__", "send": "send", "throw": "throw", "close": "close"}  # noqa: RUF012 - constant
    _exhausted = StopIteration
    around: Callable[[], AbstractContextManager[None]] = staticmethod(nullcontext)
    """What the author's code runs in, and the code between two items does not."""

    async def _step(self, generator: Any, reply: _Reply, limit: TimeLimit | None) -> Outcome:
        method = getattr(generator, self._methods[reply.method])

        def step() -> tuple[Any]:
            return (method(*reply.arguments),)  # in a tuple: an item that is a generator itself stays one

        with self.around():
            return await SyncDriver.call(self, step, (), {}, limit)


class AsyncSteppingDriver(_Stepping, AsyncDriver):
    """Steps through an asynchronous generator on the event loop of whoever asks for its next item."""

    _methods = {"next": "__anext__", "send": "asend", "throw": "athrow", "close": "aclose"}  # noqa: RUF012 - constant
    _exhausted = StopAsyncIteration

    async def _step(self, generator: Any, reply: _Reply, limit: TimeLimit | None) -> Outcome:
        method = getattr(generator, self._methods[reply.method])

        async def step() -> tuple[Any]:
            return (await method(*reply.arguments),)

        return await AsyncDriver.call(self, step, (), {}, limit)


def stepping(run: FlowRunContext, *, wanted: bool) -> SteppingDriver:
    """Return a driver for one call of a generator.

    Args:
        run: the flow run that the call belongs to.
        wanted: whether its items are to be recorded.
    """
    return SteppingDriver(YieldedItems(wanted=wanted, limit=run.recorder.results.max_bytes))


def stepping_async(run: FlowRunContext, *, wanted: bool) -> AsyncSteppingDriver:
    """Return a driver for one call of an asynchronous generator; see `stepping`."""
    return AsyncSteppingDriver(YieldedItems(wanted=wanted, limit=run.recorder.results.max_bytes))


@contextmanager
def suspended_in(run: FlowRunContext | None, call: int | str) -> Generator[None]:
    """For the life of a generator: should its run end before it, its row is closed with the run's.

    Args:
        run: the flow run that called it; None when none did.
        call: the id of the task run, or of the subflow.
    """
    if run is None:
        yield
        return
    run.suspended.add(call)
    try:
        yield
    finally:
        run.suspended.discard(call)


def iterate(life: Life, name: str) -> Generator[Any, Any, Any]:
    """Return a generator that lives the life of a call.

    Args:
        life: the body of the call; under a `SteppingDriver`, or under another one: then its items come when it is over.
        name: the name of the task or flow.
    """
    items = _iterate(life, name, contextvars.copy_context())
    _open.add(items)
    return items


_open: Final[weakref.WeakSet[Generator[Any, Any, Any]]] = weakref.WeakSet()
"""Those that somebody still has."""


def _close_all() -> None:
    """Close what is left when the interpreter ends, while a run's end can still be recorded."""
    for items in list(_open):
        with suppress(BaseException):
            items.close()


atexit.register(_close_all)


def _iterate(life: Life, name: str, here: contextvars.Context) -> Generator[Any, Any, Any]:
    with excepthook.told_in_a_sentence():
        body = here.run(life)
        reply: _Reply | None = None
        count = 0
        while True:
            try:
                item = here.run(body.send, reply)
            except StopIteration as stop:
                state: State = stop.value
                break
            count += 1
            try:
                reply = _reply_to((yield item.value))
            except GeneratorExit:
                reply = _CLOSE
            except BaseException as error:  # noqa: BLE001 - whoever iterates throws it into the author's generator
                reply = _Reply("throw", (error,))
        if reply is _CLOSE and _is_closed(state):
            return None
        value = value_of(state, name, return_state=False)
        if not count and not isinstance(value, UnkeptItems):
            yield from value
        return getattr(value, "returned", None)


def iterate_async(life: Life, name: str) -> AsyncGenerator[Any, Any]:
    """Return an asynchronous generator that lives the life of a call; see `iterate`."""
    return _iterate_async(life, name, contextvars.copy_context())


async def _iterate_async(life: Life, name: str, here: contextvars.Context) -> AsyncGenerator[Any, Any]:
    with excepthook.told_in_a_sentence():
        body = here.run(life)
        reply: _Reply | None = None
        count = 0
        while True:
            item = await _Step(body, reply, here)
            if isinstance(item, State):
                break
            count += 1
            try:
                reply = _reply_to((yield item.value))
            except GeneratorExit:
                reply = _CLOSE
            except BaseException as error:  # noqa: BLE001 - whoever iterates throws it into the author's generator
                reply = _Reply("throw", (error,))
        if reply is _CLOSE and _is_closed(item):
            return
        value = value_of(item, name, return_state=False)
        if not count:
            for recorded in value:
                yield recorded


class _Step:
    """Awaitable: the body's next item, or its state when it is over; what else it awaits is the event loop's."""

    def __init__(self, body: Coroutine[Any, Any, State], reply: _Reply | None, here: contextvars.Context) -> None:
        self._body, self._reply, self._here = body, reply, here

    def __await__(self) -> Generator[Any, Any, _Item | State]:
        go_on, argument = self._body.send, cast("Any", self._reply)
        while True:
            try:
                signal = self._here.run(go_on, argument)
            except StopIteration as stop:
                return stop.value
            if isinstance(signal, _Item):
                return signal
            try:
                go_on, argument = self._body.send, (yield signal)
            except BaseException as error:  # noqa: BLE001 - a cancel of whoever awaits: the body's to see
                go_on, argument = self._body.throw, error


def _reply_to(sent: Any) -> _Reply:
    return _NEXT if sent is None else _Reply("send", (sent,))


def _is_closed(state: State) -> bool:
    """Tell whether a body ended as it was asked to; otherwise the author's code failed over that."""
    return state.is_cancelled() or state.is_completed()
