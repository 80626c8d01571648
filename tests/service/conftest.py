"""A home with real engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_home import LiveHome


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    home = LiveHome(tmp_path, {"FLOWDECK_CANCEL_GRACE_SECONDS": "1"})
    yield home
    home.close()
