"""Lists of flow runs: every filter, every order, page by page in both directions, and with which plan."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.runs.run_filter import RunFilter, in_states, of_flow, parse
from flowdeck.rules.runs.run_order import Place, RunOrder, place_of
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from flowdeck.store.records import FlowRun, RunQuery
from flowdeck.store.runs import flow_run_queries, flow_runs, run_scan
from flowdeck.store.runs.run_scan import RunScan
from tests.store.rows import NAME_OF, make_child, make_run

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STATES = list(StateType)


def set_columns(database: Database, key: int, **columns: Any) -> None:
    database.write(lambda connection: flow_runs.set_columns(connection, key, columns))


@pytest.fixture
def runs(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[FlowRun]:
    """300 runs of all sorts, read by small steps."""
    monkeypatch.setattr(run_scan, "KEYS_AT_ONCE", 17)
    monkeypatch.setattr(run_scan, "ROWS_AT_ONCE", 13)
    rng = random.Random(7)
    keys: list[int] = []
    for number in range(300):
        at = to_microseconds(NOW - timedelta(minutes=rng.randrange(4000)))
        values = {
            "name": rng.choice(["calm-otter", "brave-fox", f"run-{number}"]),
            "flow_name": rng.choice(["etl", "my-report", "sync_all"]),
            "at": at,
            "tags": tuple(rng.sample(["nightly", "prod", "100%"], rng.randrange(3))),
        }
        if keys and rng.random() < 0.2:
            keys.append(make_child(database, rng.choice(keys), **values))
        else:
            keys.append(make_run(database, **values))
        kind = rng.choice(STATES)
        started = None if kind in (StateType.SCHEDULED, StateType.PENDING) else at
        ended = at + rng.choice([1, 2, 60, 600]) * 1_000_000 if started is not None and kind in ENDED else None
        set_columns(
            database, keys[-1], state_type=kind, state_name=NAME_OF[kind], started_at=started, ended_at=ended,
            state_message=rng.choice([None, "ReadTimeout: page 2", "ünder way"]),
        )  # fmt: skip
    gone = keys[100:140]
    database.write(lambda connection: flow_runs.delete(connection, gone))
    return flow_run_queries.by_keys(database.reader(), keys)


ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED)


def minutes(run: FlowRun) -> float:
    return (NOW - (run.started_at or run.scheduled_at or run.created_at)).total_seconds() / 60


def text_of(run: FlowRun) -> str:
    return " ".join([run.name, run.flow_name, run.id, json.dumps(run.tags), run.state_message or ""]).lower()


FILTERS: list[tuple[str, Callable[[FlowRun], Any]]] = [
    ("", lambda run: True),
    ("state:failed,crashed", lambda run: run.state_type in (StateType.FAILED, StateType.CRASHED)),
    ("!state:completed", lambda run: run.state_type is not StateType.COMPLETED),
    ('state:"Running"', lambda run: run.state_name == "Running"),
    ("flow:etl", lambda run: run.flow_name == "etl"),
    ("flow:my_report,zzz", lambda run: run.flow_name == "my-report"),
    ("flow:s*l", lambda run: run.flow_name == "sync_all"),
    ('flow:"s*l"', lambda run: False),
    ("name:calm-otter", lambda run: run.name == "calm-otter"),
    ("name:*_*", lambda run: False),
    ("!name:run-*", lambda run: not run.name.startswith("run-")),
    ("tag:prod", lambda run: "prod" in run.tags),
    ("tag:100*", lambda run: "100%" in run.tags),
    ("!tag:nightly,prod", lambda run: not {"nightly", "prod"} & set(run.tags)),
    ("since:24h", lambda run: minutes(run) <= 1440),
    ("until:24h", lambda run: minutes(run) > 1440),
    ("since:2d until:1d", lambda run: 1440 < minutes(run) <= 2880),
    ("since:1s", lambda run: minutes(run) * 60 <= 1),
    ("!since:24h", lambda run: minutes(run) > 1440),
    ("duration:>1m", lambda run: (run.duration_seconds(NOW) or 0) > 60),
    ("duration:<=2s", lambda run: run.started_at is not None and (run.duration_seconds(NOW) or 0) <= 2),
    ("parent:none", lambda run: run.parent_key is None),
    ("parent:any", lambda run: run.parent_key is not None),
    ("deployment:none", lambda run: True),
    ("deployment:x", lambda run: False),
    ('"readtimeout: page"', lambda run: "page" in text_of(run)),
    ("!otter", lambda run: "otter" not in text_of(run)),
    ("Ünder", lambda run: False),
    ("ünder", lambda run: "ünder" in text_of(run)),
    ("/^brave|page [0-9]$/", lambda run: re.search("^brave|page 2", f"{run.name}\n{run.state_message}", re.MULTILINE)),
    ("!/fox/ flow:etl state:running", lambda run: (
        "fox" not in run.name and run.flow_name == "etl" and run.state_type is StateType.RUNNING)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "is_meant"), FILTERS, ids=[text or "all" for text, _ in FILTERS])
def test_a_filter_keeps_what_it_says(
    database: Database, runs: list[FlowRun], text: str, is_meant: Callable[[FlowRun], Any]
) -> None:
    """The same runs as going through all of them; counted alike; told run by run alike."""
    query = RunQuery(filter=parse(text, NOW, UTC), limit=0)
    wanted = [run.key for run in runs if is_meant(run)]
    found = flow_run_queries.by_query(database.reader(), query, NOW)
    assert [run.key for run in found] == wanted
    assert flow_run_queries.count(database.reader(), query, NOW) == len(wanted)
    keys = [run.key for run in runs]
    assert flow_run_queries.listed(database.reader(), keys, query, NOW) == set(wanted)


def test_runs_are_found_by_parts_of_their_ids_and_of_their_parents(database: Database, runs: list[FlowRun]) -> None:
    """Start, end, whole; a parent by name too."""
    run = next(run for run in runs if run.parent_key in {other.key for other in runs})
    for fragment in (run.id, run.id[-8:].upper(), run.id[:30]):
        found = flow_run_queries.by_query(database.reader(), RunQuery(filter=parse(f"id:{fragment}", NOW)), NOW)
        assert run in found
    parent = next(other for other in runs if other.key == run.parent_key)
    for reference in (parent.id, parent.id[-8:], parent.name):
        query = RunQuery(filter=parse(f"parent:{reference}", NOW), limit=0)
        assert run in flow_run_queries.by_query(database.reader(), query, NOW)


@pytest.mark.parametrize("text", ["", "state:completed,running", "since:24h !flow:etl"])
@pytest.mark.parametrize("order", list(RunOrder))
def test_pages_in_both_directions_make_up_the_whole_list(
    database: Database, runs: list[FlowRun], order: RunOrder, text: str
) -> None:
    """None is left out, none comes twice, and each stands where `place_of` says."""
    query = RunQuery(filter=parse(text, NOW, UTC), order=order, roots_only=True, limit=0)
    kept = flow_run_queries.listed(database.reader(), [run.key for run in runs], query, NOW)
    wanted = sorted(
        (run for run in runs if run.key in kept), key=lambda run: place_of(run, order).rank(order)
    )  # the rule in Python against the one in SQL
    assert flow_run_queries.by_query(database.reader(), query, NOW) == wanted
    backwards = flow_run_queries.by_query(database.reader(), replace(query, backwards=True), NOW)
    assert backwards == wanted[::-1]
    paged: list[FlowRun] = []
    while page := flow_run_queries.by_query(
        database.reader(), replace(query, limit=7, after=place_of(paged[-1], order) if paged else None), NOW
    ):
        paged.extend(page)
    assert paged == wanted
    middle = len(wanted) // 2
    before = replace(query, after=place_of(wanted[middle], order), backwards=True, limit=5)
    assert flow_run_queries.by_query(database.reader(), before, NOW) == wanted[middle - 5 : middle][::-1]


def test_keys_of_a_range_end_at_its_last_run_or_are_none(database: Database, runs: list[FlowRun]) -> None:
    """A run that is gone never makes a range longer."""
    query = RunQuery(order=RunOrder.NAME, limit=0)
    ordered = flow_run_queries.by_query(database.reader(), query, NOW)
    first, last = place_of(ordered[10], RunOrder.NAME), place_of(ordered[30], RunOrder.NAME)
    found = flow_run_queries.keys(database.reader(), replace(query, after=first), NOW, last)
    assert found == [run.key for run in ordered[11:31]]
    nobody = Place(last.value, 999_999)
    assert flow_run_queries.keys(database.reader(), replace(query, after=first), NOW, nobody) == []
    capped = flow_run_queries.keys(database.reader(), replace(query, limit=5), NOW)
    assert capped == [run.key for run in ordered[:5]]


def test_an_empty_home_has_empty_lists(database: Database) -> None:
    """In every order, from both ends."""
    for order in RunOrder:
        for backwards in (False, True):
            query = RunQuery(order=order, backwards=backwards, filter=parse("since:1h", NOW))
            assert flow_run_queries.by_query(database.reader(), query, NOW) == []


# -- plans -------------------------------------------------------------------------------------------------------------


class Watched:
    """A connection that notes the plan of each statement."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plans: list[str] = []

    def execute(self, sql: str, values: Any = ()) -> Any:
        if sql.startswith("SELECT"):
            rows = self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            self.plans.append(" | ".join(row[3] for row in rows))
        return self.connection.execute(sql, values)

    def create_function(self, *words: Any, **options: Any) -> None:
        self.connection.create_function(*words, **options)


