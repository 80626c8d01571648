"""Loggers of runs, by the names under which authors import them."""

from __future__ import annotations

import logging
from typing import Any

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.logs import extra_loggers
from flowdeck.execution.logs.run_logs import RunLogger, disable_run_logger, get_run_logger
from flowdeck.execution.starts import run_creation
from flowdeck.rules.options.specs import FlowSpec
from flowdeck.store.runs import flow_run_queries

__all__ = ["disable_run_logger", "flow_run_logger", "get_logger", "get_run_logger", "task_run_logger"]

_ROOT = "flowdeck"


def get_logger(name: str | None = None) -> logging.Logger:
    """Return a logger of Python's logging that needs no run: inside of one, its records are in the run's log too.

    Args:
        name: of the logger, below `flowdeck`; None for that one.
    """
    extra_loggers.attach([_ROOT])
    if name is None or name == _ROOT or name.startswith(f"{_ROOT}."):
        return logging.getLogger(name or _ROOT)
    return logging.getLogger(f"{_ROOT}.{name}")


def flow_run_logger(flow_run: Any, flow: Any = None) -> RunLogger:
    """Return the logger of a flow run, for code that is not of that run: a hook, a callback.

    Args:
        flow_run: as hooks are given it, or anything with its id.
        flow: its flow; not needed, since the run names it.

    Raises:
        NotFoundError: there is no such run in the home.
    """
    del flow
    return RunLogger(_run_of(str(flow_run.id)), None, only=True)


def task_run_logger(task_run: Any, task: Any = None, flow_run: Any = None, flow: Any = None) -> RunLogger:
    """Return the logger of a task run, for code that is not of that run.

    Args:
        task_run: as hooks are given it.
        task: its task; not needed.
        flow_run: that it belongs to; not needed.
        flow: its flow; not needed.

    Raises:
        NotFoundError: there is no such run in the home.
    """
    del task, flow_run, flow
    of_task = TaskRunContext(int(task_run.id), str(task_run.task_name), str(task_run.name), False)
    return RunLogger(_run_of(str(task_run.flow_run_id)), of_task, only=True)


def _run_of(run_id: str) -> FlowRunContext:
    run = context.flow_run.get()
    return run if run is not None and run.identity.id == run_id else _recorded(run_id)


def _recorded(run_id: str) -> FlowRunContext:
    """Return a run of the home as far as its log needs it."""
    database = run_creation.shared_database()
    run = flow_run_queries.find(database.reader(), run_id)
    return run_creation.look_back(database, FlowSpec(name=run.flow_name), run)
