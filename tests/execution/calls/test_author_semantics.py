"""What authors who come from Prefect expect of calls, states, exceptions, defaults and generators."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from flowdeck import allow_failure, flow, task
from flowdeck.deck import FlowRun, TaskRun
from flowdeck.exceptions import (
    CancelledRun,
    DefinitionError,
    FailedRun,
    InvalidNameError,
    MissingContextError,
    ParameterBindError,
    ParameterError,
    ReservedArgumentError,
    UnfinishedRun,
    UsageError,
)
from flowdeck.logging import get_run_logger
from flowdeck.states import Cancelled, Cancelling, Completed, Failed, State, StateType
from tests.execution.dialects import Dialect
from tests.execution.small_tasks import BrokenError, breaks, double

Calls = Callable[[], list[TaskRun]]
LastRun = Callable[[], FlowRun]


# -- names of parameters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["self", "function", "task", "call", "cls", "args", "func", "name", "state"])
def test_a_parameter_may_have_any_name(name: str) -> None:
    """Also one that flowdeck's own methods have: called, submitted, mapped, as a flow, as a subflow."""
    scope: dict[str, Any] = {}
    exec(f"def given({name}):\n    return {name}\n", scope)
    as_task, as_flow = task(scope["given"]), flow(scope["given"])

    @flow
    def main() -> list[Any]:
        return [
            as_task(**{name: 1}),
            as_task.submit(**{name: 2}).result(),
            as_task.map(**{name: [3]}).result(),
            as_flow(**{name: 4}),
        ]

    assert main() == [1, 2, [3], 4]
    assert as_flow(**{name: 5}) == 5
    assert as_task(**{name: 6}) == 6


# -- states ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        Failed(data=Failed(data=ValueError("disk full"))),
        Failed(data=[Completed(data=1), Failed(data=ValueError("disk full"))]),
        Failed(data=(Failed(data=[Failed(data=ValueError("disk full"))]),)),
    ],
)
def test_a_state_made_of_states_raises_what_the_inner_one_failed_of(state: State) -> None:
    """Asked itself, returned by a task, returned by a flow."""
    with pytest.raises(ValueError, match="disk full"):
        state.result()

    @task
    def gives() -> State:
        return state

    @flow
    def main() -> State:
        with pytest.raises(ValueError, match="disk full"):
            gives()
        return state

    with pytest.raises(ValueError, match="disk full"):
        main()


def test_a_state_that_holds_itself_ends() -> None:
    """Nested without end it has no exception of its own."""
    inner: list[Any] = []
    inner.append(inner)
    with pytest.raises(FailedRun):
        Failed(data=inner).result()
    with pytest.raises(FailedRun, match="no rows"):
        Failed(data="no rows").result()


def test_the_type_of_a_state_may_be_text() -> None:
    """It becomes a type; what is none is refused with those that there are."""
    for given in ("FAILED", "failed", StateType.FAILED):
        state = State(given, "Rejected")  # pyright: ignore[reportArgumentType]
        assert state.type is StateType.FAILED
        assert state.is_failed()
    assert State("COMPLETED").name == "Completed"  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="one of SCHEDULED, PENDING"):
        State("Rejected", "Rejected")  # pyright: ignore[reportArgumentType]

    @flow
    def main() -> State:
        return State("FAILED", "Rejected", "no rows")  # pyright: ignore[reportArgumentType]

    assert main(return_state=True).is_failed()  # pyright: ignore


def test_a_flow_that_returns_cancelling_is_cancelled(dialect: Dialect, last_run: LastRun) -> None:
    """It is not Completed."""

    @dialect.flow()
    async def main() -> State:
        return Cancelling(message="enough")

    state = dialect.run(main, return_state=True)
    assert (state.name, state.message) == ("Cancelled", "enough")
    assert last_run().state_name == "Cancelled"


