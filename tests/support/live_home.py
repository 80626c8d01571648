"""A home in which tests run real hosts, engines and flows, and wait for what these do on the change feed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowdeck.deck import Deck, FlowEntry, FlowRun, LogRecord, RunQuery
from flowdeck.host import process_tree
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.store import processes
from flowdeck.store.database.database import Database
from flowdeck.store.home import locate
from flowdeck.store.runs import flow_runs, process_claims
from tests.support.terminal import Terminal

PATIENCE_SECONDS = 30.0
"""How long a test waits for something that takes milliseconds, on a machine that is busy with other things."""

PREAMBLE = """
import os, signal, subprocess, sys, time
from flowdeck import flow, task, get_run_logger
"""


class LiveHome:
    """One temporary home with a folder of flows beside it; `close` ends every process that came of it."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder / "flows"
        self.folder.mkdir()
        self.environment = {**os.environ, "FLOWDECK_HOME": str(folder / "home"), **(settings or {})}
        self.environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        for inherited in ("FLOWDECK_RUN_ID", "PYTHONUNBUFFERED", "COLUMNS", "LINES"):
            self.environment.pop(inherited, None)
        self.deck = Deck(folder / "home")
        self.database = Database(locate(folder / "home"))
        self._children: list[subprocess.Popen[bytes]] = []

    # -- flows and runs ------------------------------------------------------------------------------------------

    def flow(self, body: str, *, function: str = "main", file: str = "flows.py") -> FlowEntry:
        """Write a flow file of this body and return the entry of one flow in it."""
        # In one step: a run of the file that was there before may be about to import it.
        written = self.folder / f"{file}.new"
        written.write_text(PREAMBLE + textwrap.dedent(body), encoding="utf-8")
        written.replace(self.folder / file)
        return FlowEntry(
            folder=str(self.folder), file=file, function=function, name=function, line=1, description=None,
            parameter_schema={"type": "object", "properties": {}, "required": []}, status="ok", error=None,
        )  # fmt: skip

    def create(self, body: str, environment: Mapping[str, str] | None = None, **options: Any) -> FlowRun:
        """Schedule a run of a flow of this body, as if it was triggered in `environment` (this home's by default)."""
        run = self.deck.flow_runs.create(self.flow(body), {}, **options)
        kept = self.environment if environment is None else {**self.environment, **environment}
        self.set_columns(run, environment=json.dumps(kept))
        return run

    def set_columns(self, run: FlowRun, **columns: Any) -> None:
        """Write facts into a run's row."""
        self.database.write(lambda connection: flow_runs.set_columns(connection, run.key, columns))

    def claim(self, *, seconds_ago: float = 0.0) -> int:
        """Claim the due run, as an engine does that is killed before it starts a host; return its incarnation."""
        at = SYSTEM_CLOCK.now_microseconds() - int(seconds_ago * 1e6)
        self.database.write(
            lambda connection: connection.execute("UPDATE flow_run SET scheduled_at = min(scheduled_at, ?)", (at,))
        )
        claim = self.database.write(lambda connection: flow_runs.claim(connection, at))
        assert claim is not None
        return claim[2]

    def all_runs(self) -> list[FlowRun]:
        """Return every run, subflows included, newest first."""
        return self.deck.flow_runs.select(RunQuery(limit=0))

    def now(self, run: FlowRun) -> FlowRun:
        """Return a run as it is now."""
        return self.deck.flow_runs.find(run.id)

    def log(self, run: FlowRun) -> list[LogRecord]:
        """Return what is in a run's log."""
        with contextlib.closing(self.deck.logs.of_run(run)) as reader:
            return list(reader.records())

    def messages(self, run: FlowRun, source: str) -> list[str]:
        """Return the texts of one source in a run's log."""
        return [record.message for record in self.log(run) if record.source == source]

    # -- processes -----------------------------------------------------------------------------------------------

    def start_host(self, run: FlowRun, incarnation: int | None = None) -> subprocess.Popen[bytes]:
        """Claim a run (unless that was done) and start its host, without an engine."""
        incarnation = self.claim() if incarnation is None else incarnation
        return self.start("flowdeck.host.run_host", str(run.key), str(incarnation))

    def start_engine(self, started_by: str = "server") -> subprocess.Popen[bytes]:
        """Start an engine and return once it serves the home."""
        engine = self.start("flowdeck.service", "--started-by", started_by)
        self.until(lambda: self.deck.engine.status().pid == engine.pid or engine.poll() is not None)
        return engine

    def kill_engine(self) -> None:
        """SIGKILL the engine that serves the home, whoever started it."""
        pid = self.until(lambda: self.deck.engine.status().pid)
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.deck.engine.status().pid != pid)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours to its end, as a user does in the folder of flows."""
        return subprocess.run(
            [sys.executable, "-m", "flowdeck", *words],
            env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def screen(self, columns: int = 80, rows: int = 24, folder: Path | None = None) -> Terminal:
        """Open the screen on this home's folder of flows, or on another, in a terminal of its own."""
        command = [sys.executable, "-m", "flowdeck", str(folder or self.folder)]
        return Terminal(command, columns, rows, self.environment)

    def start_script(self, body: str) -> subprocess.Popen[bytes]:
        """Run a flow file as a script."""
        self.flow(body, file="script.py")
        return self.start(arguments=[sys.executable, str(self.folder / "script.py")])

    def start(self, module: str = "", *module_arguments: str, arguments: list[str] | None = None) -> Any:
        """Start a module of ours, or any command, in this home."""
        command = arguments or [sys.executable, "-P", "-m", module, *module_arguments]
        with open(self.deck.home / "stderr.txt", "ab") as stderr:
            child = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def stderr(self) -> str:
        """Return what hosts, engines and scripts wrote to stderr."""
        told = [self.deck.home / name for name in ("stderr.txt", "engine.log")]
        return "\n".join(path.read_text(encoding="utf-8") for path in told if path.exists())

    # -- waiting -------------------------------------------------------------------------------------------------

    def until(self, is_so: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until something is true and return it; fail with what hosts and engines said when it never is."""
        deadline = time.monotonic() + seconds
        with self.deck.changes() as feed:
            while not (found := is_so()):
                assert time.monotonic() < deadline, f"not so after {seconds} s; stderr:\n{self.stderr()}"
                feed.wait(0.05)
        return found

    def until_named(self, run: FlowRun, name: str) -> FlowRun:
        """Wait until a run is in a state of this name."""
        return self.until(lambda: (found := self.now(run)).state_name == name and found)

    def until_over(self, run: FlowRun) -> FlowRun:
        """Wait until a run has its final state."""
        return self.until(lambda: (found := self.now(run)).is_final and found)

    def until_ended(self, run: FlowRun) -> FlowRun:
        """Wait until a run's process has ended and all that it wrote is in the log; its final state may come before."""
        return self.until(lambda: (found := self.now(run)).is_final and found.exit_code is not None and found)

    def until_said(self, run: FlowRun, text: str) -> str:
        """Wait until a record of a run's log has this text; return its message."""
        return self.until(lambda: next((record.message for record in self.log(run) if text in record.message), None))

    def processes(self) -> list[int]:
        """Return every process with this home in its environment: engines, spares, hosts, flows, screens (Linux)."""
        wanted = f"FLOWDECK_HOME={self.deck.home}".encode()
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def close(self) -> None:
        """End everything."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # each is the leader of a session of its own
        if (engine := self.deck.engine.status().pid) is not None:  # brought up by a screen or a command
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine, signal.SIGKILL)
        for run in process_claims.live_runs(self.database.reader()):
            if processes.is_alive(run.host_pid, run.host_token) and run.host_pid is not None:
                os.kill(run.host_pid, signal.SIGKILL)
        for (run_id,) in self.database.reader().execute("SELECT id FROM flow_run").fetchall():
            process_tree.kill_all(lambda run_id=run_id: process_tree.members(None, run_id, ()), lambda: None)
        for child in self._children:
            child.wait()
        self.database.close()
        self.deck.close()


def is_running(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    return processes.token(pid) is not None
