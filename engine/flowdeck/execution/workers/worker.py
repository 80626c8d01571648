"""One worker process, from the side of the flow's process: its start, its conversation, its end and why it ended."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from flowdeck.execution.hooks.hooks import is_from_outside
from flowdeck.execution.workers.frames import Line, Part
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.execution.workers.stream_answers import StreamAnswers
from flowdeck.execution.workers.stream_questions import raised_of
from flowdeck.execution.workers.worker_messages import (
    LINE_DESCRIPTOR,
    Answer,
    Ask,
    AttemptOrder,
    Ended,
    Hello,
    Leave,
    Message,
    receive,
    send,
)
from flowdeck.rules.exceptions import WorkerError
from flowdeck.store.oom_kills import OomVerdict, count_oom_kills, judge

LEAVE_PATIENCE_SECONDS: Final = 2.0
"""How long a worker that was told to leave has for its `atexit` functions, before it is killed."""
_DEATH_PATIENCE_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 0.002
_ABOVE_STANDARD: Final = 10
"""Descriptors are moved up here first: none may lie where the worker's own shall be."""
_ROOT: Final = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
_CODE: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from flowdeck.host.worker_process import main; main()"
)  # fmt: skip
_DEFAULT_SIGNALS: Final = (signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
_HELD_BACK: Final = (signal.SIGINT, signal.SIGTERM)
"""Until the worker has handlers for them."""


class Ending(Exception):  # noqa: N818 - not an error of anybody's: the conversation is over
    """The worker is gone, or did not answer in time."""

    def __init__(self, timed_out: bool) -> None:
        super().__init__()
        self.timed_out = timed_out


class WorkerProcess:
    """A worker process. One thread at a time speaks with it; any may kill it."""

    def __init__(self, answers: StreamAnswers, hello: Hello, initializer: Sequence[Part]) -> None:
        """Start it.

        Args:
            answers: the answers to what it asks.
            hello: the first message.
            initializer: the parts of its value.

        Raises:
            WorkerError: it cannot be started.
        """
        self._oom_kills = count_oom_kills()
        """Of before it began: one more at its end tells why it was killed."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.pid = _spawn(theirs.fileno())
        self._line = Line(ours)
        self._answers = answers
        self._lock = threading.Lock()
        self._status: int | None = None
        """As the system tells it, once the process is gone."""
        self._is_gone = False
        self._refused: str | None = None
        """Why a message of it was refused; None when none was."""
        self.is_fit = True
        """As far as this side has seen."""
        with suppress(OSError):  # it is gone already: whoever speaks with it will see
            send(self._line, hello, initializer)

    def converse(
        self, order: AttemptOrder, value: Sequence[Part], seconds_left: Callable[[], float] | None
    ) -> tuple[Ended, list[Part]]:
        """Have an attempt done, and answer what it asks meanwhile.

        Args:
            order: the attempt to make.
            value: the parts of the order's value.
            seconds_left: the function that tells how many seconds there are; None for no limit.

        Raises:
            Ending: it died, or the time is up.
        """
        try:
            self._line.limit(None if seconds_left is None else seconds_left())
            send(self._line, order, value)
            while True:
                message, parts = receive(self._line)
                if isinstance(message, Ended):
                    return message, parts
                self._answer(message, parts)
                if seconds_left is not None:
                    self._line.limit(seconds_left())
        except TimeoutError:
            raise Ending(timed_out=True) from None
        except (EOFError, OSError):
            self.is_fit = False
            raise Ending(timed_out=False) from None
        except MessageError as error:
            self._refused = str(error)
            self.kill()
            raise Ending(timed_out=False) from None

    def is_there(self) -> bool:
        """Tell whether it can be given an attempt."""
        return self.is_fit and self._line.is_open()

    def is_gone(self) -> bool:
        """Tell whether the process has ended; it is reaped then."""
        with self._lock:
            if not self._is_gone:
                self._reap()
            return self._is_gone

    def kill(self) -> None:
        """End it and what it has started, whatever they do."""
        with self._lock:
            self.is_fit = False
            if not self._is_gone:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def send_away(self) -> None:
        """Tell it to leave."""
        with suppress(OSError):
            self._line.limit(LEAVE_PATIENCE_SECONDS)
            send(self._line, Leave())

    def see_off(self) -> None:
        """Wait until it has left, answering what it still asks; it is killed if that takes too long."""
        deadline = time.monotonic() + LEAVE_PATIENCE_SECONDS
        with suppress(EOFError, OSError, MessageError):
            while self.is_fit:
                self._line.limit(max(0.0, deadline - time.monotonic()))
                self._answer(*receive(self._line))
        if not self._wait_for_death(_DEATH_PATIENCE_SECONDS):
            self.kill()
            self._wait_for_death(LEAVE_PATIENCE_SECONDS)
        self._answers.close()
        self._line.close()

    def how_it_ended(self) -> str:
        """Return a sentence about the end of a worker that went by itself."""
        process = f"Its worker process {self.pid}"
        if self._refused is not None:
            return f"{process} was killed, since a message of it was refused: {self._refused}."
        if not self._wait_for_death(_DEATH_PATIENCE_SECONDS):
            self.kill()
            return f"{process} closed its connection to the flow, and was killed."
        status = self._status
        if status is None:
            return f"{process} is gone; how it ended is not known, since something else has waited for it."
        if status >= 0:
            return f"{process} ended with exit code {status} in the middle of it."
        hint = _memory_hint(judge(self._oom_kills, count_oom_kills())) if -status == signal.SIGKILL else ""
        return f"{process} was killed by {signal.Signals(-status).name}{hint}."

    def _answer(self, message: Message, content: Sequence[Part]) -> None:
        if not isinstance(message, Ask):
            raise MessageError(f"{type(message).__name__} is nothing that a worker process says here")
        answer, value, raised = None, [], None
        try:
            answer, value = self._answers.answer(message.first_task_id, message.question, message.arguments, content)
        except MessageError as error:
            raised = raised_of(WorkerError(f"The flow's process refused a question: {error}."))
        except BaseException as error:
            if is_from_outside(error):
                raise
            raised = raised_of(error)
        send(self._line, Answer(message.number, answer, raised), value)

    def _wait_for_death(self, patience_seconds: float) -> bool:
        deadline = time.monotonic() + patience_seconds
        while not self.is_gone():
            if time.monotonic() > deadline:
                return False
            time.sleep(_STEP_SECONDS)
        return True

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # the author waits for all children, or ignores them
            self._is_gone = True
            return
        if pid:
            self._is_gone, self._status = True, os.waitstatus_to_exitcode(status)


def _spawn(connection: int) -> int:
    """Start a worker whose end of the connection is this one, and return its pid."""
    moved = fcntl.fcntl(connection, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, *_interpreter_options(), "-P", "-c", _CODE, _ROOT],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, moved, LINE_DESCRIPTOR),
            ],
            setpgroup=0,
            setsigmask=_HELD_BACK,
            # What is ignored stays ignored in a new program.
            setsigdef=_DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise WorkerError(f"No worker process could be started: {error.strerror}.") from None
    finally:
        os.close(moved)


def _memory_hint(verdict: OomVerdict) -> str:
    """Say whether lack of memory ended a process, where a counter of the system says so."""
    if verdict is OomVerdict.CERTAIN:
        return " of the system's out-of-memory killer"
    if verdict is OomVerdict.LIKELY:
        return "; likely for lack of memory, for which the system ended a process meanwhile"
    return ""


def _interpreter_options() -> list[str]:
    """Return the options of this interpreter that change how code runs."""
    flags = sys.flags
    options = ["-" + "O" * flags.optimize] if flags.optimize else []
    options += ["-E"] * flags.ignore_environment + ["-S"] * flags.no_site + ["-s"] * flags.no_user_site
    options += [f"-W{option}" for option in sys.warnoptions]
    for name, value in sys._xoptions.items():  # pyright: ignore[reportPrivateUsage] - documented, for all its name
        options += ["-X", name if value is True else f"{name}={value}"]
    return options
