"""The environment that a scheduled run is given: no byte of it is left once the run has ended without a start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.rules.runs.ids import new_run_id
from flowdeck.rules.states import named
from flowdeck.store.database.database import Database
from flowdeck.store.runs import flow_runs
from flowdeck.store.runs.flow_runs import NewFlowRun
from tests.service.test_home_of_an_engine import OneEngine

SECRET = "hunter2-" + "x" * 5_000  # too long for one page
FUTURE = 4_000_000_000_000_000


@pytest.fixture
def one(tmp_path: Path, clear_environment: None) -> Iterator[OneEngine]:
    made = OneEngine(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("deed", ["cancel", "delete"])
def test_no_byte_is_left(one: OneEngine, deed: str) -> None:
    """Neither in the database nor in its log, while an engine lives that has them open."""
    first = one.start("--started-by", "server")
    one.until(lambda: f"(pid {first.pid}) serves" in one.said())
    run_id = new_run_id()
    new = NewFlowRun(
        id=run_id, name="later", flow_name="main", entrypoint=None, working_dir="/", source_file="/flow.py",
        function="main", state=named("Scheduled"), at=1, scheduled_at=FUTURE, triggered_by="cli", parameters="{}",
        root_run_id=run_id, environment=json.dumps({"TOKEN": SECRET}),
    )  # fmt: skip
    with closing(Database(one.home)) as database, closing(Deck(one.home.path)) as deck:
        database.write(lambda connection: flow_runs.insert(connection, new))
        assert files_with_secret(one.home.path)
        getattr(deck.flow_runs, deed)(run_id)
        one.until(lambda: not files_with_secret(one.home.path))


def files_with_secret(home: Path) -> list[str]:
    return [path.name for path in home.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
