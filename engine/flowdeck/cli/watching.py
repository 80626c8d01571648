"""Following a run that was just created or retried: its log on stderr, and why it waits when it does."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Final

from flowdeck.cli.engine_checks import now, reason_of
from flowdeck.cli.log_output import LinesOutput, LogView, follow
from flowdeck.cli.printing import note
from flowdeck.deck import Deck, FlowRun
from flowdeck.rules.runs.ids import short_id

PATIENCE_SECONDS: Final = 1.0
"""A reason for waiting is said when it has held for so long."""


def watch(deck: Deck, run: FlowRun, first_line: int) -> FlowRun:
    """Show a run's log from a line on, until the run is over; return it as it ended.

    Raises:
        KeyboardInterrupt: the user has seen enough; the run goes on.
    """
    waits = _Waits(run)
    try:
        with closing(deck.logs.of_run(run)) as reader:
            output = LinesOutput(reader, run.flow_name, LogView(), sys.stderr, first_line)
            for current in follow(deck, run, output):
                run = current
                if not run.is_final:
                    waits.look(deck, run)
    except KeyboardInterrupt:
        note(f"run {run.name} goes on; `flowdeck flow-run cancel {short_id(run.id)}` ends it.")
        raise
    return run


class _Waits:
    """Says each reason for waiting once, when it has held for a while."""

    def __init__(self, run: FlowRun) -> None:
        self._name = run.name
        self._reason: str | None = None
        self._since = time.monotonic()
        self._said: str | None = None
        self._looked = 0.0

    def look(self, deck: Deck, run: FlowRun) -> None:
        moment = time.monotonic()
        if moment - self._looked < PATIENCE_SECONDS / 4:
            return
        self._looked = moment
        reason = reason_of(deck, run, now())
        if reason != self._reason:
            self._reason, self._since = reason, moment
        if reason and reason != self._said and moment - self._since >= PATIENCE_SECONDS:
            self._said = reason
            note(f"run {self._name} is {run.state_name}: {reason}.")
