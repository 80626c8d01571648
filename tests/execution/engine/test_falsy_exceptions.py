"""Exceptions that are false as a truth value: they arrive as themselves, wherever they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import State, flow, task
from flowdeck.exceptions import UnfinishedRun
from flowdeck.states import Failed


class EmptyError(Exception):
    """Like those of libraries that hold a list of errors."""

    def __len__(self) -> int:
        return 0


class FalseError(Exception):
    """Says so itself."""

    def __bool__(self) -> bool:
        return False


KINDS = pytest.mark.parametrize("kind", [EmptyError, FalseError])


@task
def fails(kind: type[Exception]) -> None:
    raise kind("as it is")


@task
async def fails_async(kind: type[Exception]) -> None:
    raise kind("as it is")


@flow
def fails_below(kind: type[Exception]) -> None:
    raise kind("as it is")


def by_call(kind: type[Exception]) -> Any:
    return fails(kind)


def by_state(kind: type[Exception]) -> Any:
    state: Any = fails(kind, return_state=True)
    assert isinstance(state.result(raise_on_failure=False), kind)
    return state.result()


def by_submit(kind: type[Exception]) -> Any:
    future = fails.submit(kind)
    assert isinstance(future.exception(), kind)
    assert isinstance(future.result(raise_on_failure=False), kind)
    return future.result()


def by_map(kind: type[Exception]) -> Any:
    futures = fails.map([kind])
    assert isinstance(futures.result(raise_on_failure=False)[0], kind)
    return futures.result()


def by_retry(kind: type[Exception]) -> Any:
    return fails.with_options(retries=1)(kind)


def by_subflow(kind: type[Exception]) -> Any:
    state: Any = fails_below(kind, return_state=True)
    assert isinstance(state.result(raise_on_failure=False), kind)
    return fails_below(kind)


def by_own_process(kind: type[Exception]) -> Any:
    return fails.with_options(own_process=True)(kind)


def by_returned_future(kind: type[Exception]) -> Any:
    return fails.submit(kind)


def by_returned_state(kind: type[Exception]) -> Any:
    state: State = Failed(data=kind("as it is"))
    return state


@KINDS
@pytest.mark.parametrize(
    "way",
    [
        by_call, by_state, by_submit, by_map, by_retry, by_subflow, by_own_process, by_returned_future,
        by_returned_state,
    ],
    ids=lambda way: way.__name__,
)  # fmt: skip
def test_arrives_as_itself(way: Callable[[type[Exception]], Any], kind: type[Exception]) -> None:
    """No FailedRun in its place, neither in the flow nor behind it."""

    @flow
    def main() -> Any:
        return way(kind)

    with pytest.raises(kind, match="as it is"):
        main()


@KINDS
def test_arrives_through_gather(kind: type[Exception]) -> None:
    """From coroutines and from futures that are awaited."""

    @flow
    async def main() -> list[Any]:
        return [
            type(error)
            for error in await asyncio.gather(fails_async(kind), fails_async.submit(kind), return_exceptions=True)
        ]

    assert asyncio.run(main()) == [kind, kind]


@KINDS
def test_upstream_is_named_as_the_cause(kind: type[Exception]) -> None:
    """A call that does not run, since what it needs failed, has that exception as its cause."""

    @task
    def needs(value: Any) -> Any:
        return value

    @flow
    def main() -> None:
        first = fails.submit(kind)
        error = needs.submit(first).exception()
        assert isinstance(first.state.exception, kind)
        assert isinstance(error, UnfinishedRun)
        assert isinstance(error.__cause__, kind)

    main()
