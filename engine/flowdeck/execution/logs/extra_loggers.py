"""Loggers of Python's logging whose records go to the log of the run that the calling code belongs to.

They are the author's loggers and keep all that the author has made of them: their handlers, their level if they have
one, and that records go on to the loggers above. Each line is shown once: on the terminal by the author's handler if
there is one, and in a log that takes in what is written to stderr not by that handler too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from flowdeck.execution.logs.author_handlers import SEEN, is_console
from flowdeck.execution.logs.run_logs import owner_of, text_of, write
from flowdeck.execution.recording.loggers import RUN_LOGGER

_TAKEN: Final = "flowdeck_taken"
"""Attribute of a log record: it is in a run's log."""


class ExtraHandler(logging.Handler):
    """Hands records of a registered logger to the run, with the logger's name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises into the author's code."""
        if getattr(record, SEEN, False):
            return  # by the same handler of a logger below
        setattr(record, SEEN, True)
        others = [handler for handler in _handlers_above(record.name) if handler is not self]
        run, task = owner_of(record)
        if run is None:
            # Python's own way out for records that no handler takes, which this one stands in the way of.
            if not others and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
                logging.lastResort.handle(record)
            return
        if record.levelno < RUN_LOGGER.level:
            return
        setattr(record, _TAKEN, True)
        consoles = [handler for handler in others if is_console(handler)]
        text = f"{record.name}: {text_of(record, self)}"
        at = int(record.created * 1_000_000)
        write(run, task, at, record.levelno, "logger", text, silently=bool(consoles))
        if not run.settings.echo:
            for console in consoles:
                console.addFilter(_is_not_taken)


_HANDLER: Final = ExtraHandler()


def attach(names: Iterable[str]) -> None:
    """Let the records of loggers go to the logs of runs; of the level of runs and above, unless they have their own."""
    for name in names:
        logger = logging.getLogger(name)
        if _HANDLER not in logger.handlers:
            logger.addHandler(_HANDLER)
        # The root logger always has a level; WARNING is the one that nobody has given it.
        is_unset = logger.level == (logging.WARNING if logger is logging.root else logging.NOTSET)
        if is_unset and logger.getEffectiveLevel() > RUN_LOGGER.level:
            logger.setLevel(RUN_LOGGER.level)


def attached() -> list[str]:
    """Return the loggers whose records go to the logs of runs, for another process to do the same."""
    loggers = logging.root.manager.loggerDict.items()
    return [name for name, logger in loggers if isinstance(logger, logging.Logger) and _HANDLER in logger.handlers]


def names_in(setting: str) -> list[str]:
    """Return the names in the setting `logging_extra_loggers`."""
    return [name.strip() for name in setting.split(",") if name.strip()]


def _handlers_above(name: str) -> list[logging.Handler]:
    """Return the handlers that a record of this logger comes to."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        found.extend(logger.handlers)
        logger = logger.parent if logger.propagate else None
    return found


def _is_not_taken(record: logging.LogRecord) -> bool:
    return not getattr(record, _TAKEN, False)
