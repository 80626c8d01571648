"""Handlers of Python's logging that the author has put on the root logger or on `flowdeck`: Sentry, JSON, caplog.

They are given the records of run loggers and captured prints too, with ids and names of the run. Each line is shown
once: on the terminal by the author's handler if there is one, and in a log that takes in what is written to stderr not
by that handler too.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import Final

from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext

SEEN: Final = "flowdeck_seen"
"""Attribute of a log record: handlers of flowdeck's own leave it alone from now on."""
_PARENT: Final = "flowdeck"
_giving: Final = threading.local()
"""Whether the calling thread gives a record to handlers: one that prints or logs is not asked again."""


def present() -> list[logging.Handler]:
    """Return the handlers of `flowdeck`, and those of the root logger unless that logger keeps its records."""
    parent = logging.root.manager.loggerDict.get(_PARENT)
    if not isinstance(parent, logging.Logger):
        return logging.root.handlers
    return [*parent.handlers, *(logging.root.handlers if parent.propagate else ())]


def is_console(handler: logging.Handler) -> bool:
    """Tell whether a handler writes to this process's stdout or stderr."""
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return isinstance(handler, logging.StreamHandler) and any(handler.stream is stream for stream in streams)


def give(
    handlers: list[logging.Handler], record: logging.LogRecord, run: FlowRunContext, task: TaskRunContext | None
) -> bool:
    """Give a record to handlers; return whether one of them has shown it on the terminal.

    Args:
        handlers: see `present`.
        record: of a run.
        run: whose it is.
        task: the task run in it; None for the flow itself.
    """
    if getattr(_giving, "now", False):
        return False  # what a handler says itself
    setattr(record, SEEN, True)
    record.flow_run_id, record.flow_run_name = run.identity.id, run.identity.name
    record.flow_name = run.identity.flow_name
    if task is not None:
        record.task_run_id, record.task_run_name, record.task_name = task.task_run_id, task.name, task.task_name
    shown = False
    _giving.now = True
    try:
        for handler in handlers.copy():
            console = is_console(handler)
            if record.levelno < handler.level or (console and not run.settings.echo):
                continue
            with suppress(Exception):  # the author's handler: the log has the line in any case
                shown = (bool(handler.handle(record)) and console) or shown
    finally:
        _giving.now = False
    return shown
