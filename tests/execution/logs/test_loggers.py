"""Loggers of runs from elsewhere, of Python's logging by setting, and switched off."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowdeck import flow, get_run_logger, task
from flowdeck.deck import Deck, LogRecord
from flowdeck.execution.logs import extra_loggers
from flowdeck.logging import disable_run_logger, flow_run_logger, get_logger, task_run_logger
from flowdeck.rules.exceptions import MissingContextError, NotFoundError
from tests.execution.dialects import Dialect
from tests.support.scripts import Scripts

Records = Callable[[], list[LogRecord]]
LogOf = Callable[..., list[str]]


@pytest.fixture
def records(deck: Deck) -> Records:
    """Read the records of the newest run that are not the engine's."""

    def read() -> list[LogRecord]:
        with contextlib.closing(deck.logs.of_run(deck.flow_runs.select()[0])) as reader:
            return [record for record in reader.records() if record.source != "engine"]

    return read


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A logger of a library, which the setting names."""
    monkeypatch.setenv("FLOWDECK_LOGGING_EXTRA_LOGGERS", "somelib, otherlib.deep")
    logger = logging.getLogger("somelib")
    yield logger
    for name in ("somelib", "otherlib.deep", "flowdeck"):
        one = logging.getLogger(name)
        one.removeHandler(extra_loggers._HANDLER)
        one.setLevel(logging.NOTSET)


# -- loggers of Python's logging ---------------------------------------------------------------------------------------


def test_extra_loggers(dialect: Dialect, library: logging.Logger, records: Records) -> None:
    """Of the flow or the task that the code belongs to, with the logger's name; also of loggers below."""

    @dialect.task()
    async def load() -> None:
        logging.getLogger("somelib.http").warning("status %d", 503)

    @dialect.flow()
    async def main() -> None:
        library.info("begins")
        await dialect.call(load)
        logging.getLogger("otherlib").info("not named in the setting")
        logging.getLogger("otherlib.deep").info("named")

    dialect.run(main)
    assert [(record.level, record.task_name, record.message) for record in records()] == [
        ("INFO", None, "somelib: begins"),
        ("WARNING", "load-0", "somelib.http: status 503"),
        ("INFO", None, "otherlib.deep: named"),
    ]


def test_level_of_extra_loggers(library: logging.Logger, records: Records) -> None:
    """That of runs, unless the author has given them one; what is below that of runs is not kept in any case."""

    @flow
    def main() -> None:
        library.debug("fine print")
        library.setLevel(logging.ERROR)
        library.warning("below its own level")
        library.setLevel(logging.DEBUG)
        library.debug("below the level of runs")
        library.error("kept")

    main()
    assert [record.message for record in records()] == ["somelib: kept"]


def test_extra_logger_outside_of_runs_is_as_ever(
    library: logging.Logger, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings of a logger without handlers still reach stderr; nothing is in a run's log twice."""

    @flow
    def main() -> None: ...

    main()
    shown = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(shown))
    library.warning("by itself")
    assert shown.getvalue() == "by itself\n"
    assert records() == []


