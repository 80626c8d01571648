"""What somebody will do one day: threads, closed streams, notebooks, exit handlers. Each ends well."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import Flow, Task, flow, task
from flowdeck.deck import Deck, FlowRun
from flowdeck.execution.calls import context
from tests.support.scripts import Scripts

LastRun = Callable[[], FlowRun]


# -- streams and exits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "close",
    ["sys.stderr.close()", "os.close(2)", "sys.stderr = None", "sys.stderr.close(); sys.stdout.close()"],
)
def test_closed_streams(scripts: Scripts, last_run: LastRun, log_of: Callable[..., list[str]], close: str) -> None:
    """The run does not need them; its log has all lines."""
    ended = scripts.run(f"""
        @flow(log_prints=True)
        def main():
            {close}
            print("still logged")
        main()
    """)
    assert ended.code in (0, 120)  # 120: Python itself could not flush a stream that was closed
    assert last_run().state_name == "Completed"
    assert log_of("print") == ["still logged"]


def test_stderr_that_nobody_reads(scripts: Scripts, last_run: LastRun) -> None:
    """`python my_flow.py 2>&1 | head -1`: the run goes on."""
    script = scripts.start("""
        @flow
        def main():
            sys.stdin.readline()
            for number in range(2000):
                get_run_logger().info("line %d %s", number, "x" * 100)
        main()
    """)
    assert script.process.stderr is not None
    script.process.stderr.close()
    script.process.stderr = None
    script.tell()
    script.process.wait(30)
    assert last_run().state_name == "Completed"


def test_flow_and_lines_at_the_exit_of_the_interpreter(
    scripts: Scripts, deck: Deck, log_of: Callable[..., list[str]]
) -> None:
    """Exit handlers may still log, and run flows."""
    ended = scripts.run("""
        import atexit
        @flow
        def late():
            get_run_logger().info("late flow")
        @flow
        def main():
            logger = get_run_logger()
            atexit.register(logger.warning, "late line")
            atexit.register(late)
        main()
    """)
    assert ended.code == 0, ended.err
    runs = {run.flow_name: run for run in deck.flow_runs.select()}
    assert {run.state_name for run in runs.values()} == {"Completed"}
    assert log_of("logger", runs["main"].id) == ["late line"]
    assert log_of("logger", runs["late"].id) == ["late flow"]


def test_script_ends_while_a_thread_of_the_author_runs_a_flow(scripts: Scripts, deck: Deck) -> None:
    """Python waits for a thread that is no daemon, and so does the run."""
    ended = scripts.run("""
        @task
        def step():
            time.sleep(0.01)
        @flow
        def main():
            for _ in range(5):
                step()
        threading.Thread(target=main).start()
    """)
    assert ended.code == 0, ended.err
    assert deck.flow_runs.select()[0].state_name == "Completed"
    assert deck.flow_runs.select()[0].task_counts.completed == 5


def test_folder_that_is_gone(scripts: Scripts, last_run: LastRun) -> None:
    """A script whose working directory was removed runs all the same."""
    ended = scripts.run("""
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        @flow
        def main(): ...
        main()
    """)
    assert ended.code == 0, ended.err
    assert last_run().working_dir == "/"


def test_names_that_are_not_utf8(scripts: Scripts, last_run: LastRun, log_of: Callable[..., list[str]]) -> None:
    """Folders, messages and lines with bytes that are no text: recorded in a form that can be read."""
    ended = scripts.run("""
        name = os.fsdecode(b"caf\\xe9")
        os.mkdir(name)
        os.chdir(name)
        @task
        def load():
            get_run_logger().info("look: %s", name)
            raise FileNotFoundError(name)
        @flow
        def main():
            try:
                load()
            except FileNotFoundError:
                raise ValueError(name)
        main()
    """)
    assert ended.code == 1
    run = last_run()
    assert (run.state_name, run.state_message) == ("Failed", "ValueError: caf\\udce9")
    assert run.working_dir.endswith("caf\\udce9")
    assert run.error is not None
    run.error.traceback.encode()
    assert len(log_of("logger")) == 1


# -- notebooks and loops -----------------------------------------------------------------------------------------------


def test_code_without_a_file(last_run: LastRun, deck: Deck) -> None:
    """As in a notebook: the run has no file to start from, and says so when it is retried."""
    source = "from flowdeck import flow, task\n@task\ndef t(): return 5\n@flow\ndef in_cell(): return t()\n"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for filename in ("<stdin>", "/tmp/ipykernel_1/2.py"):
        exec(compile(source, filename, "exec"), namespace)
        assert namespace["in_cell"]() == 5
        run = last_run()
        assert (run.source_file, run.entrypoint, run.function) == (None, None, None)
        with pytest.raises(Exception, match="has no file to start from: its flow was defined interactively"):
            deck.flow_runs.retry(run.id, completed=True)


def test_flows_inside_of_a_running_loop(last_run: LastRun) -> None:
    """As in a notebook: a synchronous flow needs no loop, an asynchronous one uses this one."""

    @task
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow
    def sync_flow() -> int:
        return fetch.submit(1).result()

    @flow
    async def async_flow() -> int:
        return await fetch(2)

    async def cell() -> list[int]:
        return [sync_flow(), await async_flow()]

    assert asyncio.run(cell()) == [1, 2]
    assert last_run().state_name == "Completed"


def test_coroutine_that_is_cancelled(last_run: LastRun, deck: Deck) -> None:
    """A time limit around an asynchronous flow cancels it, and what it runs."""

    @task
    async def wait() -> None:
        await asyncio.sleep(60)

    @flow
    async def main() -> None:
        await wait()

    async def limited() -> None:
        await asyncio.wait_for(main(), timeout=0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(limited())
    run = last_run()
    assert (run.state_name, run.state_message) == ("Cancelled", "Its coroutine was cancelled.")
    assert [call.state_name for call in deck.task_runs.of_flow_run(run.key)] == ["Cancelled"]


def test_coroutine_that_is_thrown_away(last_run: LastRun, deck: Deck) -> None:
    """Whoever closes it half-way leaves no run that says it runs."""

    @task
    async def wait() -> None:
        await asyncio.sleep(60)

    @flow
    async def main() -> None:
        await wait()

    loop = asyncio.new_event_loop()
    coroutine = main()

    async def begin() -> None:
        coroutine.send(None)

    loop.run_until_complete(begin())
    coroutine.close()
    loop.close()
    run = last_run()
    assert run.is_final
    assert all(call.is_final for call in deck.task_runs.of_flow_run(run.key))


def test_event_loop_never_waits_for_another_process(deck: Deck) -> None:
    """While somebody holds the lock, other coroutines go on."""
    import threading

    ticks: list[int] = []
    held, release = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        held.set()
        release.wait(30)

    @task
    async def step() -> None: ...

    @flow
    async def inner() -> None:
        await step()

    @flow
    async def main() -> None:
        holder = threading.Thread(target=lambda: deck._database.write(hold))
        holder.start()
        held.wait(30)
        calls = asyncio.gather(step(), inner())
        for number in range(5):
            await asyncio.sleep(0)
            ticks.append(number)
        assert not calls.done()
        release.set()
        await calls
        holder.join()

    asyncio.run(main())
    assert ticks == [0, 1, 2, 3, 4]


# -- describing --------------------------------------------------------------------------------------------------------


def test_calls_do_not_run_while_a_file_is_described(monkeypatch: pytest.MonkeyPatch, deck: Deck) -> None:
    """They are named with their lines instead; what is awaited can still be awaited."""
    monkeypatch.setattr(context, "describing", True)
    monkeypatch.setattr(context, "module_level_calls", [])

    @flow
    def plain() -> int:
        return 1

    @flow
    async def awaited() -> int:
        return 1

    assert plain() is None
    assert asyncio.run(awaited()) is None
    names = [(name, os.path.basename(file)) for name, file, _ in context.module_level_calls]
    assert names == [("plain", "test_odd_uses.py"), ("awaited", "test_odd_uses.py")]
    assert deck.flow_runs.select() == []


def test_objects_say_what_they_are() -> None:
    """In a debugger."""
    assert repr(flow(test_objects_say_what_they_are)) == "Flow('test-objects-say-what-they-are')"
    assert repr(task(os.getcwd)) == "Task('getcwd')"
    assert isinstance(task(os.getcwd), Task)
    assert isinstance(flow(test_objects_say_what_they_are), Flow)
