"""`python my_flow.py`: what it records, how it exits, what it shows, and how signals and kills end it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.rules.states import StateType
from tests.support.scripts import Scripts

LastRun = Callable[[], FlowRun]
Calls = Callable[[], list[TaskRun]]

WAITS = """
    @task
    def step(number):
        get_run_logger().info("step %d", number)

    @task
    def long():
        try:
            print("waiting", flush=True)
            time.sleep(60)
        finally:
            print("tidied up", flush=True)
"""


# -- exit codes --------------------------------------------------------------------------------------------------------


def test_script_that_completes(scripts: Scripts, last_run: LastRun) -> None:
    """Exit 0; nothing of ours on stdout."""
    ended = scripts.run("""
        @flow(log_prints=True)
        def main():
            print("logged")
        main()
        print("printed")
    """)
    assert (ended.code, ended.out) == (0, "printed\n")
    assert "Run" in ended.err
    run = last_run()
    assert run.state_name == "Completed"
    assert (run.pid is not None, run.host_pid, run.exit_code) == (True, None, None)


def test_script_that_fails(scripts: Scripts, last_run: LastRun) -> None:
    """Exit 1, and Python's own traceback with the author's lines."""
    ended = scripts.run("""
        @task
        def load():
            raise ValueError("no rows")
        @flow
        def main():
            load()
        main()
    """)
    assert ended.code == 1
    assert 'raise ValueError("no rows")' in ended.err
    assert ended.err.endswith("ValueError: no rows\n")
    assert last_run().state_name == "Failed"


@pytest.mark.parametrize(("code", "exit_code"), [("3", 3), ("0", 0), ("'bye'", 1)])
def test_sys_exit_in_a_flow(scripts: Scripts, last_run: LastRun, code: str, exit_code: int) -> None:
    """It ends the script as it says; the run did not complete."""
    ended = scripts.run(f"""
        @flow
        def main():
            sys.exit({code})
        main()
    """)
    assert ended.code == exit_code
    assert (last_run().state_name, last_run().state_message) == ("Crashed", f"sys.exit({code}) was called.")


def test_refused_parameter_shows_the_authors_line(scripts: Scripts) -> None:
    """It is her call that does not fit."""
    ended = scripts.run("""
        @flow
        def main(day: int): ...
        main("soon")
    """)
    assert ended.code == 1
    assert 'main("soon")' in ended.err
    assert 'ParameterError: flow "main"' in ended.err


@pytest.mark.parametrize("asynchronous", [False, True])
def test_home_that_cannot_be_used_is_one_sentence(scripts: Scripts, asynchronous: bool) -> None:
    """No traceback of ours: what was seen, where, and what to do."""
    scripts.home.rename(scripts.home.with_name("away"))
    scripts.home.write_text("a file")
    call = "import asyncio; asyncio.run(main())" if asynchronous else "main()"
    ended = scripts.run(f"""
        @flow
        {"async " if asynchronous else ""}def main(): ...
        {call}
    """)
    assert ended.code == 1
    sentence = f"The home folder {scripts.home} cannot be created: File exists. Set FLOWDECK_HOME to a folder you own."
    assert ended.err == f"flowdeck: {sentence}\n"


def test_author_catches_what_is_wrong_with_the_home(scripts: Scripts) -> None:
    """It is an exception like any other; her own hook for others stays in place."""
    scripts.home.rename(scripts.home.with_name("away"))
    scripts.home.write_text("a file")
    ended = scripts.run("""
        from flowdeck.rules.exceptions import StoreError
        sys.excepthook = lambda kind, error, traceback: print("hook:", kind.__name__)
        @flow
        def main(): ...
        try:
            main()
        except StoreError as error:
            print("caught")
        raise KeyError
    """)
    assert ended.out == "caught\nhook: KeyError\n"


def test_wrong_setting_is_one_sentence(scripts: Scripts) -> None:
    """It names file and line."""
    (scripts.home / "config.toml").write_text('logging_level = "LOUD"\n')
    ended = scripts.run("""
        @flow
        def main(): ...
        main()
    """)
    assert ended.code == 1
    assert ended.err.startswith(f"flowdeck: {scripts.home}/config.toml, line 1: 'LOUD' is not a valid logging_level.")
    assert ended.err.count("\n") == 1


def test_disk_that_gets_full_in_the_middle(scripts: Scripts, deck: Deck) -> None:
    """The task call that cannot be recorded raises; nothing was acknowledged that is not there."""
    ended = scripts.run("""
        from flowdeck.execution.starts.run_creation import shared_database
        @task
        def step(): ...
        @flow
        def main():
            step()
            writer = shared_database()._writer
            writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
            for _ in range(2000):
                step()
        main()
    """)
    assert ended.code == 1
    assert ended.err.endswith(f"flowdeck: The disk that holds {scripts.home} is full; nothing was written.\n")
    run = deck.flow_runs.select()[0]
    assert run.task_counts.total == len(deck.task_runs.of_flow_run(run.key)) > 0


# -- signals -----------------------------------------------------------------------------------------------------------


SYNC = (
    WAITS
    + """
    @flow
    def main():
        long()
    main()
