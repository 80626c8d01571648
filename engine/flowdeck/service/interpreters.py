"""Which Python runs the flows of a folder: that of its own virtual environment, if flowdeck is installed there."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

from flowdeck.service.engine_log import say

PATIENCE_SECONDS: Final = 30.0


async def interpreter_of(folder: str) -> str:
    """Return the folder's `.venv/bin/python` where that can import flowdeck, else the engine's own Python."""
    own = os.path.join(folder, ".venv", "bin", "python")
    if not os.access(own, os.X_OK):
        return sys.executable
    process = await asyncio.create_subprocess_exec(
        own,
        "-P",
        "-c",
        "import flowdeck",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        code = await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    except TimeoutError:
        process.kill()
        code = await process.wait()
    if code == 0:
        return own
    say(f"{own} cannot import flowdeck; the flows of {folder} run with {sys.executable}.")
    return sys.executable
