"""Messages between a flow's process and its workers: plain data of one version; anything else is refused in words."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdeck import flow, task
from flowdeck.exceptions import WorkerError
from flowdeck.execution.recording.facts import Fact
from flowdeck.execution.recording.run_identity import RunIdentity, RunSettings
from flowdeck.execution.workers import plain_data, stream_questions, worker_messages
from flowdeck.execution.workers.frames import Line
from flowdeck.execution.workers.plain_data import MessageError
from flowdeck.execution.workers.stream_answers import StreamAnswers
from flowdeck.execution.workers.stream_questions import QUESTIONS
from flowdeck.execution.workers.stream_recorder import RunOfAttempt
from flowdeck.execution.workers.worker_messages import Ask, AttemptOrder, Ended, Leave, TaskRunOfAttempt, message_of
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import State, StateType
from flowdeck.store.calls.task_runs import NewTaskRun
from flowdeck.store.database.database import Busy
from flowdeck.store.results.result_files import ResultLostError
from flowdeck.task_runners import ProcessPoolTaskRunner

ROW = NewTaskRun(1_000_001, 1, 1, 1, "work", 0, None, None, None, "work", b"\x00\xff", 0, None, '["a"]', b"key")
IDENTITY = RunIdentity("id", 1_000_000, 1, "calm-otter", "main", None, "id", None, 1, frozenset({"a"}), 5)
ORDER = AttemptOrder(
    RunOfAttempt(IDENTITY, RunSettings(True, False, 4), 7, 64, "on"),
    TaskRunOfAttempt("work-0", True, b"key", 2, None),
    ROW,
    frozenset({"x", "y"}),
)
st.register_type_strategy(
    State, st.builds(State, st.sampled_from(StateType), st.text(), st.none() | st.text())
)  # what else a state carries does not travel
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def over_the_wire(message: Any) -> Any:
    """Return what a message is as plain data, once it was text."""
    kind = type(message)
    return json.loads(json.dumps([worker_messages.VERSION, kind.__name__, plain_data.encode(kind, message)]))


@pytest.mark.parametrize("message", [ORDER, Leave(), Ended(None, "no\ud800", [(1, "a", "FAILED", "Failed", None)])])
def test_messages_come_as_they_were_sent(message: Any) -> None:
    """Bytes, sets and what is None among their fields."""
    assert message_of(over_the_wire(message)) == message


@given(st.one_of([st.from_type(kind) for kind in get_args(Fact)]))
def test_facts_come_as_they_were_sent(fact: Any) -> None:
    """All that a recorder is told."""
    plain, content = stream_questions.encode_arguments("record", (fact,))
    (back,) = stream_questions.decode_arguments("record", json.loads(json.dumps(plain)), content)
    assert type(back) is type(fact)
    # Some records compare by identity: they are compared as they are written.
    assert plain_data.encode(Fact, back) == plain_data.encode(Fact, fact)


def test_every_question_has_its_answer() -> None:
    """No question is asked that nobody answers; and all their values are plain data."""
    answers = StreamAnswers(MagicMock())
    (table,) = answers._answers.values()  # pyright: ignore[reportPrivateUsage]
    assert set(table) == set(QUESTIONS)
    for question in QUESTIONS.values():
        for kind in (*question.arguments, question.answer):
            plain_data.codec_of(kind)


def changed(change: Callable[[Any], None]) -> Any:
    plain = over_the_wire(ORDER)
    change(plain)
    return plain


def put(*path: Any) -> Callable[[Any], None]:
    def change(plain: Any) -> None:
        *inner, last, value = path
        for place in inner:
            plain = plain[place]
        plain[last] = value

    return change


@pytest.mark.parametrize(
    ("plain", "sentence"),
    [
        (None, "it is not a version, a name and a list of fields"),
        ([1, "Leave"], "it is not a version, a name and a list of fields"),
        (changed(put(0, 2)), "it is of version 2 of the stream, and this flowdeck speaks version 1"),
        (changed(put(0, True)), "it is of version unknown of the stream, and this flowdeck speaks version 1"),
        (changed(put(1, "eval")), "its name is not known"),
        (changed(put(1, ["Leave"])), "its name is not known"),
        (changed(put(2, {})), "AttemptOrder is an object, not a list of 4"),
        (changed(put(2, 2, 0, "1")), "AttemptOrder.row.id is a text, not a whole number"),
        (changed(put(2, 2, 0, True)), "AttemptOrder.row.id is a truth value, not a whole number"),
        (changed(put(2, 2, 10, "?")), "AttemptOrder.row.input_key is a text, not bytes in base64"),
        (changed(put(2, 0, 0, 9, [1])), "AttemptOrder.run.identity.tags is a whole number, not a text"),
        (changed(put(2, 0, 2, 0.5)), "AttemptOrder.run.started_at is a number, not a whole number or null"),
    ],
)
def test_message_that_is_none_is_refused(plain: Any, sentence: str) -> None:
    """The sentence names what was seen, where, and what it should have been."""
    with pytest.raises(MessageError) as refused:
        message_of(plain)
    assert str(refused.value) == sentence


@given(PLAIN, st.sampled_from(["Hello", "AttemptOrder", "Ask", "Answer", "Ended", "Leave"]))
def test_any_plain_data_is_a_message_or_refused(plain: Any, name: str) -> None:
    """Nothing else is raised, whatever comes."""
    for seen in (plain, [1, name, plain]):
        try:
            message_of(seen)
        except MessageError as error:
            assert str(error)


@given(PLAIN, st.sampled_from(sorted(QUESTIONS)))
def test_any_question_is_understood_or_refused(plain: Any, name: str) -> None:
    """Likewise its arguments, of which none reaches the recorder unchecked."""
    arguments = plain if isinstance(plain, list) else [plain]
    try:
        stream_questions.decode_arguments(name, arguments, [])
    except MessageError as error:
        assert name in str(error)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ((1, "__class__", [], []), "it asks a question that is not known"),
        ((2, "refusal", [], []), "it asks about a flow run that is not its own"),
        ((1, "refusal", [1], []), "'refusal' is asked with 1 arguments and 0 contents"),
        ((1, "results.keep", [None], []), "'results.keep' is asked with 1 arguments and 0 contents"),
        ((1, "record", [["RunRows", []]], []), "argument 0 of 'record' is a text, not one of TaskRunsMade, "),
        ((1, "note", [["TaskRunStarted", [1]]], []), "argument 0 of 'note'.TaskRunStarted is a list, not a list of 6"),
    ],
)
def test_question_that_is_none_is_refused(asked: Any, sentence: str) -> None:
    """No attribute is looked up by a name that came from elsewhere."""
    run = MagicMock()
    run.recorder.first_task_id = 1
    with pytest.raises(MessageError) as refused:
        StreamAnswers(run).answer(*asked)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (struct.pack("!I", 0), "it is a frame of 0 parts"),
        (b"\xff" * 4, "it is a frame of 4294967295 parts"),
        (struct.pack("!IQ", 1, 1 << 62), "it is a frame of 4,611,686,018,427,387,904 bytes"),
        (struct.pack("!IQ", 1, 3) + b"\x80\x05.", "it is no JSON"),
        (struct.pack("!IQ", 1, 200_000) + b"[" * 200_000, "it is no JSON"),
    ],
)
def test_frame_that_is_none_is_refused(frame: bytes, sentence: str) -> None:
    """A pickle among them: none of ours is read from a stream."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(ours)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        theirs.sendall(frame)
        with pytest.raises(MessageError) as refused:
            line.receive()
        line.close()
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    "error",
    [Busy(), CancelledRun("Cancelled on request."), ResultLostError("gone"), WorkerError("x"), OSError(28, "full")],
)
def test_exceptions_of_answers_come_as_they_were(error: BaseException) -> None:
    """Those that callers tell apart keep their kind."""
    back = stream_questions.exception_of(stream_questions.raised_of(error))
    assert (type(back), back.args) == (type(error), error.args)


