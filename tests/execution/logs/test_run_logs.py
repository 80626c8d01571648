"""What goes to a run's log, from where, and what is shown on stderr beside it."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, get_run_logger, task
from flowdeck.deck import Deck, FlowRun, LogRecord
from flowdeck.rules.exceptions import MissingContextError
from flowdeck.store.database.database import Busy, Database
from flowdeck.store.logs import log_writer
from tests.execution.dialects import Dialect
from tests.support.scripts import Scripts

LogOf = Callable[..., list[str]]


@pytest.fixture
def records(deck: Deck) -> Callable[[], list[LogRecord]]:
    """Read the records of the newest run that are not the engine's."""

    def read() -> list[LogRecord]:
        with contextlib.closing(deck.logs.of_run(deck.flow_runs.select()[0])) as reader:
            return [record for record in reader.records() if record.source != "engine"]

    return read


# -- loggers -----------------------------------------------------------------------------------------------------------


def test_logger_of_flow_and_task(dialect: Dialect, deck: Deck, records: Callable[[], list[LogRecord]]) -> None:
    """Level, text with its arguments, and whose line it is."""

    @dialect.task()
    async def load() -> None:
        get_run_logger().warning("row %d of %s", 3, "etl")

    @dialect.flow()
    async def main() -> None:
        get_run_logger().info("begins")
        await dialect.call(load)
        get_run_logger().error("two\nlines")

    dialect.run(main)
    run = deck.flow_runs.select()[0]
    (call,) = deck.task_runs.of_flow_run(run.key)
    found = [(record.level, record.message, record.task_run_id, record.task_name) for record in records()]
    assert found == [
        ("INFO", "begins", None, None),
        ("WARNING", "row 3 of etl", call.id, "load-0"),
        ("ERROR", "two\nlines", None, None),
    ]
    assert (run.warning_count, run.error_count) == (1, 1)


def test_level_of_loggers_is_a_setting(records: Callable[[], list[LogRecord]], monkeypatch: pytest.MonkeyPatch) -> None:
    """INFO unless told; lower levels are dropped."""

    @flow
    def main() -> None:
        for level in (logging.DEBUG, logging.INFO):
            get_run_logger().log(level, "at %s", level)

    main()
    assert [record.message for record in records()] == ["at 20"]


def test_debug_level(scripts: Scripts, deck: Deck, log_of: LogOf) -> None:
    """FLOWDECK_LOGGING_LEVEL=DEBUG keeps them."""
    body = """
        @flow
        def main():
            get_run_logger().debug("fine print")
        main()
    """
    assert scripts.run(body, environment={"FLOWDECK_LOGGING_LEVEL": "DEBUG"}).code == 0
    assert log_of("logger") == ["fine print"]


def test_exception_with_its_traceback(records: Callable[[], list[LogRecord]]) -> None:
    """`logger.exception` says what it always says."""

    @flow
    def main() -> None:
        try:
            int("x")
        except ValueError:
            get_run_logger().exception("not a number")

    main()
    (record,) = records()
    assert record.message.startswith("not a number\nTraceback (most recent call last):")
    assert record.message.endswith("ValueError: invalid literal for int() with base 10: 'x'")


def test_wrong_arguments_of_a_log_call(records: Callable[[], list[LogRecord]]) -> None:
    """The author's slip does not end the flow; what can be said is said."""

    @flow
    def main() -> None:
        get_run_logger().info("%d rows", "three")

    main()
    assert records()[0].message == "'%d rows' % ('three',) (could not be formatted)"


def test_logger_in_a_thread_of_the_author(records: Callable[[], list[LogRecord]], deck: Deck) -> None:
    """A logger that was asked for in a task writes as that task, wherever it is used; nothing is lost."""

    @task
    def load() -> None:
        logger = get_run_logger()
        thread = threading.Thread(target=logger.info, args=("from a thread",))
        thread.start()
        thread.join()

    @flow
    def main() -> None:
        load()

    main()
    (record,) = records()
    assert (record.message, record.task_name) == ("from a thread", "load-0")


def test_logger_outside_of_a_run() -> None:
    """One sentence."""
    with pytest.raises(MissingContextError, match="outside of a flow or task run"):
        get_run_logger()


def test_logger_after_its_run(records: Callable[[], list[LogRecord]]) -> None:
    """A late line, of an exit handler say, is still in the log."""
    kept: list[Any] = []

    @flow
    def main() -> None:
        kept.append(get_run_logger())

    main()
    kept[0].info("late")
    assert records()[-1].message == "late"


# -- print -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_flow", [None, False, True])
@pytest.mark.parametrize("of_task", [None, False, True])
def test_print_goes_where_flow_and_task_say(
    dialect: Dialect, of_flow: bool | None, of_task: bool | None, log_of: LogOf, capsys: pytest.CaptureFixture[str]
) -> None:
    """The task's word counts before the flow's; who says nothing takes the caller's; the top says no."""

    @dialect.task(log_prints=of_task)
    async def load() -> None:
        print("task", "line", sep="-")

    @dialect.flow(log_prints=of_flow)
    async def main() -> None:
        print("flow line")
        await dialect.call(load)
        load.submit().result()

    dialect.run(main)
    logged = {"flow line": bool(of_flow), "task-line": bool(of_flow if of_task is None else of_task)}
    assert set(log_of("print")) == {line for line, wanted in logged.items() if wanted}
    printed = capsys.readouterr().out.splitlines()
    assert set(printed) == {line for line, wanted in logged.items() if not wanted}


