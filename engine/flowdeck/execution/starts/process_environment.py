"""What a process lends to the flow run in it: the run's id in its environment and, to a script's, its resource use.

By the id the processes that a run has started are found for a cancel although their parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Callable, Generator
from typing import Final

from flowdeck.rules.runs.resource_use import ResourceUse, resource_use_of
from flowdeck.store.processes import RUN_ID_VARIABLE


class Environment:
    """The environment of this process, which carries the id of one root run at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run_id: str | None = None

    @contextlib.contextmanager
    def carrying(self, run_id: str) -> Generator[None]:
        """For the time of a root run: what is started carries the run's id.

        Of several runs at a time (in threads, or coroutines) the first one has the environment; what the others start
        is found by descent alone.
        """
        former = os.environ.get(RUN_ID_VARIABLE)
        if not self._take(run_id):
            yield
            return
        try:
            os.environ[RUN_ID_VARIABLE] = run_id
            yield
        finally:
            self._give_back(run_id, former)

    def _take(self, run_id: str) -> bool:
        with self._lock:
            if self._run_id is not None:
                return False
            self._run_id = run_id
        return True

    def _give_back(self, run_id: str, former: str | None) -> None:
        if os.environ.get(RUN_ID_VARIABLE) == run_id:  # else the author has changed it
            if former is None:
                del os.environ[RUN_ID_VARIABLE]
            else:
                os.environ[RUN_ID_VARIABLE] = former
        with self._lock:
            self._run_id = None


ENVIRONMENT: Final = Environment()


def use_from_now() -> Callable[[], ResourceUse]:
    """Return what tells how much this process, and those that it waited for, used since this call."""
    before = _use()
    return lambda: _use().since(before)


def _use() -> ResourceUse:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return resource_use_of(own).plus(resource_use_of(children))
