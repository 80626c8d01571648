"""What the process of an attempt may ask the side that owns its run: each question by name, with its values' kinds.

`stream_recorder` asks, `stream_answers` answers; this is the language that both speak. What is recorded of results
crosses as opaque bytes beside the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, cast

from flowdeck.execution.recording.facts import Fact
from flowdeck.execution.workers import plain_data
from flowdeck.execution.workers.frames import Part
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.rules.exceptions import (
    CancelledRun,
    MissingContextError,
    RefusedError,
    StoreError,
    UsageError,
    WorkerError,
)
from flowdeck.store.database.database import Busy
from flowdeck.store.results.cached_results import CachedResult
from flowdeck.store.results.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.results.result_files import ResultLostError, StoredResult
from flowdeck.store.runs.flow_runs import NewFlowRun

Asker = Callable[..., Any]
"""`(the run's first_task_id, question, *arguments)`: waits for the answer and returns it, or raises what it is."""


class RunAddress(NamedTuple):
    """Which run a recorder is of: what the other side tells of a subflow that it has made."""

    run_id: str
    first_task_id: int
    incarnation: int


class Question(NamedTuple):
    """The kinds of a question's values. Bytes that lie beside the message are its first argument, or its answer."""

    arguments: tuple[Any, ...]
    answer: Any
    takes_content: bool = False
    gives: Literal["", "content", "value"] = ""
    """What lies beside the answer: nothing, bytes of a result, or a value of the author's."""


_ONE_FACT: Final = (Fact,)
_NOTHING: Final = type(None)

QUESTIONS: Final[Mapping[str, Question]] = {
    "record": Question(_ONE_FACT, bool),
    "try_record": Question(_ONE_FACT, bool),
    "note": Question(_ONE_FACT, _NOTHING),
    "log": Question((int, int, str, int | None, str | None, str), _NOTHING),
    "last_call_number": Question((), int),
    "may_go_on": Question((), bool),
    "refusal": Question((), str),
    "start_subflow": Question((NewFlowRun, bool), RunAddress | None),
    "resume_subflow": Question((int, NewFlowRun, bool), tuple[RunAddress, int] | None),
    "number_call": Question((str,), tuple[int, int, bool]),
    "number_group": Question((), int),
    "occurrence": Question((int | None, str, bytes), int),
    "give_back": Question((tuple[int | None, str, bytes, int],), _NOTHING),
    "parameters": Question((), _NOTHING, gives="value"),
    "replay.take": Question((bytes,), RecordedCall | None),
    "replay.take_subflow": Question((bytes,), RecordedSubflow | None),
    "results.calls": Question((), dict[bytes, RecordedCall]),
    "results.subflows": Question((), dict[bytes, RecordedSubflow]),
    "results.of_call": Question((int,), RecordedResult | None),
    "results.names": Question((list[int],), list[str]),
    "results.cached": Question((str,), CachedResult | None),
    "results.size_of": Question((str | None,), int),
    "results.keep": Question((str | None,), StoredResult, takes_content=True),
    "results.read": Question((str | None,), _NOTHING, gives="content"),
    "lock.try_acquire": Question((str,), bool),
    "lock.release": Question((str,), _NOTHING),
}


def question_of(name: str) -> Question:
    """Return a question by its name.

    Raises:
        MessageError: there is none of that name.
    """
    question = QUESTIONS.get(name)
    if question is None:
        raise MessageError("it asks a question that is not known")
    return question


def encode_arguments(name: str, arguments: Sequence[Any]) -> tuple[list[Any], list[Part]]:
    """Return the arguments of a question as plain data, and the bytes that go beside them."""
    question = QUESTIONS[name]
    content, plain = (list(arguments[:1]), arguments[1:]) if question.takes_content else ([], arguments)
    return [plain_data.encode(*pair) for pair in zip(question.arguments, plain, strict=True)], content


def decode_arguments(name: str, plain: Sequence[Any], content: Sequence[Part]) -> list[Any]:
    """Return the arguments of a question.

    Args:
        name: the name of the question.
        plain: the arguments as the other side sent them.
        content: the bytes that came beside them.

    Raises:
        MessageError: they are none of this question's.
    """
    question = question_of(name)
    if len(plain) != len(question.arguments) or len(content) != question.takes_content:
        raise MessageError(f"'{name}' is asked with {len(plain)} arguments and {len(content)} contents")
    decoded = [
        plain_data.decode(kind, value, f"argument {position} of '{name}'")
        for position, (kind, value) in enumerate(zip(question.arguments, plain, strict=True))
    ]
    return [*(bytes(part) for part in content), *decoded]


class Raised(NamedTuple):
    """An exception that an answer is."""

    kind: str
    message: str
    number: int | None
    """`errno` of an OSError; None for any other."""


_EXCEPTIONS: Final[Mapping[str, type[BaseException]]] = {
    kind.__name__: kind
    for kind in (
        Busy, CancelledRun, MissingContextError, RefusedError, ResultLostError, StoreError, UsageError, WorkerError,
    )
}  # fmt: skip


def raised_of(error: BaseException) -> Raised:
    """Return what the other side is told of an exception."""
    if isinstance(error, OSError):
        return Raised("OSError", error.strerror or str(error), error.errno)
    known = next((kind.__name__ for kind in type(error).__mro__ if _EXCEPTIONS.get(kind.__name__) is kind), None)
    return Raised(type(error).__name__, str(error), None) if known is None else Raised(known, str(error), None)


def exception_of(raised: Raised) -> BaseException:
    """Return the exception that the other side tells of; of a kind that is not known, a WorkerError that names it."""
    if raised.kind == "OSError":
        return OSError(raised.number, raised.message)
    kind = _EXCEPTIONS.get(raised.kind)
    if kind is None:
        return WorkerError(f"The flow's process could not answer: {raised.kind}: {raised.message}")
    return cast("BaseException", kind(raised.message) if raised.message else kind())
