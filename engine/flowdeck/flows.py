"""@flow: a function whose runs are recorded, shown and started from a terminal."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import CodeType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from flowdeck.execution import context, flow_starts, signals, uncaught
from flowdeck.execution.arguments import inputs_in, resolve
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.flow_engine import FlowCall, run_flow
from flowdeck.execution.futures import value_of
from flowdeck.execution.own_process import ENVIRONMENT
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.exceptions import DefinitionError, ParameterError, UnfinishedRun
from flowdeck.rules.options import FlowOptions, flow_spec
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State
from flowdeck.store.database import Busy, Database
from flowdeck.tasks import by_name, check_definition, is_async, name_of, nothing

P = ParamSpec("P")
R = TypeVar("R")

_SYNC = SyncDriver()
_ASYNC = AsyncDriver()


class Flow(Generic[P, R]):
    """A function as a flow. Calling it runs it in this process; inside another flow it is a subflow."""

    def __init__(self, function: Callable[P, R], spec: FlowSpec) -> None:
        """Use the `flow` decorator."""
        functools.update_wrapper(self, function)
        self.fn = function
        """The plain function: calling it is not recorded."""
        self.spec = spec
        self.is_async = is_async(function)
        self._code = _code_of(function, spec.name)

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self.spec.name

    @property
    def description(self) -> str | None:
        """First paragraph of the docstring, unless given."""
        return self.spec.description

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the flow in this process and return its value, or raise what it failed of.

        `return_state=True` returns the final State instead of value or exception.

        Raises:
            ParameterError: the arguments do not fit the signature.
            StoreError: the home cannot be used.
        """
        if context.describing:
            context.report_module_call(self.spec.name)
            return nothing() if self.is_async else None  # pyright: ignore[reportReturnType]
        return_state = bool(kwargs.pop("return_state", False))
        if self.is_async:
            return self._run_async(args, kwargs, return_state)  # pyright: ignore[reportReturnType]
        if context.flow_run.get() is not None:
            call = self._start(*_resolved(self.spec.name, args, kwargs))
            state = call if isinstance(call, State) else finish(run_flow(call, _SYNC))
            return value_of(state, self.spec.name, return_state)
        kwargs.pop("wait_for", None)
        with uncaught.told_in_a_sentence():
            call = self._start_root(args, kwargs)
            interrupt = call.run.recorder.interrupt
            with ENVIRONMENT.carrying(call.run.run_id), signals.handled(interrupt, lambda: call.run.is_over):
                state = finish(run_flow(call, _SYNC))
            return value_of(state, self.spec.name, return_state)

    def run_claimed(self, database: Database, key: int, incarnation: int) -> State:
        """Run a flow run that an engine claimed for this process, and return its final state.

        Args:
            database: of the home.
            key: of the flow run.
            incarnation: that the engine gave this process.
        """
        run = flow_starts.attach(database, self.spec, key, incarnation)
        try:
            args, kwargs = parameter_rules.call_arguments(parameter_rules.signature_of(self.fn), run.parameters)
            call = self._call_of(run, self._coerced(args, kwargs))
        except ParameterError as error:
            call = FlowCall(self, self.spec, _raising(error, self.is_async), (), {}, run)
        if not self.is_async:
            handled = signals.handled(run.recorder.interrupt, lambda: run.is_over)
            with ENVIRONMENT.carrying(run.run_id), handled:
                return finish(run_flow(call, _SYNC))
        import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

        return asyncio.run(_run_root(call))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that methods can be flows."""
        return self if instance is None else functools.partial(self.__call__, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name(self)

    def __repr__(self) -> str:
        return f"Flow({self.spec.name!r})"

    async def _run_async(self, args: Sequence[Any], kwargs: dict[str, Any], return_state: bool) -> Any:
        if context.flow_run.get() is not None:
            await _ASYNC.wait(inputs_in(args, kwargs).futures)
            call = await self._start_async(*_resolved(self.spec.name, args, kwargs))
            state = call if isinstance(call, State) else await run_flow(call, _ASYNC)
            return value_of(state, self.spec.name, return_state)
        kwargs.pop("wait_for", None)
        with uncaught.told_in_a_sentence():
            call = await self._start_async(args, kwargs)
            assert isinstance(call, FlowCall)  # only a subflow may be known already
            state = await _run_root(call)
            return value_of(state, self.spec.name, return_state)

    def _start_root(self, args: Sequence[Any], kwargs: dict[str, Any]) -> FlowCall:
        call = self._start(args, kwargs)
        assert isinstance(call, FlowCall)  # only a subflow may be known already
        return call

    async def _start_async(self, args: Sequence[Any], kwargs: dict[str, Any]) -> FlowCall | State:
        """Start without waiting for another process's lock on the event loop."""
        try:
            return self._start(args, kwargs, patient=False)
        except Busy:
            import asyncio  # noqa: PLC0415 - loaded by now

            here = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, lambda: here.run(self._start, args, kwargs))

    def _start(self, args: Sequence[Any], kwargs: dict[str, Any], patient: bool = True) -> FlowCall | State:
        """Make the run of a call; of a subflow that an earlier attempt has completed, return its state instead."""
        try:
            parameters = self._coerced(args, kwargs)
        except ParameterError as error:
            given = {**dict(zip(self._code.co_varnames, args, strict=False)), **kwargs}
            flow_starts.record_refused(self.spec, self._code, given, error)
            raise error.with_traceback(None) from None
        run = flow_starts.start(self.spec, self.fn, self._code, parameters, patient=patient)
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


async def _run_root(call: FlowCall) -> State:
    """Run an asynchronous flow that no other flow called; a signal cancels its coroutine."""
    interruption = signals.Interruption()
    handled = signals.handled(interruption.of_current_task(), lambda: call.run.is_over)
    with ENVIRONMENT.carrying(call.run.run_id), handled:
        state = await run_flow(call, _ASYNC)
    if interruption.error is not None and state.is_cancelled():
        return replace(state, exception=interruption.error)
    return state


def _resolved(flow_name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the arguments of a subflow with the results of futures in their place, once they are over.

    Raises:
        UnfinishedRun: one of them failed.
    """
    inputs = inputs_in(args, kwargs)
    for future in inputs.futures:
        future.wait()
        state = future.state
        if not state.is_completed():
            message = f"Flow '{flow_name}' did not run. It needs {future.name}, which is {state.name}."
            raise UnfinishedRun(message) from state.exception
    kwargs.pop("wait_for", None)
    return (resolve(tuple(args)), resolve(kwargs)) if inputs.to_resolve else (args, kwargs)


def _code_of(function: Any, flow_name: str) -> CodeType:
    """Return the code of what the author wrote, also behind other decorators: there is the flow's place.

    Raises:
        DefinitionError: it is not written in Python.
    """
    innermost = function
    while (wrapped := getattr(innermost, "__wrapped__", None) or getattr(innermost, "func", None)) is not None:
        innermost = wrapped
    for candidate in (innermost, type(innermost).__call__):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            return code
    raise DefinitionError(f"flow '{flow_name}' is not a function that is written in Python.")


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
        options: see `flowdeck.rules.options.FlowOptions`.

    Raises:
        DefinitionError: an option is unknown or cannot be used.
    """
    if function is None:
        return functools.partial(flow, **options)
    name = name_of(function, "flow")
    check_definition(function, "flow", options.get("name") or name)
    return Flow(function, flow_spec(name, function.__doc__, options))
