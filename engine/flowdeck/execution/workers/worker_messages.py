"""What a flow's process and its workers say to each other: the words of their frames."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from flowdeck.execution.calls import context
from flowdeck.execution.logs import extra_loggers
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.execution.workers.stream_recorder import RunOfAttempt
from flowdeck.execution.workers.transfer import MAIN, main_file
from flowdeck.store.calls.task_runs import NewTaskRun
from flowdeck.store.run_values import RunError

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


class AttemptOrder(NamedTuple):
    """To a worker: an attempt. Its value: the task, and its arguments."""

    run: RunOfAttempt
    task_run: Mapping[str, Any]
    row: NewTaskRun
    tags: frozenset[str]


class Ask(NamedTuple):
    """From a worker: a question, see `stream_answers`."""

    number: int
    first_task_id: int
    question: str
    arguments: tuple[Any, ...]


class Answer(NamedTuple):
    """To a worker: its value is the answer, or what was raised."""

    number: int
    is_raised: bool


class Ended(NamedTuple):
    """From a worker: an attempt is over. Its value: what the function returned or raised, as far as it can travel."""

    error: RunError | None
    refusal: str | None
    """A sentence, when the function was not called, or its value cannot travel."""
    unasked: list[tuple[int, str, str, str, str | None]]
    """Calls that it submitted, that failed, and for which nobody asked: id, name; type, name, message of the state."""


class Leave(NamedTuple):
    """To a worker: nothing more will come."""


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
