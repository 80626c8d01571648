"""A home in which something can be done by every key: runs in every state, logs, flows, a broken file."""

from __future__ import annotations

from typing import Any

from flowdeck.deck import FlowRun, RunError
from tests.tui.seeded_home import Call, SeededHome

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "days": {"type": "integer", "default": 3},
        "mode": {"enum": ["fast", "slow"], "default": "fast"},
        "city": {"type": "string", "default": "Oslo"},
    },
}
ERROR = RunError("ReadTimeout", "page 2", "Traceback\n  ReadTimeout: page 2", "/flows/sync.py", 88)
BROKEN = RunError("SyntaxError", "invalid syntax", "Traceback\n  SyntaxError", "/flows/bad.py", 1)
OLD_RUNS = 60


def fill(home: SeededHome) -> FlowRun:
    """Seed runs, newest first: quiet-lynx, brave-otter, calm-heron, lazy-fox, old-0 …; return the running one."""
    home.flow("etl", SCHEMA, description="Loads orders.\n\n" + "\n".join(f"step {number}" for number in range(60)))
    home.flow("report", file="report.py")
    home.broken_file("bad.py", BROKEN)
    for number in reversed(range(OLD_RUNS)):
        home.run(f"old-{number}", "report", ago_seconds=90_000 + 60 * number)
    home.log(home.run("lazy-fox", "report", ago_seconds=7000), "reported")
    if home.folder.exists():
        (home.folder / "sync.py").touch()
    failed = home.run(
        "calm-heron", "sync", "Failed", ago_seconds=3600, took_seconds=182, error=ERROR, file="sync.py",
        calls=[Call("fetch"), Call("fetch", "Failed", message="ReadTimeout: page 2", error=ERROR)],
    )  # fmt: skip
    home.log(failed, "GET /contacts?page=1", "rate limited")
    home.log(failed, "ReadTimeout: page 2", level=40, task="fetch")
    calls = [Call("extract"), *[Call("load", group=1)] * 3, *[Call(f"step-{number}") for number in range(4)]]
    running = home.run(
        "brave-otter", "etl", "Running", ago_seconds=133, calls=calls, parameters={"days": 7, "city": "Bergen"}
    )
    sub = home.run("tidy-dune", "checks", "Running", ago_seconds=30, parent=running)
    home.log(running, *[f"line {number} " + "long " * 60 for number in range(200)])
    home.log(running, "it broke", "it broke again", level=40)
    home.log(running, 'got {"answer": [42, 43]}')
    home.log(sub, "from the subflow")
    home.run("quiet-lynx", "etl", "Scheduled", ago_seconds=0)
    return running
