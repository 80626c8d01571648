"""How many runs an engine has going at once."""

from __future__ import annotations

import os
from typing import Final

PLACES_PER_CORE: Final = 2


def default_limit() -> int:
    """Return how many runs may be going at once."""
    return PLACES_PER_CORE * (os.cpu_count() or 1)
