"""A home with real engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.service.watched import Watched
from tests.support.live_home import LiveHome


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    home = LiveHome(tmp_path, {"FLOWDECK_CANCEL_GRACE_SECONDS": "1"})
    yield home
    home.close()


@pytest_asyncio.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    home = Watched(tmp_path)
    yield home
    home.close()
