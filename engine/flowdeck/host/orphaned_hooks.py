"""Running the hooks of a run whose process is gone: in a short-lived process, whose output goes to the run's log."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Final

from flowdeck.host.crash_recording import count_levels_again, describe_exit
from flowdeck.host.output import OutputStream
from flowdeck.host.spawning import Spawned, spawn_in
from flowdeck.rules import log_levels
from flowdeck.rules.clock import SYSTEM_CLOCK
from flowdeck.rules.exceptions import RefusedError
from flowdeck.store.database.database import Database
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.processes import RUN_ID_VARIABLE
from flowdeck.store.runs import orphaned_hooks
from flowdeck.store.runs.orphaned_hooks import OrphanedHooks

PATIENCE_SECONDS: Final = 60.0
"""How long the hooks of one run may take."""
_LOOK_SECONDS: Final = 0.05
_MODULE: Final = "flowdeck.host.hook_process"


def run_hooks(database: Database, key: int, environment: Mapping[str, str] | None = None) -> None:
    """Run the hooks that are due for a run, and for its subflow runs, since their process did not live to do it.

    Args:
        database: the database of the home.
        key: the integer key of the run.
        environment: the environment of the run; None for this process's own.

    Raises:
        StoreError: the store cannot be used.
    """
    if not orphaned_hooks.any_due(database.reader(), key):
        return
    for one in database.write(lambda connection: orphaned_hooks.take(connection, key)):
        log = LogWriter(database.home.log_file(one.run_id), max_bytes=database.settings.log_max_bytes)
        try:
            _run(database, one, environment, log)
        finally:
            log.close()
        count_levels_again(database, one.key, one.run_id)


def _run(database: Database, one: OrphanedHooks, environment: Mapping[str, str] | None, log: LogWriter) -> None:
    inherited = os.environ if environment is None else environment
    # Without the run's id: whoever ends what is left of the run would end its hooks too.
    kept = {name: value for name, value in inherited.items() if name != RUN_ID_VARIABLE}
    kept["FLOWDECK_HOME"] = str(database.home.path)
    try:
        spawned = spawn_in(one.working_dir, one.interpreter or sys.executable, (_MODULE, str(one.key), one.kind), kept)
    except RefusedError as error:
        _say(log, f"Its hooks (on_{one.kind}) could not be run. {error}")
        return
    os.close(spawned.control)
    code = _follow(spawned, log)
    if code is None:
        _say(log, f"Its hooks (on_{one.kind}) were ended: they took longer than {PATIENCE_SECONDS:g} s.")
    elif code:
        _say(log, f"Its hooks (on_{one.kind}) did not come to their end. {describe_exit(code)}")


def _follow(spawned: Spawned, log: LogWriter) -> int | None:
    """Bring what a process writes to the log until it ends; return its exit code, None when it had to be ended."""
    streams = {
        descriptor: OutputStream(descriptor, source, log)
        for descriptor, source in ((spawned.stdout, "stdout"), (spawned.stderr, "stderr"))
    }
    deadline = time.monotonic() + PATIENCE_SECONDS
    code: int | None = None
    while code is None and time.monotonic() < deadline:
        _read(streams)
        code = _exit_code(spawned.pid, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(spawned.pid, signal.SIGKILL)  # its session: what its hooks have left behind, too
    if code is None:
        _exit_code(spawned.pid, 0)
    _read(streams)
    for stream in streams.values():
        stream.flush()
        stream.close()
    return code


def _exit_code(pid: int, options: int) -> int | None:
    found, status = os.waitpid(pid, options)
    return os.waitstatus_to_exitcode(status) if found else None


def _read(streams: dict[int, OutputStream]) -> None:
    """Read what there is, and wait a moment for it."""
    poll = select.poll()
    for descriptor in streams:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(_LOOK_SECONDS * 1000):
        if not streams[descriptor].read():
            streams.pop(descriptor).close()
    for stream in streams.values():
        stream.flush_due()
    if not streams:
        time.sleep(_LOOK_SECONDS)


def _say(log: LogWriter, text: str) -> None:
    log.append(SYSTEM_CLOCK.now_microseconds(), log_levels.ERROR, "engine", None, None, text)
