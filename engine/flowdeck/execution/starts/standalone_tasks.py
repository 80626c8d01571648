"""Tasks that are called outside of flows: such a call is a flow run of its own, named after the task.

Nothing else of flowdeck knows of them: lists, logs, cancels and retries have a flow run like any other.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from flowdeck.execution.calls import caching
from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.calls.futures import TaskFutureList, value_of
from flowdeck.execution.calls.mapping import is_mapped_over
from flowdeck.execution.drivers.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.drivers.generators import iterate, iterate_async, stepping, stepping_async
from flowdeck.execution.engine.flow_engine import FlowCall
from flowdeck.execution.limits import excepthook
from flowdeck.execution.logs.run_logs import engine_line
from flowdeck.execution.starts import root_runs, run_creation
from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.options.function_code import NO_CODE, code_of
from flowdeck.rules.options.specs import FlowSpec, TaskSpec

if TYPE_CHECKING:
    from flowdeck.rules.states import State

_SYNC: Final = SyncDriver()
_ASYNC: Final = AsyncDriver()
_threads: Final[list[threading.Thread]] = []
"""See to the ends of runs of submitted calls."""


class Mapped:
    """Stands in the parameters of a run for what was mapped over: it cannot be started again from its record."""


def spec_of(task: TaskSpec) -> FlowSpec:
    """Return the spec of the flow that stands around a task."""
    return FlowSpec(name=task.name, description=task.description, version=task.version, log_prints=task.log_prints)


def body_of(task: Any) -> Callable[..., Any]:
    """Return the function of the flow that stands around a task."""
    if task.is_async:

        @functools.wraps(task.fn)
        async def body_async(*args: Any, **kwargs: Any) -> State:
            return await task(*args, return_state=True, **kwargs)

        return body_async

    @functools.wraps(task.fn)
    def body(*args: Any, **kwargs: Any) -> State:
        return task(*args, return_state=True, **kwargs)

    return body


def call(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], return_state: bool) -> Any:
    """Run a task now; see `Task.__call__`."""
    with excepthook.told_in_a_sentence():
        flow_call = _start(task, args, kwargs, functools.partial(body_of(task), *args, **kwargs))
        state = finish(root_runs.run(flow_call, _SYNC))
        return value_of(state, task.name, return_state)


async def call_async(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], return_state: bool) -> Any:
    """Run an asynchronous task; see `Task.__call__`."""
    with excepthook.told_in_a_sentence():
        flow_call = await _start_async(task, args, kwargs, functools.partial(body_of(task), *args, **kwargs))
        state = await root_runs.run_async(flow_call, _ASYNC)
        return value_of(state, task.name, return_state)


def items(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Generator[Any, Any, Any]:
    """Run a task that is a generator as its items are asked for."""

    def body() -> Generator[Any, Any, Any]:
        return (yield from task(*args, **kwargs))

    async def life() -> State:
        flow_call = _start(task, args, kwargs, body)
        return await root_runs.run_in_steps(flow_call, stepping(flow_call.run, wanted=False))

    return iterate(life, task.name)


def items_async(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, Any]:
    """Run a task that is an asynchronous generator as its items are asked for."""

    async def body() -> AsyncGenerator[Any, Any]:
        given = task(*args, **kwargs)
        try:
            async for item in given:
                yield item
        finally:
            await given.aclose()

    async def life() -> State:
        flow_call = await _start_async(task, args, kwargs, body)
        return await root_runs.run_async(flow_call, stepping_async(flow_call.run, wanted=False))

    return iterate_async(life, task.name)


def submit(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Start a task beside the caller; see `Task.submit`."""
    (future,) = _beside(task, args, kwargs, lambda: [task.submit(*args, **kwargs)])
    return future


def submit_each(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskFutureList[Any]:
    """Start a task for each item beside the caller; see `Task.map`."""
    shown = [Mapped() if is_mapped_over(value) else value for value in args]
    named = {name: Mapped() if is_mapped_over(value) else value for name, value in kwargs.items()}
    return TaskFutureList(_beside(task, shown, named, lambda: task.map(*args, **kwargs)))


def _beside(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], submit: Callable[[], Sequence[Any]]
) -> Sequence[Any]:
    """Submit calls in a run that a thread of its own sees to its end, and return their futures."""
    handed: SimpleQueue[Sequence[Any] | BaseException] = SimpleQueue()

    def body() -> Sequence[Any]:
        try:
            futures = submit()
        except BaseException as error:
            handed.put(error)
            raise
        handed.put(futures)
        return futures

    flow_call = _start(task, args, kwargs, body)
    here = contextvars.copy_context()
    # No daemon: what was submitted is waited for, also by a script that ends without asking.
    thread = threading.Thread(target=here.run, args=(_see_to_its_end, flow_call), name=flow_call.run.identity.name)
    _threads.append(thread)
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads
        _see_to_its_end(flow_call)
    futures = handed.get()
    if isinstance(futures, BaseException):
        raise futures
    return futures


def _see_to_its_end(flow_call: FlowCall) -> None:
    try:
        finish(root_runs.run(flow_call, _SYNC))
    finally:
        with suppress(ValueError):
            _threads.remove(threading.current_thread())


def wait_for_ends() -> None:
    """Wait until the runs of all submitted calls are over: a future is so a moment before the run that it stands in."""
    for thread in _threads.copy():
        if thread is not threading.current_thread():
            thread.join()


def _start(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], body: Callable[..., Any], patient: bool = True
) -> FlowCall:
    parameters = caching.arguments_by_name(task.fn, args, _without_ours(kwargs))
    spec = spec_of(task.spec)
    run = run_creation.start(spec, task.fn, _code_of(task.fn), parameters, patient=patient)
    assert isinstance(run, FlowRunContext)  # only a subflow may be known already
    other = root_runs.of_another_thread()
    if other is not None and threading.current_thread() is not threading.main_thread():
        engine_line(
            run,
            logging.WARNING,
            f"It was called while run '{other}' goes on, but in a thread that belongs to no run: so it is a run of its "
            f"own. {task.name}.submit(...) stays in the run; so does a thread that is started with "
            "contextvars.copy_context().run.",
        )
    return FlowCall(task, spec, body, (), {}, run)


async def _start_async(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], body: Callable[..., Any]) -> FlowCall:
    return await root_runs.begun(lambda patient: _start(task, args, kwargs, body, patient), task.name)


def _code_of(function: Any) -> CodeType:
    try:
        return code_of(function, "")
    except DefinitionError:
        return NO_CODE


def _without_ours(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in {"wait_for", "return_state"}}