def test_the_cancel_of_another_run_can_be_caught() -> None:
    """As an Exception, by the name it has: of a subflow, of a task's state, of a future."""

    @flow
    def gives_up() -> State:
        return Cancelled(message="enough")

    @task
    def gives_up_too() -> State:
        return Cancelled(message="enough")

    caught: list[type] = []

    @flow
    def main() -> str:
        for ask in (
            gives_up,
            gives_up_too,
            gives_up_too.submit().result,
            gives_up(return_state=True).result,  # pyright: ignore
        ):
            try:
                ask()
            except Exception as error:  # noqa: BLE001 - what the test is about
                assert isinstance(error, CancelledRun)
                caught.append(type(error))
        return "went on"

    assert main() == "went on"
    assert len(caught) == 4


# -- calls that do not run ---------------------------------------------------------------------------------------------


def test_wrong_parameters_give_a_failed_state(dialect: Dialect, last_run: LastRun) -> None:
    """When the state was asked for; at the root and as a subflow."""

    @dialect.flow()
    async def counts(number: int) -> int:
        return number

    state = dialect.run(counts, "many", return_state=True)
    assert state.is_failed()
    assert isinstance(state.exception, ParameterError)
    assert last_run().state_name == "Failed"

    @dialect.flow()
    async def main() -> str:
        inner = await dialect.call(counts, "many", return_state=True)
        assert inner.is_failed()
        return "went on"

    assert dialect.run(main) == "went on"


def test_subflows_honour_allow_failure_and_wait_for(dialect: Dialect) -> None:
    """As tasks do: an allowed failure is handed on, another one keeps the subflow from running."""

    @dialect.flow()
    async def shows(value: Any = None) -> Any:
        return value

    @dialect.flow()
    async def main() -> None:
        given = await dialect.call(shows, allow_failure(breaks.submit()))
        assert isinstance(given, BrokenError)
        assert await dialect.call(shows, 1, wait_for=[allow_failure(breaks.submit())]) == 1
        assert await dialect.call(shows, 2, wait_for=double.submit(1)) == 2
        for arguments in ({"value": breaks.submit()}, {"wait_for": [breaks.submit()]}, {"value": Failed()}):
            state = await dialect.call(shows, return_state=True, **arguments)
            assert state.name == "NotReady"
            with pytest.raises(UnfinishedRun, match="'shows' did not run"):
                await dialect.call(shows, **arguments)

    dialect.run(main)


def test_an_allowed_failure_of_a_map_does_not_fail_the_flow() -> None:
    """The author has answered for it: all items passed at once, mapped over, or only waited for."""

    @task
    def counts(values: Any) -> int:
        return len(values) if isinstance(values, list) else 1

    @flow
    def at_once() -> int:
        return counts(allow_failure(breaks.map([1, 2])))

    @flow
    def mapped() -> list[int]:
        return counts.map(allow_failure(breaks.map([1, 2]))).result()

    @flow
    def waited() -> int:
        return counts([1], wait_for=allow_failure(breaks.map([1, 2])))

    @flow
    def by_subflow() -> int:
        return at_once.fn.__code__ is not None and subflow(allow_failure(breaks.map([1, 2])))

    @flow
    def subflow(values: Any) -> int:
        return len(values)

    assert (at_once(), mapped(), waited(), by_subflow()) == (2, [1, 1], 1, 2)


# -- options -----------------------------------------------------------------------------------------------------------


def test_a_timeout_of_zero_is_none() -> None:
    """On flows and tasks; below it is refused."""
    assert task(timeout_seconds=0)(lambda: 1).spec.timeout_seconds is None
    assert flow(timeout_seconds=0)(lambda: 1)() == 1
    with pytest.raises(ValueError, match="timeout_seconds"):
        task(timeout_seconds=-1)(lambda: 1)


def test_a_negative_expiration_is_expired() -> None:
    """The result is recorded, and never found."""
    ran: list[int] = []

    @task(cache_key_fn=lambda *_: "one", cache_expiration=-5)
    def work() -> int:
        ran.append(1)
        return len(ran)

    @flow
    def main() -> list[int]:
        return [work(), work()]

    assert main() == [1, 2]


