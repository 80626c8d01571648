"""@task: a unit of work that is recorded, retried and shown by itself."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from types import CodeType, MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from flowdeck.execution.calls import context, methods
from flowdeck.execution.calls.arguments import awaited_in, inputs_in
from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.calls.futures import TaskFuture, TaskFutureList, value_of
from flowdeck.execution.calls.mapping import is_future, items_of
from flowdeck.execution.calls.methods import INSTANCE
from flowdeck.execution.calls.task_calls import TaskCall, make_call
from flowdeck.execution.drivers.drivers import AsyncDriver, PausingDriver, SyncDriver, finish
from flowdeck.execution.drivers.generators import iterate, iterate_async, stepping, stepping_async, suspended_in
from flowdeck.execution.engine.task_engine import run_task
from flowdeck.execution.hooks.hook_decorators import TaskRunHooks
from flowdeck.execution.hooks.hooks import is_from_outside
from flowdeck.execution.hooks.naming import name_task_run
from flowdeck.execution.limits.retry_timers import job_of
from flowdeck.execution.logs.run_logs import capture_prints
from flowdeck.execution.logs.stray_futures import warn_of_stray
from flowdeck.execution.recording.facts import TaskRunsMade
from flowdeck.execution.recording.failures import state_of_error
from flowdeck.execution.runners.run_runners import runners_of
from flowdeck.execution.starts import standalone_tasks
from flowdeck.execution.transactions import transactions
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import CancelledRun, DefinitionError, ReservedArgumentError
from flowdeck.rules.keys.cache_policies import task_input_hash
from flowdeck.rules.keys.call_keys import task_key
from flowdeck.rules.keys.function_identity import FunctionIdentity
from flowdeck.rules.options.function_code import innermost
from flowdeck.rules.options.hooks import with_those_of
from flowdeck.rules.options.options import TaskOptions, merged, task_spec
from flowdeck.rules.options.retries import exponential_backoff
from flowdeck.rules.options.specs import TaskSpec
from flowdeck.rules.states import State, named

__all__ = ["Task", "exponential_backoff", "task", "task_input_hash"]

P = ParamSpec("P")
R = TypeVar("R")

_SYNC = SyncDriver()
_ASYNC = AsyncDriver()
_PAUSING = PausingDriver()
_PENDING = named("Pending")
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
_MAP_CHUNK = 500
"""Rows of a `.map()` are made in transactions of so many, so that a large one does not stop other writers."""


class Task(TaskRunHooks, Generic[P, R]):
    """A function as a task. Call it inside a flow, or `submit` it, or `map` it over items."""

    def __init__(
        self, function: Callable[P, R], spec: TaskSpec, options: Mapping[str, Any] = NO_OPTIONS, binding: str = INSTANCE
    ) -> None:
        """Use the `task` decorator."""
        functools.update_wrapper(self, function)
        self.fn = function
        """The plain function: calling it is not recorded."""
        self.spec: TaskSpec = spec
        self.is_async = is_async(function)
        self.is_generator = is_generator(function)
        self.identity = FunctionIdentity(spec.key, spec.name, function)
        """What its calls are of, for the keys of these."""
        self._options = options
        self._binding = binding
        if spec.log_prints:
            capture_prints()

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.spec.name

    @property
    def task_key(self) -> str:
        """Place and name of its function: what people know the task by in every process."""
        return self.spec.key

    @property
    def tags(self) -> frozenset[str]:
        """Tags of every run of it."""
        return self.spec.tags

    @property
    def description(self) -> str | None:
        """First paragraph of the docstring, unless given."""
        return self.spec.description

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task now and return its value, or raise what it raised.

        Two keywords are for flowdeck: `return_state=True` returns the final State instead of value or exception;
        `wait_for=[futures]` waits for these before it starts. Of a generator the items come as they are produced.
        Outside of flows the call is a flow run of its own, named after the task.
        """
        if context.describing:
            context.report_module_call(self.spec.name)
            return nothing(self)  # pyright: ignore[reportReturnType]
        return_state = bool(kwargs.pop("return_state", False)) if kwargs else False
        if self.is_generator and not return_state:
            return self._items(args, kwargs)  # pyright: ignore[reportReturnType]
        if context.flow_run.get() is None:
            if self.is_async:
                return called_as(self, standalone_tasks.call_async(self, args, kwargs, return_state))
            return standalone_tasks.call(self, args, kwargs, return_state)
        call = self._call(args, kwargs)
        if self.is_async:
            return called_as(self, self._run_async(call, return_state))
        state = finish(run_task(call, _SYNC))
        return value_of(state, call.name, return_state)

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]:
        """Start the task beside the flow and return its future at once.

        Futures among the arguments are waited for and replaced by their results. `wait_for=[futures]` waits for
        further ones. `return_state=True` waits for the call and returns its final State instead of the future. The
        flow ends only when all submitted calls are over.
        """
        return_state = bool(kwargs.pop("return_state", False))
        future: TaskFuture[R]
        if context.flow_run.get() is None:
            future = standalone_tasks.submit(self, args, kwargs)
        else:
            future = self._submit(args, kwargs)
        if not return_state:
            return future
        future.wait()
        return future.state  # pyright: ignore[reportReturnType]

    def _submit(self, args: Sequence[Any], kwargs: dict[str, Any]) -> TaskFuture[R]:
        run = _current_run()
        call = self._call(args, kwargs, submitted=True)
        if not run.recorder.record(TaskRunsMade([call.row], _PENDING, SYSTEM_CLOCK.now_microseconds())):
            raise CancelledRun(run.recorder.refusal())
        return self._hand_over(call)

    def map(self, /, *args: Any, **kwargs: Any) -> TaskFutureList[R]:
        """Submit one call for each item, and return their futures in order.

        Lists, tuples, ranges and other iterables are mapped over, item by item; strings, bytes and mappings are
        constants, as is what is wrapped in `unmapped`. A future is waited for first, to know its items.
        `return_state=True` waits for all calls and returns their final states instead of their futures.

        Raises:
            MappingMissingIterable: nothing to map over.
            MappingLengthMismatch: iterables of different lengths.
        """
        return_state = bool(kwargs.pop("return_state", False))
        in_run = context.flow_run.get() is not None
        futures = self._map(args, kwargs) if in_run else standalone_tasks.submit_each(self, args, kwargs)
        if not return_state:
            return futures
        futures.wait()
        return [future.state for future in futures]  # pyright: ignore[reportReturnType]

    def _map(self, args: Sequence[Any], kwargs: dict[str, Any]) -> TaskFutureList[R]:
        run = _current_run()
        # What is mapped over is an upstream of every item, though it is over by the time the items are known.
        mapped = [value for value in (*args, *kwargs.values()) if is_future(value)]
        awaited = kwargs.pop("wait_for", None)
        wait_for = mapped if awaited is None else [awaited_in(awaited, f"task '{self.spec.name}'"), *mapped]
        items = items_of(self.spec.name, args, kwargs)
        group = run.number_group()
        futures: TaskFutureList[R] = TaskFutureList()
        while chunk := [
            self._make(item_args, item_kwargs, wait_for or None, group=group, submitted=True)
            for item_args, item_kwargs in _take(items, _MAP_CHUNK)
        ]:
            made = TaskRunsMade([call.row for call in chunk], _PENDING, SYSTEM_CLOCK.now_microseconds())
            if not run.recorder.record(made):
                raise CancelledRun(run.recorder.refusal())
            futures.extend(self._hand_over(call) for call in chunk)
        return futures

    def with_options(self, **options: Unpack[TaskOptions]) -> Task[P, R]:
        """Return the same task with other options; what is not given stays, its name too.

        Args:
            options: see `flowdeck.rules.options.options.TaskOptions`; None is the default of an option.

        Raises:
            DefinitionError: an option is unknown or cannot be used.
        """
        all_options = merged({"name": self.spec.name, **self._options}, options)
        spec = task_spec(name_of(self.fn, "task"), self.spec.key, self.fn.__doc__, all_options)
        spec = replace(spec, hooks=with_those_of(self.spec.hooks, spec.hooks, options))
        return Task(self.fn, spec, all_options, self._binding)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance or a class, so that methods can be tasks."""
        return methods.bound(self, self._binding, instance, owner)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name(self)

    def reduced_by_value(self) -> tuple[Any, ...]:
        """Return how to pickle it for a process in which it has no name."""
        return Task, (self.fn, self.spec, dict(self._options), self._binding)

    def __repr__(self) -> str:
        return f"Task({self.spec.name!r})"

    def _items(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Return what gives the items of a generator as they are produced."""
        if context.flow_run.get() is None:
            return (standalone_tasks.items_async if self.is_async else standalone_tasks.items)(self, args, kwargs)

        async def life() -> State:
            call = self._call(args, kwargs)
            if self.spec.own_process:  # there it runs to its end
                return await run_task(call, _ASYNC if self.is_async else _SYNC)
            wanted = self.spec.results.persist is not False
            with suspended_in(call.run, call.row.id):
                return await run_task(call, (stepping_async if self.is_async else stepping)(call.run, wanted=wanted))

        return (iterate_async if self.is_async else iterate)(life, self.spec.name)

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
            inputs = inputs.with_awaited(wait_for, f"task '{self.spec.name}'")
        run = _current_run()
        if inputs.stray is not None:
            warn_of_stray(run, self.spec.name, self.fn, args, inputs.stray)
        call = make_call(self, args, kwargs, inputs, run, group, submitted)
        if submitted and self.spec.run_name is not None and not inputs.to_resolve:
            name_task_run(call)  # else it waits for the arguments
        return call

    async def _run_async(self, call: TaskCall, return_state: bool) -> Any:
        return value_of(await run_task(call, _ASYNC), call.name, return_state)

    def _hand_over(self, call: TaskCall) -> TaskFuture[R]:
        """Queue a call whose row is made."""
        future: TaskFuture[R] = TaskFuture(call.row.id, call.name)
        here = contextvars.copy_context()
        runner = runners_of(call.run).task_runner(call.run)
        call.executor = runner.executor
        # What runs in a process runs as a coroutine there, if it is one; here a thread waits for it.
        on_loop = self.is_async and runner.executor is None and not self.spec.own_process

        async def run_call() -> None:
            try:
                state = await run_task(call, _ASYNC if on_loop else _PAUSING)
            except BaseException as error:  # noqa: BLE001 - the store's: whoever asks for the result shall have it
                state = state_of_error(error)
            future.settle(state)

        call.run.submitted.append(future)
        transaction = transactions.current.get()
        if transaction is not None:
            transaction.submitted.append(future)
        try:
            if on_loop:
                runner.submit_async(run_call, call.needs, here)
            else:
                runner.submit(job_of(run_call), call.needs, here)
        except RuntimeError as error:  # the system gives no more threads
            future.settle(state_of_error(error))
            raise
        error = future.final_state().exception if runner.runs_at_once else None
        if error is not None and is_from_outside(error):
            raise error  # brought into this thread, for more than this call
        return future


