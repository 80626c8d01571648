"""A worker's end of its connection: a thread reads it, so that the death of the flow's process is noticed at once."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowdeck.execution.workers import plain_data, stream_questions, worker_messages
from flowdeck.execution.workers.frames import Line, Part
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.execution.workers.worker_messages import Answer, Ask, Ended, Message
from flowdeck.rules.exceptions import MissingContextError

if TYPE_CHECKING:
    from flowdeck.host.worker_values import WorkerValues


class _Question:
    """A question whose answer is awaited."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.answer: tuple[Answer, Sequence[Part]] | None = None


class WorkerLine:
    """Asks the flow's process, and hands its orders on."""

    values: WorkerValues
    """Makes values of what comes; known once the flow's process has said hello."""

    def __init__(self, line: Line, descriptor: int, on_order: Callable[[tuple[Message, list[Part]]], None]) -> None:
        """Make the worker's end.

        Args:
            line: the connection.
            descriptor: the descriptor of the connection.
            on_order: the function that gets every message which is no answer.
        """
        self._line = line
        self._on_order = on_order
        self._pid = os.getpid()
        self._main_thread = threading.get_ident()
        self._numbers = itertools.count()
        self._open: dict[int, _Question] = {}
        self._is_main_sending = False
        self._deferred: BaseException | None = None
        os.set_inheritable(descriptor, False)
        # A child that an author forks must not hold the connection open when this process dies.
        os.register_at_fork(after_in_child=lambda: _cut(descriptor))

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="flowdeck-worker-line", daemon=True).start()

    def send(self, message: Message, value: Sequence[Part] = ()) -> None:
        """Send a message, whole, also when an exception is brought into this thread meanwhile."""
        if threading.get_ident() != self._main_thread:
            worker_messages.send(self._line, message, value)
            return
        self._is_main_sending = True
        try:
            worker_messages.send(self._line, message, value)
        finally:
            self._is_main_sending = False
            if self._deferred is not None:
                error, self._deferred = self._deferred, None
                raise error

    def interrupt(self, error: BaseException) -> None:
        """Raise an exception from a signal handler: now, or once the frame that is being sent is whole."""
        if self._is_main_sending:
            self._deferred = error
        else:
            raise error

    def ask(self, first_task_id: int, question: str, *arguments: Any) -> Any:
        """See `stream_questions.Asker`."""
        if os.getpid() != self._pid:
            return self._without_connection(question, arguments)
        plain, content = stream_questions.encode_arguments(question, arguments)
        asked = Ask(next(self._numbers), first_task_id, question, plain)
        waiting = self._open[asked.number] = _Question()
        try:
            self.send(asked, content)
            waiting.answered.wait()
        finally:
            self._open.pop(asked.number, None)
        assert waiting.answer is not None
        answer, value = waiting.answer
        if answer.raised is not None:
            raise stream_questions.exception_of(answer.raised)
        kinds = stream_questions.QUESTIONS[question]
        if kinds.gives == "value":
            return self.values.loads(value)
        if kinds.gives == "content":
            return bytes(value[0])
        return plain_data.decode(kinds.answer, answer.answer, f"the answer to '{question}'")

    def _without_connection(self, question: str, arguments: tuple[Any, ...]) -> None:
        """In a child that an author forked: what it logs goes to stderr, and its calls are refused."""
        if question != "log":
            raise MissingContextError(
                "A task was called in a process that was forked from a worker process, where calls cannot be recorded. "
                "Call its plain function there: name.fn(...)."
            )
        sys.stderr.write(f"{arguments[-1]}\n")

    def _read(self) -> None:
        try:
            while True:
                message, value = worker_messages.receive(self._line)
                if not isinstance(message, Answer):
                    self._on_order((message, value))
                elif (waiting := self._open.get(message.number)) is not None:
                    waiting.answer = (message, value)
                    waiting.answered.set()
        except MessageError as error:
            with suppress(OSError):
                refusal = f"Its process refused a message of the flow's process: {error}."
                worker_messages.send(self._line, Ended(None, refusal, []))
        finally:
            os.killpg(0, signal.SIGKILL)


def _cut(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)
