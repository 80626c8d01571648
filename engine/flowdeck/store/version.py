"""Version of the schema, apart from the schema itself so that a script need not import sqlite-utils to compare it."""

from typing import Final

SCHEMA_VERSION: Final = 3
