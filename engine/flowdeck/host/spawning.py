"""Starting a flow process: a session of its own, pipes for its output, and a start that is held until its release."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowdeck.host.spare_order import UNCLAIMED_RUN_ID, Order
from flowdeck.rules.exceptions import RefusedError
from flowdeck.rules.runs.spares import variables_that_forbid
from flowdeck.store.home import Home
from flowdeck.store.processes import RUN_ID_VARIABLE
from flowdeck.store.runs.process_claims import Assignment

GO: Final = b"\n"
"""What a flow process waits for on its stdin; an end of file instead tells it to leave."""
_DEFAULT_SIGNALS: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
)  # fmt: skip
_MODULE: Final = "flowdeck.host.flow_process"
_SPARE_MODULE: Final = "flowdeck.host.spare_process"


@dataclass(frozen=True, slots=True)
class Spawned:
    """A flow process that waits for its release, and our ends of its pipes and socket."""

    pid: int
    control: int
    stdout: int
    stderr: int

    def close(self) -> None:
        """Let go of it: a process that waits leaves then."""
        for descriptor in (self.control, self.stdout, self.stderr):
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Spare:
    """A flow process that was started for no run yet."""

    spawned: Spawned
    interpreter: str
    started_with: Mapping[str, str]

    def suits(self, interpreter: str, environment: Mapping[str, str]) -> bool:
        """Tell whether a run goes in it as it would in a process of its own."""
        return interpreter == self.interpreter and not variables_that_forbid(self.started_with, environment)


def environment_of(assignment: Assignment, home: Home) -> dict[str, str]:
    """Return the environment of the trigger with what tells the flow process its home and its run."""
    kept = os.environ if assignment.environment is None else assignment.environment
    return {**kept, "FLOWDECK_HOME": str(home.path), RUN_ID_VARIABLE: assignment.run_id}


def order_of(assignment: Assignment, environment: Mapping[str, str]) -> Order:
    """Return what a spare must be told to become the flow process of a run.

    Raises:
        RefusedError: the run's working directory cannot be used.
    """
    enter_folder(assignment.working_dir)
    os.chdir("/")
    return Order(assignment.key, assignment.incarnation, assignment.run_id, assignment.working_dir, environment)


def spawn(assignment: Assignment, interpreter: str, environment: Mapping[str, str]) -> Spawned:
    """Start the flow process of a run; it waits for `GO`.

    Raises:
        RefusedError: its working directory or its interpreter cannot be used; the sentence says which and why.
    """
    arguments = (str(assignment.key), str(assignment.incarnation))
    return spawn_in(assignment.working_dir, interpreter, (_MODULE, *arguments), environment)


def spawn_in(folder: str, interpreter: str, module: Sequence[str], environment: Mapping[str, str]) -> Spawned:
    """Start a module of ours, with its arguments, in a folder.

    Raises:
        RefusedError: the folder or the interpreter cannot be used.
    """
    enter_folder(folder)
    try:
        return _spawn(interpreter, module, environment)
    finally:
        os.chdir("/")


def spawn_spare(interpreter: str) -> Spare:
    """Start a flow process that will be told later what to run.

    Raises:
        RefusedError: its interpreter cannot be used.
    """
    environment = {**os.environ, RUN_ID_VARIABLE: UNCLAIMED_RUN_ID}
    return Spare(_spawn(interpreter, (_SPARE_MODULE,), environment), interpreter, environment)


def _spawn(interpreter: str, module: Sequence[str], environment: Mapping[str, str]) -> Spawned:
    """Start a module of ours in the present folder.

    `posix_spawn` rather than `subprocess`: it is quick, runs no code of ours in the child, and saves the host 2 MB.
    """
    control, control_theirs = (end.detach() for end in socket.socketpair())
    stdout, stdout_theirs = os.pipe()
    stderr, stderr_theirs = os.pipe()
    theirs = (control_theirs, stdout_theirs, stderr_theirs)
    try:
        pid = os.posix_spawn(
            interpreter,
            [interpreter, "-P", "-m", *module],
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
    return Spawned(pid, control, stdout, stderr)


def enter_folder(folder: str) -> None:
    """Change into the folder of a run.

    Raises:
        RefusedError: it cannot be entered.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise RefusedError(f"Its working directory {folder} cannot be entered: {error.strerror}.") from None
