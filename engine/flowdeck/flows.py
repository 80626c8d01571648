"""@flow: a function whose runs are recorded, shown and started from a terminal."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from flowdeck.execution.calls import context, methods
from flowdeck.execution.calls.arguments import Inputs, inputs_in, resolve
from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.calls.futures import value_of
from flowdeck.execution.calls.methods import INSTANCE
from flowdeck.execution.drivers.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.drivers.generators import iterate, iterate_async, stepping, stepping_async, suspended_in
from flowdeck.execution.engine.flow_engine import FlowCall, run_flow
from flowdeck.execution.hooks.hook_decorators import FlowRunHooks
from flowdeck.execution.limits import excepthook
from flowdeck.execution.logs.stray_futures import warn_of_stray
from flowdeck.execution.starts import root_runs, run_creation, standalone_tasks
from flowdeck.rules.exceptions import ParameterError, UnfinishedRun
from flowdeck.rules.keys.call_keys import task_key
from flowdeck.rules.keys.function_identity import FunctionIdentity
from flowdeck.rules.options.function_code import code_of
from flowdeck.rules.options.hooks import with_those_of
from flowdeck.rules.options.options import FlowOptions, flow_spec, merged
from flowdeck.rules.options.specs import FlowSpec
from flowdeck.rules.parameters import parameters as parameter_rules
from flowdeck.rules.states import State, exception_of, named
from flowdeck.store.database.database import Database
from flowdeck.tasks import (
    NO_OPTIONS,
    Task,
    by_name,
    called_as,
    check_definition,
    is_async,
    is_generator,
    name_of,
    nothing,
)  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")

_SYNC = SyncDriver()
_ASYNC = AsyncDriver()


class Flow(FlowRunHooks, Generic[P, R]):
    """A function as a flow. Calling it runs it in this process; inside another flow it is a subflow."""

    def __init__(
        self,
        function: Callable[P, R],
        spec: FlowSpec,
        options: Mapping[str, Any] = NO_OPTIONS,
        binding: str = INSTANCE,
        made_in: str | None = None,
    ) -> None:
        """Use the `flow` decorator."""
        functools.update_wrapper(self, function)
        self.fn = function
        """The plain function: calling it is not recorded."""
        self.spec: FlowSpec = spec
        self.is_async = is_async(function)
        self.is_generator = is_generator(function)
        self._code = code_of(function, f"flow '{spec.name}'")
        self._identity = FunctionIdentity(f"flow {task_key(function)}", spec.name, function)
        self._options = options
        self.binding = binding
        """What a flow of a class is bound to: the instance, the class, or nothing."""
        self.made_in = made_in
        """Name of the module whose code made a flow of the function; None where that is not known."""

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self.spec.name

    @property
    def description(self) -> str | None:
        """First paragraph of the docstring, unless given."""
        return self.spec.description

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the flow in this process and return its value, or raise what it failed of.

        `return_state=True` returns the final State instead of value or exception. Of a generator the items come as
        they are produced.

        Raises:
            ParameterError: the arguments do not fit the signature.
            StoreError: the home cannot be used.
        """
        if context.describing:
            context.report_module_call(self.spec.name)
            return nothing(self)  # pyright: ignore[reportReturnType]
        return_state = bool(kwargs.pop("return_state", False))
        if self.is_generator and not return_state:
            return self._items(args, kwargs)  # pyright: ignore[reportReturnType]
        if self.is_async:
            return called_as(self, self._run_async(args, kwargs, return_state))
        with excepthook.told_in_a_sentence():
            return value_of(finish(self._live(args, kwargs)), self.spec.name, return_state)

    def run_claimed(self, database: Database, key: int, incarnation: int) -> State:
        """Run a flow run that an engine claimed for this process, and return its final state.

        Args:
            database: of the home.
            key: of the flow run.
            incarnation: that the engine gave this process.
        """
        run = run_creation.attach(database, self.spec, key, incarnation)
        try:
            args, kwargs = parameter_rules.call_arguments(parameter_rules.signature_of(self.fn), run.parameters)
            call = self._call_of(run, self._coerced(args, kwargs))
        except ParameterError as error:
            call = FlowCall(self, self.spec, _raising(error, self.is_async), (), {}, run)
        if not self.is_async:
            return finish(root_runs.run(call, _SYNC))
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        return asyncio.run(root_runs.run_async(call, _ASYNC))

    def with_options(self, **options: Unpack[FlowOptions]) -> Flow[P, R]:
        """Return the same flow with other options; what is not given stays, its name too.

        Args:
            options: see `flowdeck.rules.options.options.FlowOptions`; None is the default of an option.

        Raises:
            DefinitionError: an option is unknown or cannot be used.
        """
        all_options = merged({"name": self.spec.name, **self._options}, options)
        spec = flow_spec(name_of(self.fn, "flow"), self.fn.__doc__, all_options)
        spec = replace(spec, hooks=with_those_of(self.spec.hooks, spec.hooks, options))
        return Flow(self.fn, spec, all_options, self.binding, caller_module())

    def bound_to(self, target: Any) -> Flow[..., Any]:
        """Return the flow as one whose first argument is `target`: for starting a flow of a class."""
        return Flow(MethodType(self.fn, target), self.spec, self._options, made_in=self.made_in)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance or a class, so that methods can be flows."""
        return methods.bound(self, self.binding, instance, owner)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name(self)

    def reduced_by_value(self) -> tuple[Any, ...]:
        """Return how to pickle it for a process in which it has no name."""
        return Flow, (self.fn, self.spec, dict(self._options), self.binding)

    def __repr__(self) -> str:
        return f"Flow({self.spec.name!r})"

    async def _run_async(self, args: Sequence[Any], kwargs: dict[str, Any], return_state: bool) -> Any:
        with excepthook.told_in_a_sentence():
            return value_of(await self._live_async(args, kwargs), self.spec.name, return_state)

    def _items(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Return what gives the items of a generator as they are produced."""
        if self.is_async:
            return iterate_async(lambda: self._live_async(args, kwargs, in_steps=True), self.spec.name)
        return iterate(lambda: self._live(args, kwargs, in_steps=True), self.spec.name)

    async def _live(self, args: Sequence[Any], kwargs: dict[str, Any], in_steps: bool = False) -> State:
        """Run a synchronous flow and return its final state."""
        parent = context.flow_run.get()
        if parent is not None:
            inputs = _inputs(self.spec.name, args, kwargs)
            await _SYNC.wait(inputs.futures)
            args, kwargs, missing = _resolved(self, parent, args, kwargs, inputs)
            if missing is not None:
                return missing
        kwargs.pop("wait_for", None)
        call = self._start(args, kwargs)
        if isinstance(call, State):
            return call
        if not in_steps:
            return await (root_runs.run(call, _SYNC) if parent is None else run_flow(call, _SYNC))
        driver = stepping(call.run, wanted=self._is_kept(call.run))
        if parent is None:
            return await root_runs.run_in_steps(call, driver)
        with suspended_in(parent, call.run.identity.id):
            return await run_flow(call, driver)

    async def _live_async(self, args: Sequence[Any], kwargs: dict[str, Any], in_steps: bool = False) -> State:
        """Run an asynchronous flow and return its final state."""
        parent = context.flow_run.get()
        if parent is not None:
            inputs = _inputs(self.spec.name, args, kwargs)
            await _ASYNC.wait(inputs.futures)
            args, kwargs, missing = _resolved(self, parent, args, kwargs, inputs)
            if missing is not None:
                return missing
        kwargs.pop("wait_for", None)
        call = await root_runs.begun(lambda patient: self._start(args, kwargs, patient), self.spec.name)
        if isinstance(call, State):
            return call
        driver = stepping_async(call.run, wanted=self._is_kept(call.run)) if in_steps else _ASYNC
        if parent is None:
            return await root_runs.run_async(call, driver)
        with suspended_in(parent if in_steps else None, call.run.identity.id):
            return await run_flow(call, driver)

    def _is_kept(self, run: FlowRunContext) -> bool:
        """Tell whether what a run returns is recorded: a run that calls it may ask for it again."""
        persist = self.spec.results.persist
        return run.identity.is_subflow if persist is None else persist

    def _start(self, args: Sequence[Any], kwargs: dict[str, Any], patient: bool = True) -> FlowCall | State:
        """Make the run of a call; of a subflow that an earlier attempt has completed, return its state instead."""
        try:
            parameters = self._coerced(args, kwargs)
        except ParameterError as error:
            given = {**dict(zip(self._code.co_varnames, args, strict=False)), **kwargs}
            run_creation.record_refused(self.spec, self._code, given, error)
            return named("Failed", str(error), exception=error.with_traceback(None))
        run = run_creation.start(self.spec, self._identity, self._code, parameters, patient=patient)
        return run if isinstance(run, State) else self._call_of(run, parameters)

    def _coerced(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        signature = parameter_rules.signature_of(self.fn)
        bound = parameter_rules.bind(signature, args, kwargs, flow_name=self.spec.name)
        if not self.spec.validate_parameters:
            return bound
        hints = parameter_rules.type_hints(self.fn)
        return parameter_rules.coerce_all(signature, hints, bound, flow_name=self.spec.name)

    def _call_of(self, run: FlowRunContext, parameters: dict[str, Any]) -> FlowCall:
        args, kwargs = parameter_rules.call_arguments(parameter_rules.signature_of(self.fn), parameters)
        run.parameters = parameters
        return FlowCall(self, self.spec, self.fn, args, kwargs, run)


def _inputs(flow_name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Inputs:
    """Return what there is among the arguments of a flow besides plain values, `wait_for` included and taken out."""
    awaited = kwargs.pop("wait_for", None)
    inputs = inputs_in(args, kwargs)
    return inputs if awaited is None else inputs.with_awaited(awaited, f"flow '{flow_name}'")


def _resolved(
    flow: Flow[..., Any], parent: FlowRunContext, args: Sequence[Any], kwargs: dict[str, Any], inputs: Inputs
) -> tuple[Sequence[Any], dict[str, Any], State | None]:
    """Return the arguments of a subflow with the results of futures, all over, in their place.

    Returns:
        Positional and keyword arguments; and the state of a call that does not run, since something it needs failed.
    """
    if inputs.stray is not None:
        warn_of_stray(parent, flow.name, flow.fn, args, inputs.stray)
    missing = inputs.missing()
    for future in inputs.futures:
        future.asked = True  # the caller sees the failure, as that of the subflow
    if missing is not None:
        message = f"Flow '{flow.name}' did not run. It needs {missing[0]}, which is {missing[1].name}."
        error = UnfinishedRun(message)
        error.__cause__ = exception_of(missing[1])
        return args, kwargs, named("NotReady", message, exception=error)
    if not inputs.to_resolve:
        return args, kwargs, None
    return resolve(tuple(args)), resolve(kwargs), None


def _raising(error: BaseException, asynchronous: bool) -> Callable[[], Any]:
    """Return a body that fails with what was wrong before the author's function could be called."""

    def fail() -> None:
        raise error

    async def fail_async() -> None:
        raise error

    return fail_async if asynchronous else fail


@overload
def flow(function: Callable[P, R], /) -> Flow[P, R]: ...


@overload
def flow(**options: Unpack[FlowOptions]) -> Callable[[Callable[P, R]], Flow[P, R]]: ...


def flow(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a flow of a function, synchronous or not.

    Args:
        function: given when used as `@flow` without parentheses.
        options: see `flowdeck.rules.options.options.FlowOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    if function is None:
        return functools.partial(flow, **options)
    plain, binding = methods.plain(function)
    name = name_of(plain, "flow")
    check_definition(plain, "flow", options.get("name") or name)
    return Flow(plain, flow_spec(name, plain.__doc__, options), options, binding, caller_module())


def caller_module() -> str | None:
    """Return the name of the module whose code calls the function that calls this."""
    name = sys._getframe(2).f_globals.get("__name__")  # pyright: ignore[reportPrivateUsage] - as inspect, but sooner
    return name if isinstance(name, str) else None


def flow_of_task(task: Task[..., Any]) -> Flow[..., Any]:
    """Return the flow that a task is when it is called outside of flows: its run can be started again, too."""
    return Flow(standalone_tasks.body_of(task), standalone_tasks.spec_of(task.spec))