def test_print_to_a_file_goes_there(log_of: LogOf, capsys: pytest.CaptureFixture[str]) -> None:
    """Also to stderr; naming stdout is like naming nothing."""
    elsewhere = io.StringIO()

    @flow(log_prints=True)
    def main() -> None:
        print("elsewhere", file=elsewhere)
        print("stderr", file=sys.stderr)
        print("stdout", file=sys.stdout, flush=True)
        print()
        print("no", "newline", end="")
        with pytest.raises(TypeError):
            print("x", separator="-")  # type: ignore[call-overload]

    main()
    assert elsewhere.getvalue() == "elsewhere\n"
    assert log_of("print") == ["stdout", "", "no newline"]
    captured = capsys.readouterr()
    assert "stderr\n" in captured.err
    assert captured.out == ""


def test_print_outside_of_runs_is_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """In the script's own code before, between and after flows."""

    @flow(log_prints=True)
    def main() -> None:
        print("inside")

    print("before")
    main()
    print("after", 1, sep="|", end="!")
    assert capsys.readouterr().out == "before\nafter|1!"


# -- stderr ------------------------------------------------------------------------------------------------------------


def test_script_shows_its_log(last_run: Callable[[], FlowRun], capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with time, level, name and text; further lines are marked; escapes do not reach the terminal."""

    @flow(log_prints=True)
    def main() -> None:
        print("one\ntwo \x1b[31mred")

    main()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(f"Run '{last_run().name}' of flow 'main' started.")
    assert lines[1].split(" ", 1)[1] == "I main             one"
    assert lines[2].startswith("               | two ")
    assert "\x1b" not in "".join(lines)
    assert "ended: Completed after" in lines[3]


class Odd:
    """An author's own stderr, with nothing of what a stream has."""


@pytest.mark.parametrize("stream", ["none", "closed", "odd"])
def test_stderr_that_cannot_be_written(stream: str, monkeypatch: pytest.MonkeyPatch, log_of: LogOf) -> None:
    """The log has the lines in any case."""
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", {"none": None, "closed": closed, "odd": Odd()}[stream])

    @flow(log_prints=True)
    def main() -> int:
        print("still there")
        return 1

    assert main() == 1
    assert log_of("print") == ["still there"]


# -- counts ------------------------------------------------------------------------------------------------------------


def test_counts_are_exact_at_the_end(dialect: Dialect, last_run: Callable[[], FlowRun]) -> None:
    """However fast the lines came, and from however many threads."""

    @dialect.task()
    async def noisy(_: int) -> None:
        for _ in range(20):
            get_run_logger().warning("careful")
            get_run_logger().critical("bad")

    @dialect.flow()
    async def main() -> None:
        noisy.map(range(8)).result()

    dialect.run(main)
    assert (last_run().warning_count, last_run().error_count) == (160, 160)


def test_counts_come_with_the_next_fact(last_run: Callable[[], FlowRun]) -> None:
    """A screen does not wait for the end of the run."""

    @task
    def step() -> None: ...

    @flow
    def main() -> None:
        for _ in range(3):
            get_run_logger().warning("careful")
        step()
        assert last_run().warning_count == 3

    main()


def test_counts_come_by_themselves(last_run: Callable[[], FlowRun], monkeypatch: pytest.MonkeyPatch) -> None:
    """When a burst of warnings is followed by nothing for long."""
    monkeypatch.setattr("flowdeck.execution.recording.store_recorder.COUNTS_INTERVAL_SECONDS", 0.02)

    @flow
    def main() -> None:
        for _ in range(3):
            get_run_logger().warning("careful")
        deadline = time.monotonic() + 10
        while last_run().warning_count < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert last_run().warning_count == 3

    main()


def test_logging_never_fails_for_the_store(last_run: Callable[[], FlowRun], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the counts cannot be brought to the store now they come later; the author's code does not notice."""
    monkeypatch.setattr("flowdeck.execution.recording.store_recorder.COUNTS_INTERVAL_SECONDS", 0)

    @flow
    def main() -> None:
        with monkeypatch.context() as patch:

            def busy(*_: Any) -> None:
                raise Busy

            patch.setattr(Database, "try_write", busy)
            get_run_logger().error("bad")
        assert last_run().error_count == 0

    main()
    assert last_run().error_count == 1


def test_full_log_does_not_end_the_run(last_run: Callable[[], FlowRun], monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no more lines is no reason to stop."""

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    @flow
    def main() -> int:
        with monkeypatch.context() as patch:
            patch.setattr(log_writer.os, "write", full)
            get_run_logger().info("lost")
        return 1

    assert main() == 1
    assert last_run().state_name == "Completed"


# -- what else a script does with print and logging --------------------------------------------------------------------


def test_logging_that_the_author_configures(scripts: Scripts, log_of: LogOf) -> None:
    """`dictConfig` switches off every logger that it does not know; the run's goes on."""
    ended = scripts.run("""
        import logging, logging.config
        @flow
        def main():
            logging.config.dictConfig({"version": 1})
            get_run_logger().info("still there")
            logging.shutdown()
            get_run_logger().info("still there")
        main()
    """)
    assert ended.code == 0, ended.err
    assert log_of("logger") == ["still there", "still there"]


def test_print_that_the_author_has_replaced(scripts: Scripts, log_of: LogOf) -> None:
    """Before a flow: hers is used wherever nothing is captured. After it: hers stays, and may call what it found."""
    ended = scripts.run("""
        import builtins
        plain = builtins.print
        builtins.print = lambda *values, **options: plain("mine:", *values, **options)
        @flow(log_prints=True)
        def main():
            print("logged")
        main()
        print("printed")
        found = builtins.print
        builtins.print = lambda *values, **options: found("twice", *values, **options)
        main()
        print("printed")
    """)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == ["mine: printed", "mine: twice printed"]
    assert log_of("print") == ["twice logged"]
