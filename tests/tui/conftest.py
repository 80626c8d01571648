"""What the tests of the screen share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.seeded_home import SeededHome


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SeededHome]:
    """An empty home with a folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    seeded = SeededHome(tmp_path / "home", folder)
    yield seeded
    seeded.close()
