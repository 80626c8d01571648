"""Is that process still the one we knew? A pid alone does not say: it may have been given to another."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

RUN_ID_VARIABLE: Final = "FLOWDECK_RUN_ID"
"""Environment variable by which the processes of a run are found, wherever they went."""


@cache
def _machine() -> str:
    """Return boot id and pid namespace: a pid means something only within both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # hidden by a sandbox; the time of start still tells processes apart
        boot = ""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{boot}/{namespace}"


def token(pid: int) -> str | None:
    """Return what tells this process from every other that ever had its pid; None when it is gone.

    A zombie counts as gone: it runs no more code.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if os.path.exists("/proc/self/stat") else _portable_token(pid)
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in {"Z", "X"} else f"{_machine()}/{started}"


def is_stopped(pid: int) -> bool:
    """Tell whether a process is held by a signal (SIGSTOP, SIGTSTP) or a debugger, and so runs no code."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return not os.path.exists("/proc/self/stat") and _portable_is_stopped(pid)
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in {"T", "t"}


def _portable_is_stopped(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - macOS only: importing it costs 20 ms

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def _portable_token(pid: int) -> str | None:
    import psutil  # noqa: PLC0415 - macOS only: importing it costs 20 ms

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{psutil.boot_time():.0f}/{process.create_time():.3f}"
    except psutil.Error:
        return None


def is_alive(pid: int | None, known_token: str | None) -> bool:
    """Tell whether the process that was recorded as `pid` with `known_token` still runs."""
    return pid is not None and known_token is not None and token(pid) == known_token


def is_of_another_boot(known_token: str | None) -> bool:
    """Tell whether a process was recorded before the machine was started the last time; False where nothing says so."""
    boot = _machine().partition("/")[0]
    recorded = (known_token or "").partition("/")[0]
    return bool(boot and recorded) and recorded != boot
