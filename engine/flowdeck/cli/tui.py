"""`flowdeck [FOLDER]`: the screen."""

from __future__ import annotations

import os
from importlib import import_module

from flowdeck.rules.exceptions import UsageError


def main(folder: str) -> int:
    """Open the screen on a folder; return its exit code.

    Raises:
        UsageError: it is no folder.
    """
    if os.path.isfile(folder):
        raise UsageError(f"{folder} is a file; `flowdeck run {folder}` runs it, `flowdeck` takes a folder.")
    # By name: the engine never needs the app, so its package does not import it.
    return import_module("flowdeck_tui.launch").main(folder)
