"""What an engine says about itself: one line on stderr for each thing that happened, with the local time."""

from __future__ import annotations

import sys
import time

from flowdeck.rules.terminal_text import inert


def say(text: str) -> None:
    """Write one line. Nobody reading it any more is no reason to stop."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        sys.stderr.write(f"{stamp} {inert(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
