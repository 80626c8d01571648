"""@flow: a function whose runs are recorded, shown and started from a terminal."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import CodeType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from flowdeck.execution import context, flow_starts, signals, uncaught
from flowdeck.execution.arguments import inputs_in, resolve
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.flow_engine import FlowCall, run_flow
from flowdeck.execution.futures import value_of
from flowdeck.execution.own_process import ENVIRONMENT
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.exceptions import DefinitionError, ParameterError, UnfinishedRun
from flowdeck.rules.retries import retry_policy
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State
from flowdeck.store.database import Busy, Database
from flowdeck.tasks import by_name, check_definition, first_paragraph, is_async, name_of, nothing

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
            return value_of(finish(run_flow(call, _SYNC)), self.spec.name, return_state)
        kwargs.pop("wait_for", None)
        with uncaught.told_in_a_sentence():
            call = self._start(args, kwargs)
            with ENVIRONMENT.carrying(call.run.run_id), signals.handled(call.run.recorder.interrupt):
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
            call = FlowCall(self.spec, _raising(error, self.is_async), (), {}, run)
        if not self.is_async:
            with ENVIRONMENT.carrying(run.run_id), signals.handled(run.recorder.interrupt):
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
            return value_of(await run_flow(call, _ASYNC), self.spec.name, return_state)
        kwargs.pop("wait_for", None)
        with uncaught.told_in_a_sentence():
            state = await _run_root(await self._start_async(args, kwargs))
            return value_of(state, self.spec.name, return_state)

    async def _start_async(self, args: Sequence[Any], kwargs: dict[str, Any]) -> FlowCall:
        """Start without waiting for another process's lock on the event loop."""
        try:
            return self._start(args, kwargs, patient=False)
        except Busy:
            import asyncio  # noqa: PLC0415 - loaded by now

            here = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, lambda: here.run(self._start, args, kwargs))

    def _start(self, args: Sequence[Any], kwargs: dict[str, Any], patient: bool = True) -> FlowCall:
        try:
            parameters = self._coerced(args, kwargs)
        except ParameterError as error:
            given = {**dict(zip(self._code.co_varnames, args, strict=False)), **kwargs}
            flow_starts.record_refused(self.spec, self._code, given, error)
            raise error.with_traceback(None) from None
        run = flow_starts.start(self.spec, self._code, parameters, patient=patient)
        return self._call_of(run, parameters)

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
        return FlowCall(self.spec, self.fn, args, kwargs, run)


async def _run_root(call: FlowCall) -> State:
    """Run an asynchronous flow that no other flow called; a signal cancels its coroutine."""
    interruption = signals.Interruption()
    with ENVIRONMENT.carrying(call.run.run_id), signals.handled(interruption.of_current_task()):
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
def flow(
    *,
    name: str | None = None,
    description: str | None = None,
    retries: int = 0,
    retry_delay_seconds: float | Sequence[float] = 0,
    log_prints: bool | None = None,
    validate_parameters: bool = True,
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...


def flow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    retries: int = 0,
    retry_delay_seconds: float | Sequence[float] = 0,
    log_prints: bool | None = None,
    validate_parameters: bool = True,
) -> Any:
    """Make a flow of a function, synchronous or not.

    Args:
        function: given when used as `@flow` without parentheses.
        name: of the flow; the function's name with hyphens for underscores unless given.
        description: what it does; the first paragraph of the docstring unless given.
        retries: how often the whole flow is tried again after a failure.
        retry_delay_seconds: wait before each retry; of a list the last one repeats.
        log_prints: `print` goes to the log of the run, in its tasks too unless they say otherwise.
        validate_parameters: make of arguments what their annotations ask, and refuse what does not fit.

    Raises:
        DefinitionError: an option cannot be used.
    """
    if function is None:
        return functools.partial(
            flow,
            name=name,
            description=description,
            retries=retries,
            retry_delay_seconds=retry_delay_seconds,
            log_prints=log_prints,
            validate_parameters=validate_parameters,
        )
    own_name = name or name_of(function, "flow").replace("_", "-")
    if any(character in own_name for character in "/%&><"):
        raise DefinitionError(f"A flow may not be named '{own_name}': the characters / % & > < are not allowed.")
    check_definition(function, "flow", own_name)
    spec = FlowSpec(
        name=own_name,
        description=description or first_paragraph(function.__doc__),
        retry=retry_policy(retries, retry_delay_seconds, owner=f"flow '{own_name}'"),
        log_prints=log_prints,
        validate_parameters=validate_parameters,
    )
    return Flow(function, spec)