class Box(BaseModel):
    width: int


@dataclass
class Size:
    width: int


def test_defaults_are_coerced_as_arguments_are(last_run: LastRun) -> None:
    """One that does not fit its annotation is taken as it is."""

    wide: Any = {"width": "3"}
    narrow: Any = {"width": 4}
    five: Any = "5"
    nothing: Any = None

    @flow
    def main(box: Box = wide, size: Size = narrow, count: int = five, none: int = nothing) -> Any:
        return box, size, count, none

    assert main() == (Box(width=3), Size(4), 5, None)
    assert last_run().parameters == {"box": {"width": 3}, "size": {"width": 4}, "count": 5, "none": None}


# -- exceptions --------------------------------------------------------------------------------------------------------


def test_exceptions_are_those_that_callers_catch() -> None:
    """Each carries the built-in base that Prefect's has."""
    assert issubclass(InvalidNameError, ValueError)
    with pytest.raises(ValueError, match="not allowed"):
        flow(name="a/b")(lambda: None)
    with pytest.raises(TypeError, match="takes functions"):
        flow(on_failure=["no function"])(lambda: None)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="flowdeck's own keyword"):
        task(lambda return_state: None)
    with pytest.raises(ValueError, match="retries"):
        task(retries=-1)(lambda: None)
    assert issubclass(ReservedArgumentError, DefinitionError)

    @flow
    def main(number: int) -> None: ...

    with pytest.raises(TypeError, match="missing the parameter"):
        main()  # pyright: ignore[reportCallIssue]
    with pytest.raises(ValueError, match="whole number"):
        main("many")  # pyright: ignore[reportArgumentType]
    assert issubclass(ParameterBindError, ParameterError)
    with pytest.raises(RuntimeError):
        get_run_logger()
    assert issubclass(MissingContextError, RuntimeError)


def test_the_sentence_of_a_timeout_has_the_words_that_are_searched_for() -> None:
    """Of tasks and flows."""

    @flow(timeout_seconds=0.1)
    def main() -> None:
        time.sleep(5)

    with pytest.raises(TimeoutError, match=r"exceeded timeout of 0\.1 second\(s\)"):
        main()


# -- generators --------------------------------------------------------------------------------------------------------


def test_what_a_generator_returns_arrives(once: Any) -> None:
    """By `yield from`, in the attempt that made it and in one that reuses it; items are as before."""

    @task
    def pages() -> Generator[int, None, str]:
        yield 1
        yield 2
        return "two pages"

    @task
    def empty() -> Generator[int, None, str]:
        if once is None:
            yield 1
        return "none"

    seen: list[Any] = []

    def both() -> Generator[int, None, None]:
        seen.append((yield from pages()))  # pyright: ignore
        seen.append((yield from empty()))  # pyright: ignore

    @flow(retries=1)
    def main() -> list[int]:
        items = list(both())
        once("fails")
        return items

    assert main() == [1, 2]
    assert seen == ["two pages", "none"] * 2

    @flow
    def gives() -> Generator[int, None, str]:
        yield 3
        return "from a flow"

    def of_flow() -> Generator[int, None, None]:
        seen.append((yield from gives()))  # pyright: ignore

    assert list(of_flow()) == [3]
    assert seen[-1] == "from a flow"

    @flow
    def submits() -> Any:
        return pages.submit().result()

    items = submits()
    assert items == [1, 2]
    assert items.returned == "two pages"


def test_a_generator_flow_without_items() -> None:
    """It gives none, and what it returns."""

    @flow
    def nothing() -> Generator[int, None, str]:
        yield from ()
        return "done"

    found: list[Any] = []

    def outer() -> Generator[int, None, None]:
        found.append((yield from nothing()))  # pyright: ignore

    assert list(outer()) == []
    assert found == ["done"]
