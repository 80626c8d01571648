"""sys.excepthook for scripts: an exception of ours that ends one is shown as its sentence, without a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from flowdeck.execution.limits.signals import AskedToEnd
from flowdeck.rules.exceptions import CancelledRun, StoreError, UsageError

ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM
_previous_hook = sys.excepthook


@contextmanager
def told_in_a_sentence() -> Generator[None]:
    """Have a StoreError, a UsageError or a cancel that nobody catches shown as its message only."""
    try:
        yield
    except (StoreError, UsageError, CancelledRun) as error:
        if _is_ours(error):
            _install()
        raise


def _is_ours(error: BaseException) -> bool:
    """A ParameterError, say, is about the author's own line: that one is to be seen."""
    return isinstance(error, StoreError | CancelledRun) or type(error) is UsageError


def _install() -> None:
    global _previous_hook
    if sys.excepthook is not _hook:
        _previous_hook, sys.excepthook = sys.excepthook, _hook


def _hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Show an uncaught exception.

    Raises:
        SystemExit: the process was asked to end by SIGTERM; it then has the exit code that a shell gives for that.
    """
    if _is_ours(error) and sys.stderr is not None:
        sys.stderr.write(f"flowdeck: {error}\n")
    else:
        _previous_hook(kind, error, traceback)
    if isinstance(error, AskedToEnd):
        raise SystemExit(ENDED_BY_SIGTERM)
