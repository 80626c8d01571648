"""How long processes take to start: whole processes, against Python importing four modules of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.report import Figure, best_of

ROOT = Path(__file__).parents[2]
FLOOR_CODE = "import asyncio, sqlite3, logging, pickle"
FLOOR_NAME = "python -c 'import asyncio, sqlite3, logging, pickle'"
TIMES = 15


def figures() -> Iterator[Figure]:
    """Measure the import, a whole flow, and the command line."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "FLOWDECK_HOME": home}

        def milliseconds(*arguments: str) -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True, cwd=ROOT)
            return (time.perf_counter() - started) * 1000

        floor = best_of(lambda: milliseconds("-c", FLOOR_CODE), TIMES)
        for name, target, arguments in (
            ("import flowdeck", 2.0, ("-c", "import flowdeck")),
            ("from flowdeck import flow, task", 2.0, ("-c", "from flowdeck import flow, task, get_run_logger")),
            ("python hello.py", 4.0, ("sample_flows/hello.py",)),
            ("flowdeck flow-run ls", 4.0, ("-m", "flowdeck", "flow-run", "ls")),
        ):
            value = best_of(lambda arguments=arguments: milliseconds(*arguments), TIMES)
            yield Figure(name, value, "ms", target, floor, FLOOR_NAME)