"""
)
ASYNC = """
    import asyncio
    @task
    async def long():
        try:
            print("waiting", flush=True)
            await asyncio.sleep(60)
        finally:
            print("tidied up", flush=True)
    @flow
    async def main():
        await long()
    asyncio.run(main())
"""


@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_ctrl_c(scripts: Scripts, last_run: LastRun, calls: Calls, body: str) -> None:
    """`finally` blocks run, flow and task are Cancelled, and the shell sees that it was Ctrl-C."""
    script = scripts.start(body)
    assert script.line() == "waiting"
    script.process.send_signal(signal.SIGINT)
    ended = script.end()
    assert (ended.code, ended.out) == (-signal.SIGINT, "tidied up\n")
    assert (last_run().state_name, calls()[0].state_name) == ("Cancelled", "Cancelled")


@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_sigterm(scripts: Scripts, last_run: LastRun, calls: Calls, body: str) -> None:
    """The same; one sentence, and the exit code of a shell for SIGTERM."""
    script = scripts.start(body)
    assert script.line() == "waiting"
    script.process.send_signal(signal.SIGTERM)
    ended = script.end()
    assert (ended.code, ended.out) == (143, "tidied up\n")
    assert ended.err.endswith("flowdeck: The process was asked to end (SIGTERM).\n")
    assert "Traceback" not in ended.err
    run = last_run()
    assert (run.state_name, run.state_message) == ("Cancelled", "The process was asked to end (SIGTERM).")
    assert calls()[0].state_name == "Cancelled"


@pytest.mark.parametrize("body", ["long.submit()", "long.submit(); time.sleep(60)"], ids=["waits", "in its body"])
def test_ctrl_c_while_submitted_calls_run(scripts: Scripts, deck: Deck, body: str) -> None:
    """What has begun is waited for, and the log says so; a second one ends the script, and no row is left running."""
    script = scripts.start(
        WAITS
        + f"""
    @flow
    def main():
        {body}
    main()
"""
    )
    assert script.line() == "waiting"
    script.process.send_signal(signal.SIGINT)
    assert script.process.stderr is not None
    for line in script.process.stderr:
        if "1 submitted task call has begun: waiting 9 s at most" in line and "A second signal ends the run" in line:
            break
    else:
        pytest.fail("it did not say what it waits for")
    script.process.send_signal(signal.SIGINT)
    assert script.end().code == -signal.SIGINT
    run = deck.flow_runs.select()[0]
    assert run.state_name == "Cancelled"
    (call,) = deck.task_runs.of_flow_run(run.key)
    assert (call.state_name, call.state_message) == ("Cancelled", "Its flow run ended before it did.")


def test_ctrl_c_while_a_task_waits_for_its_retry(scripts: Scripts, deck: Deck) -> None:
    """The row does not say that it waits for ever."""
    script = scripts.start("""
        @task(retries=1, retry_delay_seconds=60)
        def load():
            raise ValueError
        @flow
        def main():
            load()
        main()
    """)
    assert script.process.stderr is not None
    for line in script.process.stderr:
        if "The next one in 60 s" in line:
            break
    else:
        pytest.fail("it did not say that it waits")
    while not any(
        call.state_name == "AwaitingRetry" for call in deck.task_runs.of_flow_run(deck.flow_runs.select()[0].key)
    ):
        pass
    script.process.send_signal(signal.SIGINT)
    assert script.end().code == -signal.SIGINT
    run = deck.flow_runs.select()[0]
    assert [one.state_name for one in (run, *deck.task_runs.of_flow_run(run.key))] == ["Cancelled", "Cancelled"]


def test_handlers_of_the_author_stay(scripts: Scripts, last_run: LastRun) -> None:
    """Who handles a signal herself is not overruled; ours are gone after the flow."""
    ended = scripts.run("""
        def mine(*_):
            print("mine")
        signal.signal(signal.SIGTERM, mine)
        @flow
        def main():
            os.kill(os.getpid(), signal.SIGTERM)
        before = signal.getsignal(signal.SIGINT)
        main()
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is before
    """)
    assert (ended.code, ended.out) == (0, "mine\n"), ended.err
    assert last_run().state_name == "Completed"


def test_script_is_cancelled_at_its_next_task_call(scripts: Scripts, deck: Deck) -> None:
    """Deck marks the row; the script sees it when it next calls a task, and its `except Exception` does not stop it."""
    script = scripts.start(
        WAITS
        + """
    @flow
    def main():
        step(1)
        print("one step", flush=True)
        sys.stdin.readline()
        try:
            step(2)
        except Exception:
            print("swallowed", flush=True)
        print("went on", flush=True)
    main()
"""
    )
    assert script.line() == "one step"
    run = deck.flow_runs.select()[0]
    assert deck.flow_runs.cancel(run.id).state_type is StateType.CANCELLING
    script.tell()
    ended = script.end()
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("flowdeck: Cancelled on request.\n")
    run = deck.flow_runs.select()[0]
    assert (run.state_name, run.state_message) == ("Cancelled", "Cancelled on request.")
    assert [call.state_name for call in deck.task_runs.of_flow_run(run.key)] == ["Completed"]
