"""From the author's code to the run's log: `get_run_logger()`, captured `print`, and the engine's own lines."""

from __future__ import annotations

import builtins
import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.calls.task_calls import TaskCall
from flowdeck.execution.logs import author_handlers
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.rules.exceptions import MissingContextError
from flowdeck.rules.text import previews
from flowdeck.rules.text.terminal_text import inert

_OWNER: Final = "flowdeck_run"
"""Attribute of a log record: the run, and the task if there is one, whose logger it went through."""
_ONLY_OWNER: Final = "flowdeck_only_run"
"""The same, where it stands above the run that the calling code belongs to."""
_LETTERS: Final = {10: "D", 20: "I", 30: "W", 40: "E", 50: "C"}

_disabled: Final[list[None]] = []
"""One for each `disable_run_logger` that is at work."""

_print: Final[Callable[..., None]] = builtins.print
"""Python's own, to make the text of a captured call."""
_uncaptured_print: Callable[..., None] | None = None
"""What `print` was before it was captured; None while it is not."""
_partial = threading.local()
"""Whether the calling thread has printed a line that is not whole yet."""


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that knows its run: also in a thread that an author starts, which no context reaches."""

    def __init__(self, run: FlowRunContext | None, task: TaskRunContext | None, *, only: bool = False) -> None:
        """Make a logger.

        Args:
            run: the flow run; None for a logger that discards records.
            task: the task run; None for the flow itself.
            only: whether its records are of this run even where the calling code belongs to another.
        """
        super().__init__(RUN_LOGGER)
        self._extra = {_ONLY_OWNER if only else _OWNER: (run, task)}

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Send the run along with the record."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **self._extra}
        return msg, kwargs


def get_run_logger() -> RunLogger:
    """Return the logger of the current flow or task run: what it is told is in the run's log.

    Raises:
        MissingContextError: called outside of a run.
    """
    run = context.flow_run.get()
    if run is None and not _disabled:
        raise MissingContextError(
            "get_run_logger() was called outside of a flow or task run. Call it inside a @flow or @task function. A "
            "thread of your own belongs to no run: give it contextvars.copy_context().run, as in "
            "executor.submit(contextvars.copy_context().run, work), or the logger itself. In a test of .fn(...), call "
            "it inside `with flowdeck.logging.disable_run_logger():`."
        )
    return RunLogger(run, context.task_run.get())


@contextmanager
def disable_run_logger() -> Generator[None]:
    """Let run loggers drop what they are told, in the whole process: so `.fn(…)` can be tested outside of runs."""
    _disabled.append(None)
    try:
        yield
    finally:
        _disabled.pop()


class RunLogHandler(logging.Handler):
    """Hands records of Python's logging to the run that the calling code belongs to."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises into the author's code."""
        run, task = owner_of(record)
        if run is not None and not _disabled:
            text = text_of(record, self)
            handlers = author_handlers.present()
            shown = bool(handlers) and author_handlers.give(handlers, record, run, task)
            write(run, task, int(record.created * 1_000_000), record.levelno, "logger", text, silently=shown)


def owner_of(record: logging.LogRecord) -> tuple[FlowRunContext | None, TaskRunContext | None]:
    """Return the run and the task whose line a record is; None and None for nobody's."""
    only = getattr(record, _ONLY_OWNER, None)
    if only is not None:
        return only
    run = context.flow_run.get()
    return getattr(record, _OWNER, (None, None)) if run is None else (run, context.task_run.get())


def text_of(record: logging.LogRecord, handler: logging.Handler) -> str:
    """Return what a record says."""
    try:
        return handler.format(record)
    except Exception:  # noqa: BLE001 - wrong arguments to a log call: what can be said is said
        return f"{previews.preview(record.msg)} % {previews.preview(record.args)} (could not be formatted)"


def set_level(level: str) -> None:
    """Set the lowest level that run loggers keep."""
    RUN_LOGGER.setLevel(level)


