"""Calls where code has no file or a loop runs already: notebooks, running event loops, threads."""

from __future__ import annotations

import asyncio
import code
import contextlib
import io
import linecache
import os
import signal
import threading
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.rules.exceptions import RefusedError, UsageError
from tests.support.scripts import Scripts

Calls = Callable[[], list[TaskRun]]


class BrokenError(Exception):
    """What a user raises."""


class Notebook:
    """Runs cells as a notebook does: no file, a name that only `linecache` knows, a loop that runs on between them."""

    def __init__(self, name: str) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.name = name
        self._count = 0

    def cell(self, source: str) -> Any:
        """Run a cell; a coroutine, of a cell that awaits, is returned."""
        self._count += 1
        filename = self.name.format(self._count)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        compiled = compile(source, filename, "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return types.FunctionType(compiled, self.names)()

    def cells(self, *sources: str) -> None:
        """Run cells under one running loop, as a kernel does."""

        async def run() -> None:
            for source in sources:
                waiting = self.cell(source)
                if waiting is not None:
                    await waiting

        asyncio.run(run())


@pytest.fixture(params=["<ipython-input-{}-abc>", "/tmp/ipykernel_1/{}.py", "<stdin>"])
def notebook(request: pytest.FixtureRequest) -> Notebook:
    """Of IPython, of Jupyter, of Python's own prompt."""
    return Notebook(request.param)


DEFINITIONS = """
import asyncio
from flowdeck import flow, task

@task
def load(page):
    return page * 10

@task
async def load_async(page):
    await asyncio.sleep(0)
    return page * 100

@flow
def main(pages: int = 2):
    return [load(1), *load.map(range(pages)).result(), load_async.submit(3).result()]

@flow
async def main_async(page):
    return [await load_async(page), load(page), *await asyncio.gather(load_async(1), load_async(2))]
"""


def test_sync_flow_in_a_running_loop(notebook: Notebook, deck: Deck) -> None:
    """A plain call, with submitted and asynchronous tasks; its run says that it has no file."""
    notebook.cells(DEFINITIONS, "value = main(pages='3')")
    assert notebook.names["value"] == [10, 0, 10, 20, 300]
    (run,) = deck.flow_runs.select()
    assert (run.state_name, run.source_file, run.entrypoint, run.task_counts.completed) == ("Completed", None, None, 5)
    with pytest.raises(RefusedError, match="its flow was defined interactively"):
        deck.flow_runs.retry(run.id, completed=True)


def test_async_flow_awaited_in_a_cell(notebook: Notebook, deck: Deck) -> None:
    """By `await`, and several with gather."""
    notebook.cells(
        DEFINITIONS,
        "value = await main_async(2)",
        "both = await asyncio.gather(main_async(1), main_async(3))",
    )
    assert notebook.names["value"] == [200, 20, 100, 200]
    assert [values[0] for values in notebook.names["both"]] == [100, 300]
    assert [run.state_name for run in deck.flow_runs.select()] == ["Completed"] * 3


def test_failure_in_a_cell(notebook: Notebook, deck: Deck) -> None:
    """The exception comes to the cell; the traceback that is recorded has its source line."""
    with pytest.raises(ZeroDivisionError):
        notebook.cells("from flowdeck import flow\n@flow\ndef main():\n    return 1 / 0  # the culprit\n", "main()")
    (run,) = deck.flow_runs.select()
    assert run.error is not None
    assert "in main" in run.error.traceback
    if notebook.name != "<stdin>":  # there Python itself does not know it, before 3.13
        assert "return 1 / 0  # the culprit" in run.error.traceback


def test_cell_that_is_run_again(notebook: Notebook, deck: Deck) -> None:
    """Redefined flows and tasks are the new ones; nothing of the old ones is in the way."""
    notebook.cells(DEFINITIONS, "first = main()", DEFINITIONS.replace("page * 10", "page * 20"), "second = main()")
    assert (notebook.names["first"][0], notebook.names["second"][0]) == (10, 20)
    assert {run.flow_name for run in deck.flow_runs.select()} == {"main"}


def test_generators_and_tasks_alone_in_cells(notebook: Notebook, deck: Deck) -> None:
    """Iterated over several cells; a task without a flow, awaited."""
    notebook.cells(
        DEFINITIONS
        + "@flow\ndef pages():\n    yield from (load(page) for page in (1, 2))\n"
        + "@flow\nasync def pages_async():\n    for page in (1, 2):\n        yield await load_async(page)\n",
        "given = pages(); given_async = pages_async()",
        "first = [next(given), await anext(given_async)]",
        "rest = [list(given), [page async for page in given_async]]",
        "alone = [load(5), await load_async(5), load_async.submit(6).result()]",
    )
    names = notebook.names
    assert (names["first"], names["rest"], names["alone"]) == ([10, 100], [[20], [200]], [50, 500, 600])
    assert {run.state_name for run in deck.flow_runs.select()} <= {"Completed", "Running"}


def test_python_prompt(deck: Deck) -> None:
    """Line by line; the value is shown as ever."""
    console = code.InteractiveConsole({"__name__": "__main__"})
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        for line in ["from flowdeck import flow", "@flow", "def main():", "    return 41 + 1", "", "main()"]:
            console.push(line)
    assert shown.getvalue() == "42\n"
    assert [(run.flow_name, run.entrypoint) for run in deck.flow_runs.select()] == [("main", None)]


def test_code_from_standard_input(scripts: Scripts, deck: Deck) -> None:
    """`python -c`, and a here-document."""
    source = "from flowdeck import flow\n@flow\ndef main(): return 1\nmain()\n"
    ended = scripts.run(f"import subprocess\nsubprocess.run([sys.executable, '-c', {source!r}], check=True)\n")
    assert ended.code == 0
    assert [(run.state_name, run.source_file) for run in deck.flow_runs.select()] == [("Completed", None)]


# -- event loops -------------------------------------------------------------------------------------------------------


def test_gather_and_task_groups(calls: Calls) -> None:
    """Calls beside each other; a failure of one ends the others of the group."""

    @task
    async def load(page: int) -> int:
        await asyncio.sleep(0)
        if page < 0:
            raise BrokenError(str(page))
        await asyncio.sleep(0 if page < 10 else 60)
        return page

    @flow
    async def main() -> list[int]:
        values = await asyncio.gather(load(1), load(2))
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(load(30))
                group.create_task(load(-1))
        return values

    assert asyncio.run(main()) == [1, 2]
    assert sorted(call.state_name for call in calls()) == ["Cancelled", "Completed", "Completed", "Failed"]


class OtherLoop:
    """An event loop that is not asyncio's: it runs what awaits nothing."""

    @staticmethod
    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end."""
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError


def test_other_event_loops_are_refused(deck: Deck) -> None:
    """One sentence, before anything is recorded; not `no running event loop` from the depths."""

    @flow
    async def main() -> None: ...

    @flow
    async def pages() -> AsyncGenerator[int]:
        yield 1

    @task
    async def load() -> None: ...

    for called in (main(), load(), anext(pages())):
        with pytest.raises(UsageError, match="needs asyncio's event loop, which does not run here"):
            OtherLoop.run(called)  # type: ignore[arg-type]
    assert deck.flow_runs.select() == []


def test_asynchronous_generator_that_is_broken_off_ends_with_its_loop(deck: Deck) -> None:
    """asyncio closes it: nothing stays Running."""

    @flow
    async def pages() -> AsyncGenerator[int]:
        yield 1
        yield 2

    async def main() -> None:
        async for _ in pages():
            break

    asyncio.run(main())
    assert [run.state_name for run in deck.flow_runs.select()] == ["Cancelled"]


# -- threads -----------------------------------------------------------------------------------------------------------


def test_flows_called_from_threads(deck: Deck) -> None:
    """Sync, async and generator flows, at the same time."""

    @task
    def load(page: int) -> int:
        return page

    @flow
    def main(page: int) -> int:
        return load.submit(page).result()

    @flow
    async def main_async(page: int) -> int:
        return load(page)

    @flow
    def pages(count: int) -> Generator[int]:
        yield from range(count)

    values: list[Any] = []
    threads = [
        *(threading.Thread(target=lambda page=page: values.append(main(page))) for page in range(5)),
        *(threading.Thread(target=lambda page=page: values.append(asyncio.run(main_async(page)))) for page in (5, 6)),
        threading.Thread(target=lambda: values.append(sum(pages(5)) - 3)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == list(range(8))
    assert [run.state_name for run in deck.flow_runs.select()] == ["Completed"] * 8


def test_generator_that_moves_between_threads(deck: Deck) -> None:
    """Begun in one, gone on with in another; signals of the process are handled as before."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    @flow
    def pages() -> Generator[int]:
        yield from range(4)

    given = pages()
    seen = [next(given)]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    thread = threading.Thread(target=lambda: seen.extend(given))
    thread.start()
    thread.join()
    assert seen == [0, 1, 2, 3]
    assert [run.state_name for run in deck.flow_runs.select()] == ["Completed"]


def test_runs_leave_no_descriptor_behind(last_run: Callable[[], FlowRun]) -> None:
    """A process that calls thousands of subflows has no more files open than before."""

    @flow
    def sub() -> None: ...

    @flow
    def main() -> int:
        sub()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            sub()
        return len(os.listdir("/proc/self/fd")) - before

    assert main() < 10
    assert last_run().state_name == "Completed"
