"""A folder with a flow, for the tests of Deck."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.deck import Deck, FlowEntry
from tests.deck.seeds import put_flow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow file."""
    path = tmp_path / "flows"
    path.mkdir()
    (path / "etl.py").write_text("")
    return path


@pytest.fixture
def entry(deck: Deck, folder: Path) -> FlowEntry:
    """A flow of the catalogue."""
    put_flow(deck, folder, "etl.py", "load_day")
    return deck.flows.find("load-day")
