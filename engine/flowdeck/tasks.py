"""@task: a unit of work that is recorded, retried and shown by itself."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from flowdeck.execution import context
from flowdeck.execution.annotations import Unmapped
from flowdeck.execution.arguments import Inputs, inputs_in
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import AsyncDriver, PausingDriver, SyncDriver, finish
from flowdeck.execution.facts import TaskRunsMade
from flowdeck.execution.failures import state_of_error
from flowdeck.execution.futures import TaskFuture, TaskFutureList, value_of
from flowdeck.execution.mapping import items_of
from flowdeck.execution.pauses import job_of
from flowdeck.execution.run_logs import capture_prints
from flowdeck.execution.task_calls import TaskCall, make_call
from flowdeck.execution.task_engine import run_task
from flowdeck.rules.cache_policies import task_input_hash
from flowdeck.rules.call_keys import task_key
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import CancelledRun, DefinitionError, MissingContextError
from flowdeck.rules.options import TaskOptions, task_spec
from flowdeck.rules.specs import TaskSpec
from flowdeck.rules.states import named

__all__ = ["Task", "task", "task_input_hash"]

P = ParamSpec("P")
R = TypeVar("R")

_SYNC = SyncDriver()
_ASYNC = AsyncDriver()
_PAUSING = PausingDriver()
_PENDING = named("Pending")
_MAP_CHUNK = 500
"""Rows of a `.map()` are made in transactions of so many, so that a large one does not stop other writers."""


class Task(Generic[P, R]):
    """A function as a task. Call it inside a flow, or `submit` it, or `map` it over items."""

    def __init__(self, function: Callable[P, R], spec: TaskSpec) -> None:
        """Use the `task` decorator."""
        functools.update_wrapper(self, function)
        self.fn = function
        """The plain function: calling it is not recorded."""
        self.spec = spec
        self.is_async = is_async(function)
        if spec.log_prints:
            capture_prints()

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.spec.name

    @property
    def task_key(self) -> str:
        """What names the task across processes."""
        return self.spec.key

    @property
    def tags(self) -> frozenset[str]:
        """Tags of every run of it."""
        return self.spec.tags

    @property
    def description(self) -> str | None:
        """First paragraph of the docstring, unless given."""
        return self.spec.description

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task now and return its value, or raise what it raised.

        Two keywords are for flowdeck: `return_state=True` returns the final State instead of value or exception;
        `wait_for=[futures]` waits for these before it starts.

        Raises:
            MissingContextError: called outside of a flow; `.fn(…)` calls the plain function.
        """
        if context.describing:
            context.report_module_call(self.spec.name)
            return nothing() if self.is_async else None  # pyright: ignore[reportReturnType]
        return_state = bool(kwargs.pop("return_state", False)) if kwargs else False
        call = self._call(args, kwargs)
        if self.is_async:
            return self._run_async(call, return_state)  # pyright: ignore[reportReturnType]
        state = finish(run_task(call, _SYNC))
        return value_of(state, call.name, return_state)

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]:
        """Start the task beside the flow and return its future at once.

        Futures among the arguments are waited for and replaced by their results. `wait_for=[futures]` waits for
        further ones. `return_state=True` waits for the call and returns its final State instead of the future. The
        flow ends only when all submitted calls are over.
        """
        run = self._run_or_raise()
        return_state = bool(kwargs.pop("return_state", False))
        call = self._call(args, kwargs, submitted=True)
        if not run.recorder.record(TaskRunsMade([call.row], _PENDING, SYSTEM_CLOCK.now_microseconds())):
            raise CancelledRun(run.recorder.refusal())
        future = self._hand_over(call)
        if not return_state:
            return future
        future.wait()
        return future.state  # pyright: ignore[reportReturnType]

    def map(self, *args: Any, **kwargs: Any) -> TaskFutureList[R]:
        """Submit one call for each item, and return their futures in order.

        Lists, tuples, ranges and other iterables are mapped over, item by item; strings, bytes and mappings are
        constants, as is what is wrapped in `unmapped`. A future is waited for first, to know its items.

        Raises:
            MappingMissingIterable: nothing to map over.
            MappingLengthMismatch: iterables of different lengths.
        """
        run = self._run_or_raise()
        wait_for = kwargs.pop("wait_for", None)
        items = items_of(self.spec.name, args, kwargs)
        group = run.number_group()
        futures: TaskFutureList[R] = TaskFutureList()
        while chunk := [
            self._make(item_args, item_kwargs, wait_for, group=group, submitted=True)
            for item_args, item_kwargs in _take(items, _MAP_CHUNK)
        ]:
            made = TaskRunsMade([call.row for call in chunk], _PENDING, SYSTEM_CLOCK.now_microseconds())
            if not run.recorder.record(made):
                raise CancelledRun(run.recorder.refusal())
            futures.extend(self._hand_over(call) for call in chunk)
        return futures

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that methods can be tasks."""
        return self if instance is None else _BoundTask(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name(self)

    def __repr__(self) -> str:
        return f"Task({self.spec.name!r})"

    def _run_or_raise(self) -> FlowRunContext:
        run = context.flow_run.get()
        if run is None:
            name = self.spec.name
            hint = f"Call it inside a @flow function, or call {name}.fn(...) to run the plain function."
            if threading.current_thread() is not threading.main_thread():
                hint += f" A thread that you start yourself belongs to no flow; {name}.submit(...) in the flow does."
            raise MissingContextError(f"Task '{name}' was called outside of a flow. {hint}")
        return run

    def _call(self, args: Sequence[Any], kwargs: dict[str, Any], submitted: bool = False) -> TaskCall:
        wait_for = kwargs.pop("wait_for", None) if kwargs else None
        return self._make(args, kwargs, wait_for, submitted=submitted)

    def _make(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        wait_for: Iterable[TaskFuture[Any]] | None,
        group: int | None = None,
        submitted: bool = False,
    ) -> TaskCall:
        inputs = inputs_in(args, kwargs)
        if wait_for is not None:
            awaited = inputs_in((wait_for if isinstance(wait_for, TaskFuture) else list(wait_for),), {})
            further = [future for future in awaited.futures if future not in inputs.futures]
            tolerated = inputs.tolerated | (awaited.tolerated - {id(future) for future in inputs.futures})
            failed_state = inputs.failed_state or awaited.failed_state
            inputs = Inputs([*inputs.futures, *further], inputs.to_resolve, tolerated, failed_state)
        return make_call(self, args, kwargs, inputs, self._run_or_raise(), group, submitted)

    async def _run_async(self, call: TaskCall, return_state: bool) -> Any:
        return value_of(await run_task(call, _ASYNC), call.name, return_state)

    def _hand_over(self, call: TaskCall) -> TaskFuture[R]:
        """Queue a call whose row is made."""
        future: TaskFuture[R] = TaskFuture(call.row.id, call.name)
        here = contextvars.copy_context()

        async def run_call() -> None:
            try:
                state = await run_task(call, _ASYNC if self.is_async else _PAUSING)
            except BaseException as error:  # noqa: BLE001 - the store's: whoever asks for the result shall have it
                state = state_of_error(error)
            future.settle(state)

        runner = call.run.task_runner()
        call.run.submitted.append(future)
        try:
            if self.is_async:
                runner.submit_async(run_call, call.needs, here)
            else:
                runner.submit(job_of(run_call), call.needs, here)
        except RuntimeError as error:  # the system gives no more threads
            future.settle(state_of_error(error))
            raise
        return future


class _BoundTask:
    """A task that is a method, bound to its instance."""

    def __init__(self, task: Task[Any, Any], instance: Any) -> None:
        self._task = task
        self._instance = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._task(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def fn(self, *args: Any, **kwargs: Any) -> Any:
        return self._task.fn(self._instance, *args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        return self._task.submit(self._instance, *args, **kwargs)

    def map(self, *args: Any, **kwargs: Any) -> TaskFutureList[Any]:
        return self._task.map(Unmapped(self._instance), *args, **kwargs)


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function, synchronous or not.

    Args:
        function: given when used as `@task` without parentheses.
        options: see `flowdeck.rules.options.TaskOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    if function is None:
        return functools.partial(task, **options)
    name = name_of(function, "task")
    check_definition(function, "task", options.get("name") or name)
    return Task(function, task_spec(name, task_key(function), function.__doc__, options))


def name_of(function: Any, kind: str) -> str:
    """Return the name of a function, of what a partial calls, or of a callable's class.

    Raises:
        DefinitionError: it cannot be called.
    """
    if not callable(function):
        raise DefinitionError(f"@{kind} was given {function!r}, which is not a function.")
    named_one: Any = getattr(function, "func", function)
    return str(getattr(named_one, "__name__", type(named_one).__name__)).strip("<>")


def by_name(decorated: Any) -> str | tuple[Any, ...]:
    """Return how to pickle a flow or task: by where it stands, since there the plain function stands no more."""
    return getattr(decorated, "__qualname__", None) or object.__reduce_ex__(decorated, 4)


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def check_definition(function: Callable[..., Any], kind: str, name: str) -> None:
    """Refuse what cannot be recorded as one call, and parameters whose names flowdeck takes for itself.

    Raises:
        DefinitionError: it is such a function.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"{kind} '{name}' is a generator: its body would only run after the call, as somebody iterates over it. "
            "Return a list instead."
        )
    code = getattr(function, "__code__", None)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code is not None else ()
    for reserved in ("return_state", "wait_for"):
        if reserved in names:
            raise DefinitionError(
                f"{kind} '{name}' has a parameter '{reserved}', which is flowdeck's own keyword; give it another name."
            )


async def nothing() -> None:
    """Stand for a call that is not made, since its file is only described."""


def _take(items: Iterable[Any], count: int) -> Iterable[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item