def test_line_is_shown_once_on_the_terminal(
    library: logging.Logger, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the author's handler where there is one, in the author's form; else by ours."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    @flow
    def main() -> None:
        library.info("first")
        logging.basicConfig(format="OWN %(name)s %(message)s", stream=sys.stderr)
        library.info("second")

    main()
    lines = [line for line in shown.getvalue().splitlines() if "Run '" not in line]
    assert len(lines) == 2
    assert lines[0].endswith("somelib: first")
    assert lines[1] == "OWN somelib second"
    assert [record.message for record in records()] == ["somelib: first", "somelib: second"]


def test_both_the_root_and_a_logger_below(monkeypatch: pytest.MonkeyPatch, records: Records) -> None:
    """A record that comes to two of them is in the log once."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setenv("FLOWDECK_LOGGING_EXTRA_LOGGERS", "root,thirdlib")
    former = logging.getLogger().level

    @flow
    def main() -> None:
        logging.getLogger("thirdlib").warning("once")
        logging.getLogger("fourthlib").info("too")

    main()
    logging.getLogger().setLevel(former)
    logging.getLogger("thirdlib").removeHandler(extra_loggers._HANDLER)
    assert [record.message for record in records()] == ["thirdlib: once", "fourthlib: too"]


def test_wrong_arguments_of_an_extra_logger(
    library: logging.Logger, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The author's slip does not end the flow."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    @flow
    def main() -> None:
        library.warning("%d rows", "three")

    main()
    assert records()[0].message == "somelib: '%d rows' % ('three',) (could not be formatted)"


def test_basic_config_in_a_script(scripts: Scripts, log_of: LogOf) -> None:
    """The author's loggers stay what they are; those of runs are not shown twice."""
    ended = scripts.run(
        """
        import logging
        logging.basicConfig(level=logging.INFO, format="OWN %(message)s")
        log = logging.getLogger(__name__)
        @flow
        def main():
            log.info("of the file")
            get_run_logger().info("of the run")
        main()
        """
    )
    assert ended.code == 0
    assert log_of("logger") == ["of the run"]
    assert ended.err.count("of the run") == 1
    assert ended.err.count("OWN of the file") == 1


def test_get_logger(library: logging.Logger, records: Records) -> None:
    """A logger for modules: it needs no run, and in one it is heard."""
    logger = get_logger("etl")
    assert (logger.name, get_logger().name, get_logger("flowdeck.x").name) == ("flowdeck.etl", "flowdeck", "flowdeck.x")

    @flow
    def main() -> None:
        logger.info("in a run")

    main()
    assert [record.message for record in records()] == ["flowdeck.etl: in a run"]


# -- loggers of runs, from elsewhere -----------------------------------------------------------------------------------


def test_loggers_of_runs_in_hooks(dialect: Dialect, records: Records) -> None:
    """As users of Prefect write it; `get_run_logger` does there, too."""

    def told(flow_: Any, flow_run: Any, state: Any) -> None:
        flow_run_logger(flow_run, flow_).info("flow %s", state.name)

    def told_of_task(task_: Any, task_run: Any, state: Any) -> None:
        task_run_logger(task_run, task_).info("task %s", state.name)
        get_run_logger().info("as well")

    @dialect.task(on_completion=told_of_task)
    async def load() -> None: ...

    @dialect.flow(on_completion=told)
    async def main() -> None:
        await dialect.call(load)

    dialect.run(main)
    assert [(record.task_name, record.message) for record in records()] == [
        ("load-0", "task Completed"),
        ("load-0", "as well"),
        (None, "flow Completed"),
    ]


def test_logger_of_another_run(deck: Deck, log_of: LogOf) -> None:
    """Of one that is over, by its record; the line is not of the run that the calling code belongs to."""

    @flow
    def first() -> None: ...

    first()
    run = deck.flow_runs.select()[0]

    @flow
    def second() -> None:
        flow_run_logger(run).warning("from the second")

    second()
    assert log_of("logger", run.id) == ["from the second"]
    assert log_of("logger") == []


def test_logger_of_a_run_that_is_not_there() -> None:
    """One sentence."""

    class Gone:
        id = "0192f0c1-2345-7000-8000-000000000000"

    with pytest.raises(NotFoundError):
        flow_run_logger(Gone())


def test_disable_run_logger(records: Records) -> None:
    """`.fn` can be tested outside of runs; inside of one nothing is logged; afterwards all is as before."""

    @task
    def load() -> int:
        get_run_logger().info("page")
        return 1

    @flow
    def main() -> None:
        load()
        with disable_run_logger():
            load()

    with disable_run_logger(), disable_run_logger():
        assert load.fn() == 1
    with pytest.raises(MissingContextError, match=r"disable_run_logger\(\)"):
        load.fn()
    main()
    assert [record.message for record in records()] == ["page"]


# -- handlers of authors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "flowdeck"])
def test_handlers_of_authors_get_the_records(name: str | None, deck: Deck, caplog: pytest.LogCaptureFixture) -> None:
    """Once each, with ids and names of the run: of run loggers and of captured prints."""
    seen: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)
            print("handled")  # which is captured too, and not handled again

    @task(log_prints=True)
    def load() -> None:
        get_run_logger().warning("row %d", 3)
        print("printed")

    @flow
    def main() -> None:
        get_run_logger().info("begins")
        load()

    handler, logger = Keeping(), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        main()
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in seen] == ["begins", "row 3", "printed"]
    assert [text for text in caplog.messages if text == "row 3"] == ["row 3"]
    run = deck.flow_runs.select()[0]
    (call,) = deck.task_runs.of_flow_run(run.key)
    for record in map(vars, seen):
        assert (record["flow_run_id"], record["flow_run_name"], record["flow_name"]) == (run.id, run.name, "main")
    for record in map(vars, seen[1:]):
        assert (record["task_run_id"], record["task_run_name"], record["task_name"]) == (call.id, call.name, "load")
    assert seen[2].funcName == "load"


def test_logger_in_a_thread_of_an_executor_names_the_remedy() -> None:
    """The sentence says why there is no run, and what to give the thread; that works."""

    @flow
    def main() -> None:
        with ThreadPoolExecutor() as pool:
            with pytest.raises(MissingContextError, match=r"contextvars\.copy_context\(\)\.run"):
                pool.submit(get_run_logger).result()
            pool.submit(contextvars.copy_context().run, get_run_logger).result().info("from a thread")

    main()