def test_other_exceptions_of_answers_are_named() -> None:
    """What the other side has no class for is told in a sentence."""
    back = stream_questions.exception_of(stream_questions.raised_of(KeyError("x")))
    assert (type(back), str(back)) == (WorkerError, "The flow's process could not answer: KeyError: 'x'")


def test_worker_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt fails with a sentence, and its worker is gone."""
    monkeypatch.setattr(worker_messages, "VERSION", 2)

    @task
    def work() -> int:
        return 1

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def main() -> int:
        return work.submit().result()

    with pytest.raises(WorkerError, match=r"was killed, since a message of it was refused: it is of version 1 of the"):
        main()


def test_worker_that_sends_nonsense_is_refused(log_of: Callable[..., list[str]], tmp_path: Path) -> None:
    """Code of an author's that writes to the descriptor of the connection."""

    @task(retries=1)
    def work(names: str) -> str:
        if not os.path.exists(names):
            open(names, "w").close()
            os.write(worker_messages.LINE_DESCRIPTOR, struct.pack("!IQ", 1, 2) + b"{}")
        return "again"

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def main(names: str) -> str:
        return work.submit(names).result()

    assert main(str(tmp_path / "written")) == "again"
    refusal = "a message of it was refused: it is not a version, a name and a list of fields."
    assert any(refusal in line for line in log_of("engine"))


def test_ask_names_its_question() -> None:
    """A question that this side does not know is refused when it is read, not when it is done."""
    asked = Ask(1, 1, "os.system", ["true"])
    assert message_of(over_the_wire(asked)) == asked
    with pytest.raises(MessageError, match="a question that is not known"):
        stream_questions.question_of("os.system")
