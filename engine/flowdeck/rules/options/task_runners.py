"""What an author may ask to run the submitted calls of a flow: plain values that say how many, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from flowdeck.rules.exceptions import DefinitionError


def _check_max_workers(given: Any, owner: str) -> None:
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise DefinitionError(f"max_workers of {owner} must be a whole number of 1 or more, not {given!r}.")


@dataclass(frozen=True, slots=True)
class ThreadPoolTaskRunner:
    """Submitted calls run side by side, on threads and on an event loop of the flow's own process.

    Attributes:
        max_workers: how many run at once, of each kind; None for the setting `task_runner_max_workers`.
    """

    max_workers: int | None = None

    def __post_init__(self) -> None:
        _check_max_workers(self.max_workers, "ThreadPoolTaskRunner")

    def duplicate(self) -> ThreadPoolTaskRunner:
        """Return an equal one."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class ProcessPoolTaskRunner:
    """The function of a submitted call runs in a worker process, which other calls of the same flow run use again.

    States, retries, caching and results stay with the flow's process, so a worker that dies fails one attempt and
    nothing else. Function, arguments and result travel between the processes, by pickle or cloudpickle. What a task
    itself submits runs on threads of its worker.

    Attributes:
        max_workers: how many processes there are at most; None for as many as there are processors.
        initializer: called once in each worker before its first call.
        initargs: its arguments.
    """

    max_workers: int | None = None
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        _check_max_workers(self.max_workers, "ProcessPoolTaskRunner")
        if self.initializer is not None and not callable(self.initializer):
            raise DefinitionError(f"initializer of ProcessPoolTaskRunner must be a function, not {self.initializer!r}.")

    def duplicate(self) -> ProcessPoolTaskRunner:
        """Return an equal one."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class SequentialTaskRunner:
    """A submitted call runs at once, in the thread that submits it; its future is done when `submit` returns."""

    def duplicate(self) -> SequentialTaskRunner:
        """Return an equal one."""
        return replace(self)


TaskRunnerOption = ThreadPoolTaskRunner | ProcessPoolTaskRunner | SequentialTaskRunner

_KNOWN: Final = (ThreadPoolTaskRunner, ProcessPoolTaskRunner, SequentialTaskRunner)
THREADS: Final = ThreadPoolTaskRunner()


def task_runner_option(given: Any, owner: str) -> TaskRunnerOption:
    """Return what an author gave as `task_runner`; threads for None, and an object for one of the classes.

    Raises:
        DefinitionError: it is no task runner.
    """
    if given is None:
        return THREADS
    if isinstance(given, type) and issubclass(given, _KNOWN):
        return given()
    if isinstance(given, _KNOWN):
        return given
    known = ", ".join(f"{kind.__name__}()" for kind in _KNOWN)
    raise DefinitionError(f"task_runner of {owner} must be one of {known}, not {given!r}.")
