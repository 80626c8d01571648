"""Levels of log records: the numbers of `logging`, without importing it, and their names."""

from __future__ import annotations

from typing import Final

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Names of levels, the lowest first."""
ERROR_LEVELS: Final = frozenset({"ERROR", "CRITICAL"})
"""Names of the levels that count as errors."""