def plans_of(database: Database, query: RunQuery) -> list[str]:
    watched = Watched(database.reader())
    scan = RunScan(watched, query, NOW)  # pyright: ignore[reportArgumentType]
    scan.step(watched, 50)  # pyright: ignore[reportArgumentType]
    return watched.plans


PLACES = {
    RunOrder.NEWEST: Place(100, 100), RunOrder.OLDEST: Place(100, 100), RunOrder.DURATION: Place(5, 100),
    RunOrder.NAME: Place("m", 100), RunOrder.STATE: Place(0, 100),
}  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("order", list(RunOrder))
def test_every_page_is_read_off_an_index(
    database: Database, runs: list[FlowRun], order: RunOrder, after: bool, backwards: bool
) -> None:
    """No table is sorted, none is gone through from its start, wherever the page begins."""
    query = RunQuery(order=order, roots_only=True, backwards=backwards, after=PLACES[order] if after else None)
    plans = plans_of(database, query)
    assert plans
    for plan in plans:
        assert "TEMP B-TREE" not in plan
        if order is RunOrder.NEWEST or order is RunOrder.OLDEST or after:
            assert "SCAN flow_run" not in plan.replace("SCAN json_each", "")


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (in_states(StateType.FAILED), "flow_run_by_state"),
        (of_flow("etl"), "flow_flow_name_key"),
        (parse("since:24h", NOW), "flow_run_moment"),
        (parse("id:3f2a3f2a", NOW), "INTEGER PRIMARY KEY"),
        (parse("text", NOW), "INTEGER PRIMARY KEY"),
    ],
)
def test_a_filter_uses_what_there_is(database: Database, runs: list[FlowRun], wanted: RunFilter, index: str) -> None:
    """State, flow and time by their indexes; the rest by a bounded stretch of keys."""
    plans = plans_of(database, RunQuery(filter=wanted))
    assert any(index in plan.replace("idx_flow_run_flow_name_key", "flow_flow_name_key") for plan in plans)
    assert not any("SCAN flow_run" in plan and "COVERING" not in plan for plan in plans)
