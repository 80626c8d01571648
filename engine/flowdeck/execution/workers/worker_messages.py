"""What a flow's process and its workers say to each other: the messages of their frames, as plain data.

A message is the version of the stream, the message's name, and its fields; see `plain_data`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from flowdeck.execution.calls import context
from flowdeck.execution.logs import extra_loggers
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.execution.workers import plain_data
from flowdeck.execution.workers.frames import Line, Part
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.execution.workers.stream_questions import Raised
from flowdeck.execution.workers.stream_recorder import RunOfAttempt
from flowdeck.execution.workers.transfer import MAIN, main_file
from flowdeck.store.calls.task_runs import NewTaskRun
from flowdeck.store.run_values import RunError

VERSION: Final = 1
"""The version of the stream. It changes with any message, question or fact: both sides must be of the same."""
LINE_DESCRIPTOR: Final = 3
"""A worker's end of the connection."""
_PACKAGE: Final = "flowdeck"


class Hello(NamedTuple):
    """To a worker, first: what makes it like the flow's process. Its value: an initializer with arguments, if any."""

    sys_path: list[str]
    sys_argv: list[str]
    main_file: str | None
    """The script, which is imported when something in it is needed; None when there is none."""
    main_package: str | None
    flow_files: Mapping[str, str]
    """Files that were imported under a name by which Python would not find them."""
    logging_level: int
    extra_loggers: list[str]


class TaskRunOfAttempt(NamedTuple):
    """The task run of an attempt, as code that runs in it may ask for it."""

    name: str
    log_prints: bool
    call_key: bytes
    attempt: int
    started_at: int | None
    """When the attempt began, in microseconds since 1970 UTC."""


class AttemptOrder(NamedTuple):
    """To a worker: an attempt. Its value: the task, and its arguments."""

    run: RunOfAttempt
    task_run: TaskRunOfAttempt
    row: NewTaskRun
    tags: frozenset[str]


class Ask(NamedTuple):
    """From a worker: a question, see `stream_questions`. Its value: bytes of a result, if the question has any."""

    number: int
    first_task_id: int
    question: str
    arguments: list[Any]
    """Plain data, as the question says."""


class Answer(NamedTuple):
    """To a worker: an answer. Its value: bytes of a result or a value of the author's, if the question asks for it."""

    number: int
    answer: Any
    """Plain data, as the question says; None when something was raised."""
    raised: Raised | None


class Ended(NamedTuple):
    """From a worker: an attempt is over. Its value: what the function returned or raised, as far as it can travel."""

    error: RunError | None
    refusal: str | None
    """A sentence, when the function was not called, or its value cannot travel."""
    unasked: list[tuple[int, str, str, str, str | None]]
    """Calls that it submitted, that failed, and for which nobody asked: id, name; type, name, message of the state."""


class Leave(NamedTuple):
    """To a worker: nothing more will come."""


Message = Hello | AttemptOrder | Ask | Answer | Ended | Leave

_MESSAGES: Final[Mapping[str, type]] = {
    kind.__name__: kind for kind in (Hello, AttemptOrder, Ask, Answer, Ended, Leave)
}


def send(line: Line, message: Message, value: Sequence[Part] = ()) -> None:
    """Send a message.

    Args:
        line: the connection.
        message: the message.
        value: parts of the value that goes with it.

    Raises:
        OSError: the other side is gone, or did not take it in time.
    """
    kind = type(message)
    line.send([VERSION, kind.__name__, plain_data.encode(kind, message)], value)


def receive(line: Line) -> tuple[Message, list[Part]]:
    """Wait for a message, and return it with the parts of its value.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: nothing came in time.
        MessageError: what came is no message, or one of another version.
    """
    plain, value = line.receive()
    return message_of(plain), value


def message_of(plain: Any) -> Message:
    """Return the message that plain data is.

    Raises:
        MessageError: it is none, or one of another version.
    """
    if type(plain) is not list or len(cast("list[Any]", plain)) != 3:
        raise MessageError("it is not a version, a name and a list of fields")
    version, name, row = cast("list[Any]", plain)
    if type(version) is not int or version != VERSION:
        shown = version if type(version) is int else "unknown"
        raise MessageError(f"it is of version {shown} of the stream, and this flowdeck speaks version {VERSION}")
    kind = _MESSAGES.get(name) if type(name) is str else None
    if kind is None:
        raise MessageError("its name is not known")
    return plain_data.decode(kind, row, name)


def hello_of() -> Hello:
    """Return what a worker must know of this process."""
    file = main_file()
    package = getattr(sys.modules.get(MAIN), "__package__", None) or None
    if package is not None and package.partition(".")[0] == _PACKAGE:
        file = package = None  # a process of ours: nothing of the author's is in there
    path = [entry or os.getcwd() for entry in sys.path]
    return Hello(
        path, list(sys.argv), file, package, dict(context.flow_files),
        RUN_LOGGER.level, extra_loggers.attached(),
    )  # fmt: skip
