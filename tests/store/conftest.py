"""What the tests of the store share."""

from __future__ import annotations

import pytest

from flowdeck.store.database.database import Database
from tests.store.seen import Rows


@pytest.fixture
def rows(database: Database) -> Rows:
    """Make the table of `seen` and return what reads it."""
    database.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER)"))

    def read() -> list[int]:
        return [number for (number,) in database.reader().execute("SELECT number FROM seen ORDER BY number")]

    return read
