"""Starting run hosts, warm or cold, so that they outlive this engine and its terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from flowdeck.store.home import Home
from flowdeck.store.processes import RUN_ID_VARIABLE


def host_environment(home: Home) -> dict[str, str]:
    """Return the environment of a run host, which belongs to no run that may have started this engine."""
    kept = {name: value for name, value in os.environ.items() if name != RUN_ID_VARIABLE}
    return {**kept, "FLOWDECK_HOME": str(home.path)}


def start_host(
    home: Home, environment: Mapping[str, str], module: str, *arguments: str, is_spare: bool = False
) -> subprocess.Popen[bytes]:
    """Start a run host; what it says about itself goes to the engine's log.

    Args:
        home: the home that it serves.
        environment: environment that `host_environment` returned.
        module: name of the module to run.
        arguments: arguments of the module.
        is_spare: its stdin and stdout are pipes to this process.

    Raises:
        OSError: it cannot be started.
    """
    with open(home.engine_log, "ab", opener=_private) as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE if is_spare else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_spare else log,
            stderr=log,
            bufsize=0,
            cwd="/",
            env=environment,
            start_new_session=True,
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
