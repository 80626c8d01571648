"""@flow: a function whose runs are recorded, shown and started from a terminal."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

from flowdeck.execution import context, flow_starts, signals
from flowdeck.execution.context import FlowRunContext
from flowdeck.execution.drivers import AsyncDriver, SyncDriver, finish
from flowdeck.execution.failures import trim
from flowdeck.execution.flow_engine import FlowCall, run_flow
from flowdeck.execution.futures import result_of
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.exceptions import DefinitionError, ParameterError
from flowdeck.rules.retries import retry_policy
from flowdeck.rules.specs import FlowSpec
from flowdeck.rules.states import State
from flowdeck.store.database import Database
from flowdeck.tasks import check_reserved, first_paragraph

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
        self.is_async = inspect.iscoroutinefunction(function)

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
            return None  # pyright: ignore[reportReturnType]
        return_state = bool(kwargs.pop("return_state", False))
        if self.is_async:
            return self._run_async(args, kwargs, return_state)  # pyright: ignore[reportReturnType]
        call = self._start(args, kwargs)
        if context.flow_run.get() is not None:
            state = finish(run_flow(call, _SYNC))
        else:
            with signals.handled(call.run.recorder):
                state = finish(run_flow(call, _SYNC))
        return self._value(state, return_state)

    def run_claimed(self, database: Database, key: int, incarnation: int) -> State:
        """Run a flow run that an engine claimed for this process, and return its final state.

        Args:
            database: of the home.
            key: of the flow run.
            incarnation: that the engine gave this process.
        """
        run = flow_starts.attach(database, self.spec, key, incarnation)
        try:
            call = self._call_of(run, self._coerced((), dict(run.parameters)))
        except ParameterError as error:
            call = FlowCall(self.spec, _raising(error, self.is_async), (), {}, run)
        with signals.handled(run.recorder):
            if not self.is_async:
                return finish(run_flow(call, _SYNC))
            import asyncio  # noqa: PLC0415 - only flows that are async pay its 40 ms

            return asyncio.run(run_flow(call, _ASYNC))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that methods can be flows."""
        return self if instance is None else functools.partial(self.__call__, instance)

    def __repr__(self) -> str:
        return f"Flow({self.spec.name!r})"

    async def _run_async(self, args: Sequence[Any], kwargs: dict[str, Any], return_state: bool) -> Any:
        call = self._start(args, kwargs)
        if context.flow_run.get() is not None:
            return self._value(await run_flow(call, _ASYNC), return_state)
        with signals.handled(call.run.recorder):
            return self._value(await run_flow(call, _ASYNC), return_state)

    def _start(self, args: Sequence[Any], kwargs: dict[str, Any]) -> FlowCall:
        code = self.fn.__code__
        try:
            parameters = self._coerced(args, kwargs)
        except ParameterError as error:
            given = {**dict(zip(code.co_varnames, args, strict=False)), **kwargs}
            flow_starts.record_refused(self.spec, code, given, error)
            raise error.with_traceback(None) from None
        return self._call_of(flow_starts.start(self.spec, code, parameters), parameters)

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

    def _value(self, state: State, return_state: bool) -> Any:
        if return_state:
            return state
        if state.is_completed():
            return state.data
        if state.exception is not None:
            raise trim(state.exception)
        return result_of(state, self.spec.name)


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
    if not callable(function):
        raise DefinitionError(f"@flow was given {function!r}, which is not a function.")
    own_name = name or function.__name__.replace("_", "-")
    if any(character in own_name for character in "/%&><"):
        raise DefinitionError(f"A flow may not be named '{own_name}': the characters / % & > < are not allowed.")
    check_reserved(function, "flow", own_name)
    spec = FlowSpec(
        name=own_name,
        description=description or first_paragraph(function.__doc__),
        retry=retry_policy(retries, retry_delay_seconds, owner=f"flow '{own_name}'"),
        log_prints=log_prints,
        validate_parameters=validate_parameters,
    )
    return Flow(function, spec)
