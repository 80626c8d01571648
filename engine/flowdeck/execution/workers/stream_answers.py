"""The flow's end of the stream: answers facts and questions that the process of an attempt sends.

Our side owns all truth: each is done here, in the order in which it came, by the run's own recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdeck.execution.workers import plain_data, stream_questions, transfer
from flowdeck.execution.workers.frames import Part
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.execution.workers.stream_questions import RunAddress

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext
    from flowdeck.execution.recording.recorder import Recorder
    from flowdeck.store.results.key_locks import KeyLock
    from flowdeck.store.runs.flow_runs import NewFlowRun


class StreamAnswers:
    """Answers the process of one attempt after another, on behalf of their run."""

    def __init__(self, run: FlowRunContext) -> None:
        """Args: run: the flow run that the attempts belong to."""
        self._run = run
        self._locks: dict[str, KeyLock] = {}
        self._answers: dict[int, Mapping[str, Callable[..., Any]]] = {}
        """By the `first_task_id` of the attempts' own run, and of the subflows that they have made."""
        self._known(run.recorder)

    def answer(
        self, first_task_id: int, question: str, arguments: Sequence[Any], content: Sequence[Part]
    ) -> tuple[Any, list[Part]]:
        """Do what is asked, and return the answer as plain data, with the bytes that go beside it.

        Args:
            first_task_id: the run that is meant: the attempts' own, or a subflow of it.
            question: the name of the question, see `stream_questions`.
            arguments: the arguments of the question, as plain data.
            content: the bytes that came beside them.

        Raises:
            MessageError: there is no such question or no such run, or the arguments are none of that question's.
            Exception: whatever the answer is.
        """
        given = stream_questions.decode_arguments(question, arguments, content)
        answers = self._answers.get(first_task_id)
        if answers is None:
            raise MessageError("it asks about a flow run that is not its own")
        answer = answers[question](*given)
        kinds = stream_questions.QUESTIONS[question]
        if kinds.gives == "content":
            return None, [answer]
        if kinds.gives == "value":
            return None, transfer.dumps(answer)
        return plain_data.encode(kinds.answer, answer), []

    def close(self) -> None:
        """Give back what the other side holds: it is gone."""
        while self._locks:
            self._locks.popitem()[1].release()

    def _answers_of(self, recorder: Recorder) -> Mapping[str, Callable[..., Any]]:
        """Return what is done for each question about a run."""
        run, results = self._run, recorder.results
        return {
            "record": recorder.record,
            "try_record": recorder.try_record,
            "note": recorder.note,
            "log": recorder.log,
            "last_call_number": recorder.last_call_number,
            "may_go_on": recorder.may_go_on,
            "refusal": recorder.refusal,
            "start_subflow": partial(self._start_subflow, recorder),
            "resume_subflow": partial(self._resume_subflow, recorder),
            "number_call": self._number_call,
            "number_group": run.number_group,
            "occurrence": run.occurrence,
            "give_back": run.give_back,
            "parameters": self._parameters,
            "replay.take": run.replay.take,
            "replay.take_subflow": run.replay.take_subflow,
            "results.calls": results.calls,
            "results.subflows": results.subflows,
            "results.of_call": results.of_call,
            "results.names": results.names,
            "results.cached": results.cached,
            "results.size_of": results.size_of,
            "results.keep": results.keep,
            "results.read": partial(results.read, None),
            "lock.try_acquire": partial(self._take_lock, recorder),
            "lock.release": self._release_lock,
        }

    def _number_call(self, task_name: str) -> tuple[int, int, bool]:
        """Allocate the id and the index of a call; tell also whether the run is closing."""
        return (*self._run.number_call(task_name), self._run.closing)

    def _parameters(self) -> dict[str, Any]:
        return {name: value for name, value in self._run.parameters.items() if _can_travel(value)}

    def _start_subflow(self, recorder: Recorder, new: NewFlowRun, patient: bool) -> RunAddress | None:
        child = recorder.start_subflow(new, patient=patient)
        return None if child is None else self._known(child)

    def _resume_subflow(
        self, recorder: Recorder, key: int, new: NewFlowRun, patient: bool
    ) -> tuple[RunAddress, int] | None:
        resumed = recorder.resume_subflow(key, new, patient=patient)
        return None if resumed is None else (self._known(resumed[0]), resumed[1])

    def _known(self, recorder: Recorder) -> RunAddress:
        self._answers[recorder.first_task_id] = self._answers_of(recorder)
        return RunAddress(recorder.run_id, recorder.first_task_id, recorder.incarnation)

    def _take_lock(self, recorder: Recorder, cache_key: str) -> bool:
        lock = recorder.results.lock(cache_key)
        if not lock.try_acquire():
            return False
        self._locks[cache_key] = lock
        return True

    def _release_lock(self, cache_key: str) -> None:
        lock = self._locks.pop(cache_key, None)
        if lock is not None:
            lock.release()


def _can_travel(value: Any) -> bool:
    with suppress(Exception):
        transfer.dumps(value)
        return True
    return False
