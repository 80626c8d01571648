"""The JSON that scripts rely on: keys that never vanish, types that never change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.cli import printing
from flowdeck.deck import Deck, RunQuery
from tests.cli.conftest import Command
from tests.cli.seeds import SCHEMA, Seeds

TEXT, WHOLE, NUMBER, TRUTH, LIST, TABLE = str, int, (int, float), bool, list, dict


class Maybe:
    """A type, or null."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Time:
    """RFC 3339 in UTC with microseconds."""


class Objects:
    """An array of objects of one shape."""

    def __init__(self, shape: dict[str, Any]) -> None:
        self.shape = shape


ERROR = {"type": TEXT, "message": TEXT, "traceback": TEXT, "file": Maybe(TEXT), "line": Maybe(WHOLE)}
FLOW_RUN = {
    "id": TEXT, "name": TEXT, "flow_name": TEXT, "entrypoint": Maybe(TEXT), "deployment_name": Maybe(TEXT),
    "state_type": TEXT, "state_name": TEXT, "state_message": Maybe(TEXT), "waiting_reason": Maybe(TEXT),
    "attempt": WHOLE, "created_at": Time, "scheduled_at": Maybe(Time), "started_at": Maybe(Time),
    "ended_at": Maybe(Time), "duration_seconds": Maybe(NUMBER), "parent_run_id": Maybe(TEXT), "root_run_id": TEXT,
    "origin_run_id": Maybe(TEXT), "triggered_by": TEXT, "tags": LIST,
    "task_counts": {"total": WHOLE, "completed": WHOLE, "failed": WHOLE, "running": WHOLE, "other": WHOLE},
    "log_counts": {"warning": WHOLE, "error": WHOLE},
}  # fmt: skip
TASK_RUN = {
    "id": WHOLE, "name": TEXT, "task_name": TEXT, "index": WHOLE, "state_type": TEXT, "state_name": TEXT,
    "state_message": Maybe(TEXT), "attempt": WHOLE, "from_cache": TRUTH, "reused": TRUTH, "worker": Maybe(TEXT),
    "started_at": Maybe(Time), "ended_at": Maybe(Time), "duration_seconds": Maybe(NUMBER), "upstream_ids": LIST,
    "result_preview": Maybe(TEXT), "result_bytes": Maybe(WHOLE), "reused_from": Maybe(WHOLE),
    "cache_reason": Maybe(TEXT), "error": Maybe(ERROR),
}  # fmt: skip
STATE = {"state_type": TEXT, "state_name": TEXT, "message": Maybe(TEXT), "at": Time, "attempt": WHOLE}
FLOW_RUN_DETAIL = {
    **FLOW_RUN, "parameters": TABLE, "working_dir": TEXT, "interpreter": Maybe(TEXT), "pid": Maybe(WHOLE),
    "exit_code": Maybe(WHOLE), "signal": Maybe(WHOLE), "peak_rss_bytes": Maybe(WHOLE),
    "cpu_seconds": Maybe(NUMBER), "reused": TRUTH,
    "unused_results": Maybe({"count": WHOLE, "calls": LIST}), "error": Maybe(ERROR), "states": Objects(STATE),
    "task_runs": Objects(TASK_RUN), "subflow_run_ids": LIST, "artifact_ids": LIST,
}  # fmt: skip
LOG_RECORD = {
    "seq": WHOLE, "at": Time, "level": TEXT, "flow_run_id": TEXT, "task_run_id": Maybe(WHOLE),
    "task_name": Maybe(TEXT), "source": TEXT, "message": TEXT,
}  # fmt: skip
FLOW = {
    "name": Maybe(TEXT), "function": Maybe(TEXT), "file": TEXT, "line": Maybe(WHOLE), "folder": TEXT,
    "entrypoint": TEXT, "description": Maybe(TEXT), "status": TEXT, "error": Maybe(ERROR),
    "last_run": Maybe({"id": TEXT, "state_type": TEXT, "ended_at": Maybe(Time)}),
}  # fmt: skip
FLOW_DETAIL = {**FLOW, "parameter_schema": Maybe(TABLE)}
SERVER = {
    "running": TRUTH, "pid": Maybe(WHOLE), "folders": LIST, "spares_ready": WHOLE, "started_at": Maybe(Time),
    "version": Maybe(TEXT),
}  # fmt: skip
CHECK = {"name": TEXT, "status": TEXT, "message": TEXT, "fix": Maybe(TEXT)}
DOCTOR = {
    "ok": TRUTH, "flowdeck_version": TEXT, "python": TEXT,
    "sqlite": {"module": TEXT, "version": TEXT, "wal_reset_fixed": TRUTH},
    "home": {"path": TEXT, "writable": TRUTH, "filesystem": TEXT, "free_bytes": WHOLE},
    "store": {"schema_version": Maybe(WHOLE), "ok": TRUTH}, "engine": SERVER, "checks": Objects(CHECK),
}  # fmt: skip

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def check(value: Any, shape: Any, where: str = "document") -> None:
    """Hold a value against a shape."""
    if isinstance(shape, Maybe):
        if value is not None:
            check(value, shape.kind, where)
    elif shape is Time:
        assert isinstance(value, str), where
        assert _TIME.fullmatch(value), (where, value)
    elif isinstance(shape, Objects):
        assert isinstance(value, list), where
        for index, member in enumerate(value):
            check(member, shape.shape, f"{where}[{index}]")
    elif isinstance(shape, dict):
        assert list(value) == list(shape), where
        for name, kind in shape.items():
            check(value[name], kind, f"{where}.{name}")
    else:
        assert isinstance(value, shape), (where, value)
        assert shape is bool or not isinstance(value, bool), (where, value)


