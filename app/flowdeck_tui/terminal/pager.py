"""The program with which a user reads long texts and files. Pure."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from flowdeck.rules.exceptions import FlowdeckError

FILES_MOST: Final = 64
"""How many files a pager is given."""


class NoPagerError(FlowdeckError):
    """There is no program to read a file with."""


def pager_command(environment: Mapping[str, str], paths: Sequence[str]) -> list[str]:
    """Return the command that shows log files, or its stdin: `$PAGER`, else less or more; less begins at a log's end.

    Raises:
        NoPagerError: there is none, or `$PAGER` is no command.
    """
    given = environment.get("PAGER", "").strip()
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise NoPagerError(f"PAGER={given} is no command: {error}.") from None
    if not words:
        words = [name for name in ("less", "more") if shutil.which(name)][:1]
    if not words:
        raise NoPagerError("There is no pager: set PAGER." + (f" The log is {paths[0]}." if paths else ""))
    at_end = ["+G"] if paths and os.path.basename(words[0]) == "less" else []
    return [*words, *at_end, *paths[:FILES_MOST]]
