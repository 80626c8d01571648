"""The processes that belong to a run: found by descent and by the run id in their environment, signalled exactly.

A process is named by pid and token (see `store.processes`), and on Linux signalled through a pidfd, so that a pid that
was given to somebody else meanwhile is never hit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from flowdeck.store import processes
from flowdeck.store.processes import RUN_ID_VARIABLE

KILL_PATIENCE_SECONDS: Final = 5.0
"""How long a killed process may take to be gone: the kernel has to get it out of what it is doing."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_STEP_SECONDS: Final = 0.01


class Member(NamedTuple):
    """One process."""

    pid: int
    token: str


def become_subreaper() -> bool:
    """Make orphans among this process's descendants its own children; False where the system has no such thing."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - only here, and only on Linux

    with contextlib.suppress(OSError, AttributeError):
        return ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    return False


def members(root: int | None, run_id: str, protected: Collection[int]) -> list[Member]:
    """Return the processes of a run, without those of `protected` and what these have started.

    Args:
        root: the process whose descendants belong to the run, but not it itself; None when
            there is no such process any more.
        run_id: processes that carry it in their environment belong to the run, wherever they are.
        protected: engine and run hosts: a flow may have started an engine, which then serves others.
    """
    spared = {os.getpid(), *protected}
    pids = _carriers(run_id) - spared
    if root is not None:
        pids = (pids | _below(_children(), root, spared)) - {root}
    return [Member(pid, token) for pid in sorted(pids) if (token := processes.token(pid)) is not None]


def send(member: Member, number: int) -> bool:
    """Signal exactly that process; False when it is gone, or is not ours to signal."""
    if processes.token(member.pid) != member.token:
        return False
    try:
        if sys.platform != "linux":
            os.kill(member.pid, number)
            return True
        descriptor = os.pidfd_open(member.pid)
        try:
            # Looked at again: from here on the descriptor holds whatever process had the pid.
            if processes.token(member.pid) != member.token:
                return False
            signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_all(find: Callable[[], list[Member]], reap: Callable[[], None]) -> tuple[int, list[Member]]:
    """Kill until nothing is left, also of what is started meanwhile.

    Args:
        find: returns who is left.
        reap: takes away those that were children of the caller.

    Returns:
        How many were killed, and who would not go within `KILL_PATIENCE_SECONDS`.
    """
    killed: set[Member] = set()
    deadline = time.monotonic() + KILL_PATIENCE_SECONDS
    empty_looks = 0
    # Twice nobody: a process that is just replacing its program shows no environment for an instant.
    while empty_looks < 2:
        left = find()
        if left and time.monotonic() > deadline:
            return len(killed), left
        empty_looks = 0 if left else empty_looks + 1
        killed.update(member for member in left if send(member, signal.SIGKILL))
        reap()
        time.sleep(_STEP_SECONDS)
    return len(killed), []


def names(who: Collection[Member]) -> str:
    """Write processes for a sentence: `pid 4711 (ffmpeg), pid 4712 (sh)`; of many only the first."""
    shown = [f"pid {member.pid} ({_command(member.pid)})" for member in list(who)[:5]]
    more = len(who) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _below(children: dict[int, list[int]], root: int, spared: Collection[int]) -> set[int]:
    found: set[int] = set()
    level = [root]
    while level:
        nearest = {child for pid in level for child in children.get(pid, ())}
        level = list(nearest - found - set(spared))
        found.update(level)
    return found


def _children() -> dict[int, list[int]]:
    """Return every process by its parent."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for pid, parent in _parents():
        children[parent].append(pid)
    return children


def _parents() -> Iterator[tuple[int, int]]:
    if sys.platform != "linux":
        import psutil  # noqa: PLC0415 - macOS only: importing it costs 20 ms

        yield from ((process.pid, process.info["ppid"]) for process in psutil.process_iter(["ppid"]))
        return
    for pid in _pids():
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            yield pid, int(text.rpartition(")")[2].split()[1])


def _carriers(run_id: str) -> set[int]:
    """Return the processes that were started with the run's id in their environment."""
    if sys.platform != "linux":
        import psutil  # noqa: PLC0415 - macOS only: importing it costs 20 ms

        carrying: set[int] = set()
        for process in psutil.process_iter(["pid"]):
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(RUN_ID_VARIABLE) == run_id:
                    carrying.add(process.pid)
        return carrying
    wanted = f"{RUN_ID_VARIABLE}={run_id}".encode()
    return {pid for pid in _pids() if wanted in _environment(pid).split(b"\0")}


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # gone, or another user's


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "gone"
