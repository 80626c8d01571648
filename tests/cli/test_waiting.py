"""Nothing waits silently: the reason in words, and what would move it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.rules.runs.waiting import Surroundings, waiting_reason
from flowdeck.rules.states import NAMES, StateType
from flowdeck.store import engines, processes
from tests.cli.conftest import Command
from tests.cli.seeds import Seeds

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WITH_ENGINE = Surroundings(NOW, engine_running=True)
NO_ENGINE = Surroundings(NOW, engine_running=False)
FULL = replace(WITH_ENGINE, run_limit=4, runs_started=4)
GONE = replace(WITH_ENGINE, process_alive=False)
GONE_ALONE = replace(NO_ENGINE, process_alive=False)
OPEN = "open the TUI or `flowdeck server start`"


@pytest.mark.parametrize(
    ("name", "due_in_seconds", "around", "reason"),
    [
        ("Scheduled", 0, NO_ENGINE, f"no engine runs for this home: {OPEN}"),
        ("Scheduled", 0, WITH_ENGINE, "the engine is about to start it"),
        ("Scheduled", 0, FULL, "the engine runs its limit of 4 runs"),
        ("Scheduled", 0, replace(FULL, runs_started=3), "the engine is about to start it"),
        ("Scheduled", 90, FULL, "starts at 13:01:30"),
        ("Scheduled", 86_400, WITH_ENGINE, "starts at 2026-11-23 13:00:00"),
        ("Scheduled", 90, NO_ENGINE, f"starts at 13:01:30, if an engine runs then: {OPEN}"),
        ("AwaitingRetry", 5, NO_ENGINE, "waits for its next attempt"),
        ("AwaitingRetry", 5, GONE_ALONE, f"its process is gone, and no engine runs to note that: {OPEN}"),
        ("Pending", 0, WITH_ENGINE, "its process is being started"),
        ("Running", 0, WITH_ENGINE, None),
        ("Running", 0, replace(NO_ENGINE, process_alive=True), None),
        ("Running", 0, GONE, "its process is gone; the engine is about to note that"),
        ("Running", 0, GONE_ALONE, f"its process is gone, and no engine runs to note that: {OPEN}"),
        ("Paused", 0, WITH_ENGINE, "it is paused"),
        ("Cancelling", 0, WITH_ENGINE, "its process has been asked to stop"),
        ("Cancelling", 0, GONE, "its process is gone; the engine is about to note that"),
        ("Completed", 0, GONE, None),
        ("Failed", 0, NO_ENGINE, None),
    ],
)
def test_reasons(name: str, due_in_seconds: int, around: Surroundings, reason: str | None) -> None:
    """Each way of not moving has its sentence; what moves or is over has none."""
    due = NOW + timedelta(seconds=due_in_seconds)
    assert waiting_reason(NAMES[name], name, due, around, timezone(timedelta(hours=1))) == reason


def test_every_state_that_is_not_over_is_answered() -> None:
    """Only a run that runs may have no reason."""
    for name, state_type in NAMES.items():
        reason = waiting_reason(state_type, name, NOW, NO_ENGINE)
        over = state_type in (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED)
        assert (reason is None) == (over or state_type is StateType.RUNNING), name


def test_listing_says_that_no_engine_runs(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """A run that is due in a home without an engine says what would start it."""
    deck.flow_runs.create(seeds.flow(deck, tmp_path / "flows"), {"city": "Ulm"})
    assert command("flow-run", "ls", "--json").json[0]["waiting_reason"] == f"no engine runs for this home: {OPEN}"


def test_listing_says_that_the_engine_is_full(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """A run that is due while the engine has no place says how many places there are."""
    engines.register(seeds.database, "0", "server")  # this process stands for an engine that starts nothing
    entry = seeds.flow(deck, tmp_path / "flows")
    limit = 2 * (os.cpu_count() or 1)
    for _ in range(limit):
        run = deck.flow_runs.create(entry, {"city": "Ulm"})
        seeds.set_state(run.key, "Pending", host_pid=os.getpid(), host_token=processes.token(os.getpid()))
    deck.flow_runs.create(entry, {"city": "Ulm"})
    waits, *started = command("flow-run", "ls", "--json").json
    assert waits["waiting_reason"] == f"the engine runs its limit of {limit} runs"
    assert {run["waiting_reason"] for run in started} == {"its process is being started"}


def test_listing_says_that_a_process_is_gone(command: Command, seeds: Seeds) -> None:
    """A run whose process was killed, in a home without an engine, is not shown as if it went on."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    lost, alive = seeds.run(pid=child.pid), seeds.run()
    reasons = {run["id"]: run["waiting_reason"] for run in command("flow-run", "ls", "--json").json}
    assert reasons[alive] is None
    assert reasons[lost] == f"its process is gone, and no engine runs to note that: {OPEN}"
    checks = command("doctor", "--json").json["checks"]
    assert [check["status"] for check in checks if check["name"] == "run"] == ["warning"]
