"""What is kept of an exception."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.execution.recording import failures
from flowdeck.execution.recording.failures import describe, sentence, state_of_error, storable
from flowdeck.rules.exceptions import CancelledRun


def raised(function: Callable[[], Any]) -> BaseException:
    """Call the function and return what it raised, with its traceback."""
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - looked at by the test
        return error
    pytest.fail("nothing was raised")


def through_a_flow(function: Callable[[], Any]) -> BaseException:
    """The same through a task and a flow of ours."""
    called = task(function)

    @flow
    def main() -> None:
        called()

    return raised(main)


class SilentError(Exception):
    """An author's exception whose words cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("not even this")


def test_place_is_the_authors() -> None:
    """The innermost line of her code, not one of ours, nor of a library she called."""

    def parse() -> None:
        import json

        json.loads("{")

    for error in (raised(parse), through_a_flow(parse)):
        described = describe(error)
        assert (described.type, described.file) == ("json.decoder.JSONDecodeError", __file__)
        assert described.line == parse.__code__.co_firstlineno + 3
        assert 'json.loads("{")' in described.traceback
        assert "flowdeck/execution" not in described.traceback


def test_exception_with_its_cause() -> None:
    """The chain is told as Python tells it, each part without our frames."""

    def fail() -> None:
        try:
            flow(lambda: 1 // 0)()
        except ZeroDivisionError as error:
            raise ValueError("no rate") from error

    described = describe(through_a_flow(fail))
    assert described.traceback.count("Traceback (most recent call last):") == 2
    assert "direct cause" in described.traceback
    assert "ZeroDivisionError" in described.traceback
    assert "flowdeck/" not in described.traceback.replace(__file__, "")


def test_group_of_exceptions() -> None:
    """As a TaskGroup raises it: its members are told, less our frames."""

    def fail() -> None:
        members = [raised(flow(lambda: 1 // 0)), ValueError("two")]
        raise ExceptionGroup("both", members)  # type: ignore[type-var]

    described = describe(through_a_flow(fail))
    assert "ZeroDivisionError" in described.traceback
    assert "ValueError: two" in described.traceback
    assert "flowdeck/execution" not in described.traceback


def test_syntax_error_has_the_place_of_the_slip() -> None:
    """Where it is, not where it was compiled."""
    described = describe(raised(lambda: compile("\n\nx = = 1\n", "/flows/etl.py", "exec")))
    assert (described.type, described.file, described.line) == ("SyntaxError", "/flows/etl.py", 3)


def test_exception_of_us_alone() -> None:
    """Without a line of the author's there is no place."""
    described = describe(ValueError("made by hand"))
    assert (described.file, described.line, described.message) == (None, None, "made by hand")


def test_words_that_cannot_be_had() -> None:
    """The author's class gets in the way of nothing: type and state are recorded."""
    error = through_a_flow(lambda: (_ for _ in ()).throw(SilentError()))
    assert isinstance(error, SilentError)
    assert describe(error).message == "(its message could not be made)"
    assert sentence(error) == "SilentError: (its message could not be made)"


def test_long_words_are_cut() -> None:
    """A message of a megabyte does not go to the database; of a long traceback both ends are kept."""
    described = describe(raised(lambda: int("9" * 5_000 + "x")))
    assert len(described.message) <= failures.MAXIMUM_MESSAGE + 10

    def deep(level: int) -> None:
        if level:
            exec(f"deep({level - 1})", {"deep": deep})
        else:
            raise ValueError("at the bottom")

    long = describe(raised(lambda: deep(150))).traceback
    assert len(long) <= failures.MAXIMUM_TRACEBACK + 50
    assert long.startswith("Traceback")
    assert long.endswith("ValueError: at the bottom")


def test_text_that_is_no_utf8_is_made_storable() -> None:
    """Lone surrogates are spelled out; everything else stays."""
    assert storable("caf\udce9") == "caf\\udce9"
    assert storable("café 🦉") == "café 🦉"
    assert storable("plain") == "plain"


class CancelledError(BaseException):
    """As asyncio calls it."""


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (ValueError("one\ntwo"), "Failed", "ValueError: one"),
        (ValueError(), "Failed", "ValueError"),
        (CancelledRun("On request."), "Cancelled", "On request."),
        (CancelledRun(), "Cancelled", None),
        (KeyboardInterrupt(), "Cancelled", "Interrupted at the keyboard."),
        (CancelledError(), "Cancelled", "Its coroutine was cancelled."),
        (GeneratorExit(), "Cancelled", "Its coroutine was thrown away before its end."),
        (SystemExit(2), "Crashed", "sys.exit(2) was called."),
        (SystemExit(object()), "Crashed", "sys.exit(…) was called."),
        (BaseException("odd"), "Crashed", "BaseException: odd"),
    ],
)
def test_state_of_an_exception(error: BaseException, name: str, message: str | None) -> None:
    """What each kind means for a run."""
    state = state_of_error(error)
    assert (state.name, state.message, state.exception) == (name, message, error)


def test_traceback_that_reaches_the_author_begins_with_her_code() -> None:
    """Of what a flow raises, her lines come before and after ours, and ours are few."""

    def fail() -> None:
        raise ValueError

    frames = traceback.extract_tb(through_a_flow(fail).__traceback__)
    ours = [frame for frame in frames if "flowdeck" in frame.filename and frame.filename != __file__]
    assert len(ours) <= 4
    assert frames[-1].filename == __file__


def test_lock_of_another_event_loop_gets_a_hint() -> None:
    """The state says why, and what to do; other errors of its type stay as they are."""
    error = RuntimeError("<asyncio.locks.Lock object [locked]> is bound to a different event loop")
    assert "Lock, Event or Queue of asyncio belongs to one event loop" in str(state_of_error(error).message)
    assert state_of_error(RuntimeError("no loop")).message == "RuntimeError: no loop"
