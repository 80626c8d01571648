"""What a run's log is made of, as readers see it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LogLine:
    """One physical line of a run's log: the head of a record, or a continuation of the one before it."""

    text: str
    """Raw text of the author; may hold control characters, never a newline."""
    head: bool
    """True for the first line of a record. For a continuation the fields below are empty."""
    at: datetime | None = None
    level: str = ""
    """DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    source: str = ""
    """logger, print, stdout, stderr or engine."""
    task_number: int | None = None
    task_name: str | None = None
    run_name: str = ""
    """In a log of several runs, the subflow run that it is of; empty for the run whose log it is."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of a run's log, continuation lines joined by newlines."""

    seq: int
    """From 1, in the order of the file."""
    at: datetime
    level: str
    flow_run_id: str
    task_run_id: int | None
    task_name: str | None
    source: str
    message: str


@dataclass(frozen=True, slots=True)
class LineQuery:
    """Which lines of a log are meant; all conditions hold at once."""

    pattern: re.Pattern[str] | str | None = None
    """In the text of the line. A string is meant literally; case then matters if it has a capital letter."""
    least_level: str = ""
    """The lowest level of its record; empty for any. A record whose level cannot be told has any."""
    task_run_id: int | None = None
    """Only records of this task call; None for all."""
    heads_only: bool = False
    """Only first lines of records, and only where their level can be told."""
