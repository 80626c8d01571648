"""Flow files run in processes of their own, as a user runs them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 30.0
"""How long a test waits for something that takes milliseconds, on a machine that is busy with other things."""

PREAMBLE = """
import os, signal, sys, threading, time
from flowdeck import flow, task, get_run_logger, unmapped
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended."""

    code: int
    """Negative: by that signal."""
    out: str
    err: str


class Script:
    """A script that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """Return the next line that it printed; waits for it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, text: str = "go") -> None:
        """Write a line to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def end(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Ended(self.process.returncode, out, err)


class Scripts:
    """Writes scripts into a folder and runs them in one home; `close` kills what is left of them."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self._started: list[Script] = []

    def write(self, body: str, name: str = "my_flow.py") -> Path:
        """Write a file; the usual imports stand in its first lines."""
        path = self.folder / name
        path.write_text(PREAMBLE + textwrap.dedent(body), encoding="utf-8")
        return path

    def start(
        self,
        body: str,
        *,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        name: str = "my_flow.py",
        pythonpath: str | None = None,
    ) -> Script:
        """Start a script of this body. Its stdout should be used for what the test reads: the log is on stderr."""
        path = self.write(body, name)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("FLOWDECK_")}
        process = subprocess.Popen(
            [sys.executable, *options, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={
                **inherited,
                "PYTHONPATH": pythonpath or os.pathsep.join(entry for entry in sys.path if entry),
                "FLOWDECK_HOME": str(self.home),
                **(environment or {}),
            },
        )
        script = Script(process)
        self._started.append(script)
        return script

    def run(self, body: str, **options: object) -> Ended:
        """Run a script of this body to its end."""
        return self.start(body, **options).end()  # type: ignore[arg-type]

    def close(self) -> None:
        """Kill what still runs."""
        for script in self._started:
            process = script.process
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):  # a pipe that nobody reads any more
                        stream.close()