def _current_run() -> FlowRunContext:
    run = context.flow_run.get()
    assert run is not None  # else the call is a run of its own, and comes here inside of that
    return run


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function, synchronous or not.

    Args:
        function: given when used as `@task` without parentheses.
        options: see `flowdeck.rules.options.options.TaskOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    if function is None:
        return functools.partial(task, **options)
    plain, binding = methods.plain(function)
    name = name_of(plain, "task")
    check_definition(plain, "task", options.get("name") or name)
    return Task(plain, task_spec(name, task_key(plain), plain.__doc__, options), options, binding)


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
    """Return how to pickle a flow or task: by where it stands, since there the plain function stands no more.

    What is made in a function stands nowhere: it goes as its function does, which cloudpickle takes along.
    """
    name: str | None = getattr(decorated, "__qualname__", None)
    return decorated.reduced_by_value() if name is None or "<" in name else name


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives something to await, or to iterate over with `async for`."""
    return _is_one(function, inspect.iscoroutinefunction) or _is_one(function, inspect.isasyncgenfunction)


def is_generator(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives items one by one, asynchronously or not."""
    return _is_one(function, inspect.isgeneratorfunction) or _is_one(function, inspect.isasyncgenfunction)


def _is_one(function: Callable[..., Any], test: Callable[[Any], bool]) -> bool:
    return test(function) or test(type(function).__call__)


def check_definition(function: Callable[..., Any], kind: str, name: str) -> None:
    """Refuse parameters whose names flowdeck takes for itself, and objects in which no function can be found.

    Raises:
        DefinitionError: it has such a parameter (a ReservedArgumentError), or is such an object.
    """
    innermost(function, f"{kind} '{name}'")
    code = getattr(function, "__code__", None)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if isinstance(code, CodeType) else ()
    for reserved in ("return_state", "wait_for"):
        if reserved in names:
            raise ReservedArgumentError(
                f"{kind} '{name}' has a parameter '{reserved}', which is flowdeck's own keyword; give it another name."
            )


def called_as(decorated: Any, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the coroutine of a call under the author's name: Python warns of one that nobody has awaited."""
    coroutine.__qualname__ = decorated.spec.name
    return coroutine


def nothing(decorated: Any) -> Any:
    """Stand for a call that is not made, since its file is only described."""
    if decorated.is_generator:
        return _no_items_async() if decorated.is_async else iter(())
    return _nothing_async() if decorated.is_async else None


async def _nothing_async() -> None:
    pass


async def _no_items_async() -> AsyncGenerator[Any]:
    for nothing_at_all in ():
        yield nothing_at_all


def _take(items: Iterable[Any], count: int) -> Iterable[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item
