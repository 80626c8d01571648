"""Loggers of Python's logging under a run host, where stderr is in the log, too."""

from __future__ import annotations

from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome


def test_line_is_in_the_log_once(live: LiveHome) -> None:
    """A line of a logger that the setting names is not there again by way of the author's handler and stderr."""
    live.environment["FLOWDECK_LOGGING_EXTRA_LOGGERS"] = "flowfile"
    run = live.create(
        """
        import logging
        logging.basicConfig(level=logging.INFO, format="OWN %(message)s")
        @flow
        def main():
            logging.getLogger("flowfile").info("of the file")
            logging.getLogger("unnamed").info("to stderr only")
        """
    )
    assert live.start_host(run).wait(60) == 0
    assert live.now(run).state_type is StateType.COMPLETED
    assert live.messages(run, "logger") == ["flowfile: of the file"]
    assert live.messages(run, "stderr") == ["OWN to stderr only"]
