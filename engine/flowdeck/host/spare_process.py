"""A spare flow process, started before a run needs it: `python -P -m flowdeck.host.spare_process`.

It has imported the SDK and nothing of a user, says so to its host, and waits; it sleeps in one `read` until then. An
order makes of it what `flow_process` is from the beginning, an end of its stdin lets it leave.
"""

from __future__ import annotations

import ctypes
import os
import site
import sys
import time
from collections.abc import Callable
from typing import Final

from flowdeck.host import flow_process, standard_streams
from flowdeck.host.spare_order import READY, TAKEN, Order
from flowdeck.host.spawning import enter_folder
from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.store.processes import RUN_ID_VARIABLE

_READ_BYTES: Final = 64 * 1024


def main() -> int:
    """Wait for a run and execute it; return the exit code."""
    show_run_id = _initial_environment()
    installed = _installed()
    os.write(0, READY)
    order = _wait_for_order()
    if order is None or _installed() != installed:
        return 1  # what was installed since may change `sys.path`: the host starts a new process
    os.write(0, TAKEN)
    standard_streams.empty_stdin()
    show_run_id(order.run_id)
    _enter(order)
    return flow_process.execute(order.key, order.incarnation)


def _wait_for_order() -> Order | None:
    """Return the order, once it has come whole; None when the host is gone or has no use for us."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(0, _READ_BYTES)
        if not data:
            return None
        line += data
    return Order.decode(line)


def _enter(order: Order) -> None:
    """Take the environment and the folder that a new process would have been given."""
    environment = dict(order.environment)
    coerced = os.environ.get("LC_CTYPE")
    if coerced is not None and "LC_ALL" not in environment:
        environment.setdefault("LC_CTYPE", coerced)  # Python sets it where the locale is "C" (PEP 538)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    enter_folder(order.working_dir)


def _initial_environment() -> Callable[[str], None]:
    """Return what writes a run's id into the environment that the system shows of this process and of its forks.

    By that the processes of a run are found whose host is gone. `os.environ` does not reach it.
    """
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    address: int = getenv(RUN_ID_VARIABLE.encode())
    length = len(os.environ[RUN_ID_VARIABLE])

    def show(run_id: str) -> None:
        ctypes.memmove(address, run_id.encode().ljust(length)[:length], length)

    return show


def _installed() -> list[int]:
    """Return when something was last installed into each folder for packages, and so may have changed `sys.path`."""
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [os.stat(folder).st_mtime_ns if os.path.isdir(folder) else 0 for folder in folders]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowdeckError as problem:
        sys.exit(str(problem))  # to stderr, and so into the run's log
