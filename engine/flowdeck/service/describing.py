"""Asking a child process what flows a file holds. User code may hang, exit or fork there; the engine does not mind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, Any, Final
from uuid import uuid4

from flowdeck.host import process_tree
from flowdeck.store.catalogue import FlowDescription
from flowdeck.store.processes import RUN_ID_VARIABLE
from flowdeck.store.run_values import RunError

TIME_LIMIT_SECONDS: Final = 30.0
CHILDREN_AT_ONCE: Final = 2
KEPT_NOISE_BYTES: Final = 4_000
"""What is kept of the end of a child's stderr."""
MAXIMUM_DOCUMENT_BYTES: Final = 32 << 20
_READ_BYTES: Final = 65_536
_LOOK_SECONDS: Final = 0.05
"""How often it is seen that a child was given up, or has ended while others hold its pipes open."""
_LAST_LOOK_SECONDS: Final = 0.005
"""The same once its pipes are closed: it is about to end."""


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
        """Describe one file of a folder; a cancelled look takes its child with it."""
        async with self._places:
            child = _Child(folder, file, interpreter, self._time_limit_seconds)
            looking = asyncio.create_task(asyncio.to_thread(child.look))
            try:
                return await asyncio.shield(looking)
            except asyncio.CancelledError:
                child.given_up.set()
                with contextlib.suppress(Exception):
                    await looking
                raise


class _Child:
    """One describing process. Followed by a thread that blocks: asyncio waits for pipes that others may hold open."""

    def __init__(self, folder: str, file: str, interpreter: str, time_limit_seconds: float) -> None:
        self.given_up = threading.Event()
        self._folder = folder
        self._file = file
        self._path = os.path.join(folder, file)
        self._interpreter = interpreter
        self._limit = time_limit_seconds
        self._document = bytearray()
        self._noise = bytearray()

    def look(self) -> Description:
        """Run the child to its end, or to its time limit, and return what it said."""
        limit = (str(self._limit), str(time.monotonic()))
        command = [self._interpreter, "-P", "-m", "flowdeck.host.describe", self._path, *limit]
        mark = f"describe-{uuid4()}"  # by which processes are found that the import moved out of the child's group
        environment = {**os.environ, RUN_ID_VARIABLE: mark}
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self._folder,
                env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return self._problem("OSError", f"{self._interpreter} cannot be started: {error.strerror or error}.")
        with process:
            try:
                ended = self._follow(process)
            finally:
                _end_group(process.pid)
                process_tree.kill_all(lambda: process_tree.members(None, mark, ()), _nothing)
        if self.given_up.is_set() or not ended:
            return self._too_late()
        return self._said(process.returncode)

    def _follow(self, process: subprocess.Popen[bytes]) -> bool:
        """Read what the child writes until it ends; False when it did not within its time, or was given up."""
        deadline = time.monotonic() + self._limit
        with selectors.DefaultSelector() as selector:
            for pipe, kept in ((process.stdout, self._document), (process.stderr, self._noise)):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, selectors.EVENT_READ, kept)
            while time.monotonic() < deadline and not self.given_up.is_set():
                for key, _ in selector.select(_LOOK_SECONDS if selector.get_map() else _LAST_LOOK_SECONDS):
                    if self._read(key.fileobj, key.data) == 0:
                        selector.unregister(key.fileobj)
                if _has_ended(process):
                    # What it wrote last is in the pipes; they stay open as long as a process of its own holds them.
                    for key in list(selector.get_map().values()):
                        while self._read(key.fileobj, key.data):
                            pass
                    return True
        return False

    def _read(self, pipe: Any, kept: bytearray) -> int | None:
        """Take what is in a pipe and return how much that was: 0 when nobody can write any more, None for nothing."""
        reader: IO[bytes] = pipe
        try:
            chunk = os.read(reader.fileno(), _READ_BYTES)
        except BlockingIOError:
            return None
        if kept is self._noise:
            kept += chunk
            del kept[:-KEPT_NOISE_BYTES]
        elif len(kept) <= MAXIMUM_DOCUMENT_BYTES:
            kept += chunk
        return len(chunk)

    def _said(self, code: int | None) -> Description:
        try:
            document: dict[str, Any] = json.loads(self._document)
        except ValueError:
            return self._problem("ImportError", f"Importing it ended the process ({_end_of(code)}).", self._heard())
        if document["error"] is not None:
            return Description(None, RunError(**document["error"]))
        flows = tuple(FlowDescription(**flow) for flow in document["flows"])
        notes = " ".join(document["warnings"])
        return Description(flows, RunError("Warning", notes, "", self._path) if notes else None)

    def _too_late(self) -> Description:
        place = re.search(rf'File "{re.escape(os.path.realpath(self._path))}", line (\d+)', self._heard())
        line = int(place[1]) if place else None
        where = f"; it was in line {line}" if line else ""
        message = f"{self._file} did not finish importing within {self._limit:g} s{where}."
        return Description(None, RunError("TimeoutError", message, "", self._path, line))

    def _problem(self, kind: str, message: str, traceback: str = "") -> Description:
        return Description(None, RunError(kind, message, traceback, self._path))

    def _heard(self) -> str:
        return self._noise.decode(errors="backslashreplace").strip()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has ended; where that can be asked, without taking it away: its pid stays its group's."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(pid: int) -> None:
    """End the child and what it has started: the group is of our making."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _nothing() -> None:
    """What the child has started is no child of the engine."""


def _end_of(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
