"""Starting a flow process: a session of its own, pipes for what it writes, and a start that waits for our word."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flowdeck.host.process_tree import RUN_ID_VARIABLE
from flowdeck.rules.exceptions import RefusedError
from flowdeck.store.home import Home
from flowdeck.store.supervision import Assignment

GO: Final = b"\n"
"""What a flow process waits for on its stdin; an end of file instead tells it to leave."""
_DEFAULT_SIGNALS: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
)  # fmt: skip
_MODULE: Final = "flowdeck.host.flow_process"


@dataclass(frozen=True, slots=True)
class Spawned:
    """A flow process that waits for `GO`, and our ends of its pipes."""

    pid: int
    control: int
    stdout: int
    stderr: int


def environment_of(assignment: Assignment, home: Home) -> dict[str, str]:
    """Return the environment of the trigger with what tells the flow process its home and its run."""
    kept = os.environ if assignment.environment is None else assignment.environment
    return {**kept, "FLOWDECK_HOME": str(home.path), RUN_ID_VARIABLE: assignment.run_id}


def spawn(assignment: Assignment, interpreter: str, environment: Mapping[str, str]) -> Spawned:
    """Start the flow process of a run.

    `posix_spawn` rather than `subprocess`: it is quick, runs no code of ours in the child, and saves the host 2 MB.

    Raises:
        RefusedError: its working directory or its interpreter cannot be used; the sentence says which and why.
    """
    _enter(assignment.working_dir)
    control_read, control = os.pipe()
    stdout, stdout_write = os.pipe()
    stderr, stderr_write = os.pipe()
    arguments = [interpreter, "-P", "-m", _MODULE, str(assignment.key), str(assignment.incarnation)]
    theirs = (control_read, stdout_write, stderr_write)
    try:
        pid = os.posix_spawn(
            interpreter,
            arguments,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(theirs)],
            setsid=True,
            setsigmask=(),
            # What is ignored stays ignored in a new program, and a shell, Python and the host each ignore some.
            setsigdef=_DEFAULT_SIGNALS,
        )
    except OSError as error:
        for descriptor in (control, stdout, stderr):
            os.close(descriptor)
        raise RefusedError(f"Its interpreter {interpreter} could not be started: {error.strerror}.") from None
    finally:
        for descriptor in theirs:
            os.close(descriptor)
        os.chdir("/")
    return Spawned(pid, control, stdout, stderr)


def _enter(folder: str) -> None:
    """Change into the run's folder, which the child inherits."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise RefusedError(f"Its working directory {folder} cannot be entered: {error.strerror}.") from None