def test_flow_runs(command: Command, deck: Deck, seeds: Seeds) -> None:
    """`flow-run ls` gives every key of a run, newest first, whatever is known of it."""
    failed, running = seeds.failed_run(deck), seeds.run()
    listed = command("flow-run", "ls", "--json").json
    assert [run["id"] for run in listed] == [running, failed]
    check(listed, Objects(FLOW_RUN))
    assert listed[1]["task_counts"] == {"total": 2, "completed": 1, "failed": 1, "running": 0, "other": 0}
    assert listed[1]["log_counts"] == {"warning": 0, "error": 1}
    assert listed[0]["ended_at"] is None
    assert listed[0]["duration_seconds"] >= 0


def test_flow_run_inspect(command: Command, deck: Deck, seeds: Seeds) -> None:
    """`flow-run inspect` adds parameters, error, history and task runs in the order of their calls."""
    shown = command("flow-run", "inspect", seeds.failed_run(deck), "--json").json
    check(shown, FLOW_RUN_DETAIL)
    assert shown["parameters"] == {"path": "a.csv"}
    assert [state["state_name"] for state in shown["states"]] == ["Running", "Failed"]
    assert [call["name"] for call in shown["task_runs"]] == ["extract-0", "load-0"]
    assert shown["task_runs"][1]["upstream_ids"] == [shown["task_runs"][0]["id"]]
    assert shown["error"]["line"] == 12
    assert shown["exit_code"] == 1


def test_what_a_later_attempt_took_and_did_not(command: Command, deck: Deck) -> None:
    """`flow-run inspect` counts recorded results that nothing asked for, and tells a subflow that was not run again."""
    tries: list[int] = []

    @task
    def extract(number: int) -> int:
        return number

    @flow
    def child() -> int:
        return 1

    @flow(retries=1)
    def main() -> None:
        child()
        tries.append(1)
        for number in range(4):
            extract(number + 10 * len(tries))
        if len(tries) == 1:
            raise RuntimeError

    main()
    runs = {run.flow_name: run.id for run in deck.flow_runs.select(RunQuery())}
    parent = command("flow-run", "inspect", runs["main"], "--json").json
    assert parent["unused_results"] == {"count": 4, "calls": ["extract[0]", "extract[1]", "extract[2]"]}
    assert parent["reused"] is False
    below = command("flow-run", "inspect", runs["child"], "--json").json
    assert (below["reused"], below["unused_results"], parent["subflow_run_ids"]) == (True, None, [runs["child"]])
    for document in (parent, below):
        check(document, FLOW_RUN_DETAIL)
    shown = command("flow-run", "inspect", runs["main"]).out
    assert "4: extract[0], extract[1], extract[2] …" in shown
    assert "Reused" not in shown
    assert "its recorded result" in command("flow-run", "inspect", runs["child"]).out


