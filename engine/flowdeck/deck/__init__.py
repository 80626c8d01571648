"""Deck: every question and every command that a front end or an author may ask of a home.

What Deck cannot say, no front end may do. Its methods are synchronous, short and safe to call from any thread.
A command is a change of a row; an engine acts on it.
"""

from __future__ import annotations

from flowdeck.deck.deck import Deck
from flowdeck.deck.flow_runs import ALL_ROOTS
from flowdeck.deck.run_pages import RunPages
from flowdeck.rules.log_levels import LOG_LEVELS
from flowdeck.store.database.feed import ChangeFeed
from flowdeck.store.logs.log_lines import LineQuery, LogLine, LogRecord
from flowdeck.store.logs.log_merge import MergedLog
from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.records import (
    CallLine,
    CallPage,
    CallQuery,
    Changes,
    EngineStatus,
    FlowEntry,
    FlowRun,
    RunQuery,
    StateRecord,
    TaskCounts,
    TaskRun,
)
from flowdeck.store.run_values import RunError, UnusedResults
from flowdeck.store.runs.blockers import Waits

__all__ = [
    "ALL_ROOTS",
    "LOG_LEVELS",
    "CallLine",
    "CallPage",
    "CallQuery",
    "ChangeFeed",
    "Changes",
    "Deck",
    "EngineStatus",
    "FlowEntry",
    "FlowRun",
    "LineQuery",
    "LogLine",
    "LogReader",
    "LogRecord",
    "MergedLog",
    "RunError",
    "RunPages",
    "RunQuery",
    "StateRecord",
    "TaskCounts",
    "TaskRun",
    "UnusedResults",
    "Waits",
]  # fmt: skip
