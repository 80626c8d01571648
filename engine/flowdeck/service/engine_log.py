"""What an engine says about itself: one line on stderr for each thing that happened, with the local time."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowdeck.rules.text.terminal_text import inert

LOG_MAX_BYTES: Final = 5 << 20
"""Size at which engine.log becomes engine.log.1, in the place of an older one."""


def say(text: str) -> None:
    """Write one line. Nobody reading it any more is no reason to stop."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        sys.stderr.write(f"{stamp} {inert(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def cut(log: Path, max_bytes: int = LOG_MAX_BYTES) -> None:
    """Begin a new file when the one to which stdout and stderr of this process go has grown too long.

    Args:
        log: engine.log; nothing happens when they go elsewhere, to a terminal or a journal.
        max_bytes: largest size in bytes.
    """
    with suppress(OSError):  # it goes on growing, which the next look may mend
        named = os.stat(log)
        ours = [descriptor for descriptor in (1, 2) if os.path.samestat(os.fstat(descriptor), named)]
        if named.st_size < max_bytes or not ours:
            return
        log.replace(log.with_name(f"{log.name}.1"))  # run hosts write to the end of it until they are done
        new = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for descriptor in ours:
            os.dup2(new, descriptor)
        os.close(new)
