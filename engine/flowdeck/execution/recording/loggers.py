"""The logger of runs. Not a registered one: `logging.config.dictConfig`, which authors call, would switch it off."""

from __future__ import annotations

import logging
from typing import Final

RUN_LOGGER: Final = logging.Logger("flowdeck.runs", logging.INFO)
"""What it is told is in the log of the run that the calling code belongs to."""
RUN_LOGGER.propagate = False
