"""A spare run host, started before a run needs it: `python -P -m flowdeck.host.spare_host INTERPRETER`.

It has a flow process of that interpreter ready, has opened nothing of any run, and waits without using the processor.
Its engine holds the other ends of its stdin and stdout: `READY` goes out once the flow process is ready, `claim_line`
comes in. An end of stdin, which the death of the engine is too, lets both leave.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Final

from flowdeck.host import process_tree
from flowdeck.host.host_signals import Signals
from flowdeck.host.run_host import host_run
from flowdeck.host.spare_order import READY as FLOW_PROCESS_READY
from flowdeck.host.spawning import Spare, spawn_spare
from flowdeck.rules.exceptions import FlowdeckError, RefusedError

READY: Final = b"\n"

Claim = tuple[int, int]
"""Key and incarnation of a run."""


def claim_line(key: int, incarnation: int) -> bytes:
    """Return what hands a claimed run to a spare; so short that a pipe takes it whole or not at all."""
    return f"{key} {incarnation}\n".encode()


class SpareHost:
    """A host and its flow process, waiting for a run."""

    def __init__(self, spare: Spare, signals: Signals) -> None:
        self._spare = spare
        self._signals = signals
        self._is_ready = False

    def wait(self) -> Claim | None:
        """Return the run that it is given; None when it shall leave.

        Raises:
            RefusedError: its flow process is gone, or is of another flowdeck.
        """
        while True:
            ready = self._poll()
            if 0 in ready:  # first: what was handed over is the engine's last word
                line = os.read(0, 64)
                return _claim_in(line) if line else None
            if self._spare.spawned.control in ready:
                self._note_ready()
            if self._signals.descriptor in ready:
                self._signals.drain()
                if self._signals.take_end():
                    return None
                self._check_flow_process()

    def _poll(self) -> set[int]:
        poll = select.poll()
        for descriptor in (0, self._signals.descriptor):
            poll.register(descriptor, select.POLLIN)
        if not self._is_ready:
            poll.register(self._spare.spawned.control, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll()}

    def _note_ready(self) -> None:
        word = os.read(self._spare.spawned.control, 256)
        if word != FLOW_PROCESS_READY:
            other = f"flowdeck {word.decode(errors='replace').strip()}" if word else "no flowdeck that can wait"
            raise RefusedError(f"No spare of {self._spare.interpreter}: it has {other}.")
        self._is_ready = True
        os.write(1, READY)
        os.dup2(2, 1)  # the engine has heard all that it wants to hear

    def _check_flow_process(self) -> None:
        pid, _ = os.waitpid(self._spare.spawned.pid, os.WNOHANG)
        if pid != 0:
            raise RefusedError(f"The flow process of a spare (pid {pid}) ended while it waited.")


def _claim_in(line: bytes) -> Claim:
    key, incarnation = line.split()
    return int(key), int(incarnation)


def _leave_stdin() -> None:
    """Make stdin what it is for every run host."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def main() -> int:
    """Wait for a run and be its host; return the exit code."""
    signals = Signals()
    process_tree.become_subreaper()
    spare = spawn_spare(sys.argv[1])
    claim = SpareHost(spare, signals).wait()
    if claim is None:
        return 0
    _leave_stdin()
    return host_run(*claim, signals, spare)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowdeckError as problem:
        sys.exit(str(problem))
