"""Asking a child process what flows a file holds. User code may hang, exit or fork there; the engine does not mind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from typing import Any, Final

from flowdeck.store.catalogue import FlowDescription
from flowdeck.store.run_facts import RunError

TIME_LIMIT_SECONDS: Final = 30.0
CHILDREN_AT_ONCE: Final = 2
KEPT_STDERR_BYTES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Description:
    """What a look at a file brought."""

    flows: tuple[FlowDescription, ...] | None
    """None when the file could not be imported."""
    problem: RunError | None
    """Why it could not; or, beside flows, what is to be said of it."""


class Describer:
    """Runs describing children, a few at once."""

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        """Args: time_limit_seconds: how long a file may take to import."""
        self._places = asyncio.Semaphore(CHILDREN_AT_ONCE)
        self._time_limit_seconds = time_limit_seconds

    async def describe(self, folder: str, file: str, interpreter: str) -> Description:
        """Describe one file of a folder."""
        async with self._places:
            path = os.path.join(folder, file)
            process = await asyncio.create_subprocess_exec(
                interpreter, "-P", "-m", "flowdeck.host.describe", path,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                cwd=folder, start_new_session=True,
            )  # fmt: skip
            try:
                async with asyncio.timeout(self._time_limit_seconds):
                    out, noise = await process.communicate()
            except TimeoutError:
                return _problem(path, f"It did not finish importing within {self._time_limit_seconds:g} s.")
            finally:
                _end_group(process.pid)
                await process.wait()
        return _read(path, out, noise, process.returncode)


def _end_group(pid: int) -> None:
    """End the child and what it has started: the group is of our making."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(path: str, out: bytes, noise: bytes, code: int | None) -> Description:
    try:
        document: dict[str, Any] = json.loads(out)
    except ValueError:
        told = noise[-KEPT_STDERR_BYTES:].decode(errors="backslashreplace").strip()
        return _problem(path, f"Importing it ended the process (exit code {code}).", told)
    if document["error"] is not None:
        return Description(None, RunError(**document["error"]))
    flows = tuple(FlowDescription(**flow) for flow in document["flows"])
    notes = " ".join(document["warnings"])
    return Description(flows, RunError("Warning", notes, "", path) if notes else None)


def _problem(path: str, message: str, traceback: str = "") -> Description:
    return Description(None, RunError("ImportError", message, traceback, path))
