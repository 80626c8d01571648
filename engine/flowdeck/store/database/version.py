"""Version of the schema, apart from the schema itself so that a script need not import sqlite-utils to compare it."""

from typing import Final

SCHEMA_VERSION: Final = 2

REBUILD: Final = "rebuild_"
"""So begin the names of migrations with which processes of an older flowdeck could not live; all others only add."""
KNOWN_REBUILDS: Final[frozenset[str]] = frozenset()
"""Those of the migrations that this flowdeck knows."""
