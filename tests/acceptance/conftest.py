"""A home for real engines, screens and runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_home import LiveHome


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    """A home in which real processes run."""
    home = LiveHome(tmp_path)
    yield home
    home.close()
