"""The other end of a `stream_recorder`: facts and questions about a run from the process of one of its attempts.

Our side owns all truth: each is done here, in the order in which it came, by the run's own recorder.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from flowdeck.execution.workers import transfer
from flowdeck.execution.workers.stream_recorder import RunAddress

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext
    from flowdeck.execution.recording.recorder import Recorder
    from flowdeck.store.results.key_locks import KeyLock

_OF_RECORDER: Final = frozenset({"record", "try_record", "note", "log", "last_call_number", "may_go_on", "refusal"})
_OF_RESULTS: Final = frozenset({"calls", "subflows", "of_call", "names", "cached", "size_of", "keep", "read"})


class StreamAnswers:
    """Answers the process of one attempt after another, on behalf of their run."""

    def __init__(self, run: FlowRunContext) -> None:
        """Args: run: that the attempts belong to."""
        self._run = run
        self._recorders: dict[int, Recorder] = {run.recorder.first_task_id: run.recorder}
        self._locks: dict[str, KeyLock] = {}

    def answer(self, first_task_id: int, question: str, arguments: tuple[Any, ...]) -> Any:
        """Do what is asked, and return the answer.

        Args:
            first_task_id: says which run is meant: the attempts' own, or a subflow of it.
            question: see `stream_recorder`.
            arguments: of the question.

        Raises:
            LookupError: there is no such question, or no such run.
            Exception: whatever the answer is.
        """
        recorder = self._recorders[first_task_id]
        of, _, name = question.rpartition(".")
        if not of and name in _OF_RECORDER:
            return getattr(recorder, name)(*arguments)
        if of == "results" and name in _OF_RESULTS:
            return getattr(recorder.results, name)(*arguments)
        if of == "lock":
            return self._lock(recorder, name, *arguments)
        if of == "replay" and name in {"take", "take_subflow"}:
            return getattr(self._run.replay, name)(*arguments)
        if name in {"number_group", "occurrence", "give_back"}:
            return getattr(self._run, name)(*arguments)
        return self._special(recorder, name, arguments)

    def close(self) -> None:
        """Give back what the other side holds: it is gone."""
        while self._locks:
            self._locks.popitem()[1].release()

    def _special(self, recorder: Recorder, question: str, arguments: tuple[Any, ...]) -> Any:
        if question == "number_call":
            return (*self._run.number_call(*arguments), self._run.closing)
        if question == "parameters":
            return {name: value for name, value in self._run.parameters.items() if _can_travel(value)}
        if question == "start_subflow":
            new, patient = arguments
            return self._known(recorder.start_subflow(new, patient=patient))
        if question == "resume_subflow":
            key, new, patient = arguments
            resumed = recorder.resume_subflow(key, new, patient=patient)
            return None if resumed is None else (self._known(resumed[0]), resumed[1])
        raise LookupError(question)

    def _known(self, child: Recorder | None) -> RunAddress | None:
        if child is None:
            return None
        self._recorders[child.first_task_id] = child
        return RunAddress(child.run_id, child.first_task_id, child.incarnation)

    def _lock(self, recorder: Recorder, name: str, cache_key: str) -> bool | None:
        if name == "release":
            lock = self._locks.pop(cache_key, None)
            return None if lock is None else lock.release()
        lock = recorder.results.lock(cache_key)
        if not lock.try_acquire():
            return False
        self._locks[cache_key] = lock
        return True


def _can_travel(value: Any) -> bool:
    with suppress(Exception):
        transfer.dumps(value)
        return True
    return False