def test_task_runs(command: Command, deck: Deck, seeds: Seeds) -> None:
    """`task-run ls` lists newest first, and inspect shows the same object."""
    run_id = seeds.failed_run(deck)
    listed = command("task-run", "ls", run_id, "--json").json
    check(listed, Objects(TASK_RUN))
    assert [call["task_name"] for call in listed] == ["load", "extract"]
    assert command("task-run", "ls", run_id, "--json", "--limit", "1").json == listed[:1]
    assert command("task-run", "inspect", str(listed[0]["id"]), "--json").json == listed[0]
    assert command("task-run", "ls", run_id, "--attempt", "7", "--json").json == []


def test_log_records(command: Command, deck: Deck, seeds: Seeds) -> None:
    """`logs --json` gives an object a line, with the message as it was written."""
    run_id = seeds.failed_run(deck)
    records = command("flow-run", "logs", run_id, "--json").json_lines
    check(records, Objects(LOG_RECORD))
    assert [record["seq"] for record in records] == [1, 2]
    assert records[1]["message"] == "no rows\nin \x1b[31mthe\x1b[0m table"
    assert records[1]["task_run_id"] == deck.flow_runs.find(run_id).key * 100_000_000 + 2


def test_flows(command: Command, deck: Deck, seeds: Seeds, tmp_path: Path) -> None:
    """`flow ls` gives flows and broken files in one shape; inspect adds the schema."""
    entry = seeds.flow(deck, tmp_path / "flows")
    seeds.broken_file(tmp_path / "flows")
    run = deck.flow_runs.create(entry, {"city": "Ulm"})
    listed = command("flow", "ls", "--json").json
    check(listed, Objects(FLOW))
    broken, flow = listed
    assert (broken["name"], broken["function"], broken["status"]) == (None, None, "import_error")
    assert broken["error"]["type"] == "ValueError"
    assert flow["last_run"] == {"id": run.id, "state_type": "SCHEDULED", "ended_at": None}
    shown = command("flow", "inspect", "report", "--json").json
    check(shown, FLOW_DETAIL)
    assert shown["parameter_schema"] == SCHEMA


def test_server_unwatch(command: Command, deck: Deck, tmp_path: Path) -> None:
    """It prints what `server status` does, without the folder."""
    deck.folders.watch(tmp_path)
    assert command("server", "unwatch", str(tmp_path), "--json").json["folders"] == []


def test_server_status(command: Command) -> None:
    """`server status` has its shape also when no engine runs, and says so by its exit code."""
    output = command("server", "status", "--json")
    check(output.json, SERVER)
    assert output.code == 3
    assert output.json["running"] is False


def test_doctor(command: Command, home: Path) -> None:
    """`doctor` gives its shape, and is content with a new home."""
    output = command("doctor", "--json")
    check(output.json, DOCTOR)
    assert output.code == 0
    assert output.json["home"]["path"] == str(home)


def test_doctor_of_a_damaged_home(command: Command, home: Path) -> None:
    """`doctor` keeps its shape when the store cannot be read, and says what to do."""
    home.mkdir(mode=0o700)
    (home / "state.db").write_bytes(b"this is no database" * 100)
    output = command("doctor", "--json")
    check(output.json, DOCTOR)
    assert output.code == 1
    assert output.json["store"] == {"schema_version": None, "ok": False}
    problems = [found for found in output.json["checks"] if found["status"] == "error"]
    assert [found["name"] for found in problems] == ["store"]
    assert problems[0]["fix"]


def test_text_that_json_cannot_hold(command: Command, seeds: Seeds) -> None:
    """A lone surrogate and a NaN in a run's record still make valid JSON in UTF-8."""
    run_id = seeds.run(parameters={"x": float("nan"), "y": [float("inf")], "file": "odd-\udc80"})
    shown = command("flow-run", "inspect", run_id, "--json").json
    assert shown["parameters"] == {"x": "NaN", "y": ["Infinity"], "file": "odd-\udc80"}


def test_json_holds_no_controls_of_the_reading_direction(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """They are escapes, and the text is the same to whoever reads it."""
    text = "a\u202eb\u2066c\u200fd\u061ce\u2028f\x9bg\x7fh"
    printing.json_lines([{"name": text}])
    out = capfdbinary.readouterr().out.decode()
    assert out.strip().isprintable()
    assert json.loads(out) == {"name": text}