def write(
    run: FlowRunContext,
    task: TaskRunContext | None,
    at: int,
    level_number: int,
    source: str,
    text: str,
    *,
    silently: bool = False,
) -> None:
    """Put a record into a run's log, as of the flow itself or of one of its tasks; `silently` not on stderr too."""
    number = None if task is None else task.task_run_id - run.recorder.first_task_id
    name = None if task is None else task.name
    run.recorder.log(at, level_number, source, number, name, text)
    if run.settings.echo and not silently:
        _echo(at, level_number, name or run.identity.flow_name, text)


def engine_line(run: FlowRunContext, level_number: int, text: str) -> None:
    """Put a line of the engine itself into a run's log."""
    if level_number >= RUN_LOGGER.level:
        write(run, context.task_run.get(), time.time_ns() // 1000, level_number, "engine", text)


def call_line(call: TaskCall, level_number: int, text: str) -> None:
    """Put a line of the engine about a task call into its run's log."""
    token = context.task_run.set(TaskRunContext(call.row.id, call.spec.name, call.name, False))
    try:
        engine_line(call.run, level_number, text)
    finally:
        context.task_run.reset(token)


def _echo(at: int, level_number: int, name: str, text: str) -> None:
    """Show a record on stderr, as `python my_flow.py` does."""
    stream = sys.stderr
    if stream is None:
        return
    clock = time.strftime("%H:%M:%S", time.localtime(at // 1_000_000))
    letter = _LETTERS.get(min(50, max(10, level_number // 10 * 10)), "I")
    head, *rest = text.split("\n")
    lines = [f"{clock}.{at // 1000 % 1000:03d} {letter} {inert(name):<16} {inert(head)}\n"]
    lines.extend(f"{'':>14} | {inert(line)}\n" for line in rest)
    try:
        stream.write("".join(lines))
        stream.flush()
    except Exception:  # noqa: BLE001 - closed, or an author's own object: the log has the line in any case
        pass


# -- print -------------------------------------------------------------------------------------------------------------


def capture_prints() -> None:
    """Let `print` go to the log where the current run asked for it; anywhere else it stays what it was.

    Once: an author who puts something else in its place later means it.
    """
    global _uncaptured_print
    if _uncaptured_print is None:
        _uncaptured_print, builtins.print = builtins.print, _captured_print


def _captured_print(
    *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    run = context.flow_run.get()
    task = context.task_run.get()
    source = None if run is None or file not in (None, sys.stdout) else _source_of_print(run, task, end)
    if run is None or source is None:
        uncaptured = _print if _uncaptured_print is None else _uncaptured_print
        uncaptured(*values, sep=sep, end=end, file=file, flush=flush)
        return
    buffer = io.StringIO()
    _print(*values, sep=sep, end="", file=buffer)
    text = buffer.getvalue()
    shown = source == "print" and _give_print(text, run, task)
    write(run, task, time.time_ns() // 1000, logging.INFO, source, text, silently=shown)


def _give_print(text: str, run: FlowRunContext, task: TaskRunContext | None) -> bool:
    handlers = author_handlers.present()
    if not handlers:
        return False
    caller = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - as logging finds it
    place = (caller.f_code.co_filename, caller.f_lineno)
    record = RUN_LOGGER.makeRecord(RUN_LOGGER.name, logging.INFO, *place, text, (), None, caller.f_code.co_name)
    return author_handlers.give(handlers, record, run, task)


def _source_of_print(run: FlowRunContext, task: TaskRunContext | None, end: str | None) -> str | None:
    """Return as what a `print` goes to the log; None when it goes to stdout as ever."""
    if run.settings.log_prints if task is None else task.log_prints:
        return "print"
    # Under a run host stdout ends in the log too, but as bytes: the words of several threads would mix, and nobody
    # would know whose they are. Whole lines are recorded here instead; a part of a line waits for its rest there.
    continues = getattr(_partial, "line", False)
    _partial.line = end not in (None, "\n")
    is_whole_line = not (_partial.line or continues)
    return "stdout" if is_whole_line and not run.settings.echo and sys.stdout is sys.__stdout__ else None


RUN_LOGGER.addHandler(RunLogHandler())
