"""Cancelling runs from Python: from scripts, from flows, of the own run and of others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowdeck import flow, task
from flowdeck.deck import Deck
from flowdeck.flow_runs import cancel_flow_run
from flowdeck.rules.exceptions import AmbiguousError, CancelledRun, NotFoundError, RefusedError
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome, is_running


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHome]:
    home = LiveHome(tmp_path, {"FLOWDECK_CANCEL_GRACE_SECONDS": "1"})
    yield home
    home.close()


WAITS = """
    @flow
    def main():
        get_run_logger().info("waits")
        while True: time.sleep(0.05)
    """


def test_unknown_ambiguous_or_ended_run_is_refused(deck: Deck) -> None:
    """Each with its own error, in a sentence."""

    @flow
    def quick() -> None: ...

    quick()
    quick()
    first, second = deck.flow_runs.select()
    with pytest.raises(NotFoundError, match="no flow run 'nothing'"):
        cancel_flow_run("nothing")
    with pytest.raises(RefusedError, match="is over already: Completed"):
        cancel_flow_run(first.id)
    assert first.id[:6] == second.id[:6]  # ids begin with the time
    with pytest.raises(AmbiguousError, match="several flow runs"):
        cancel_flow_run(first.id[:6])


def test_flow_that_cancels_itself_ends_there(deck: Deck) -> None:
    """`finally` runs, nothing behind the call does; a subflow may name the run that it belongs to, not itself."""
    steps: list[str] = []

    @flow
    def below() -> None:
        root = deck.flow_runs.select()[0]
        (own,) = deck.flow_runs.subflows(root.key)
        with pytest.raises(RefusedError, match=f"is a subflow.*cancel {root.id}"):
            cancel_flow_run(own.id)
        try:
            cancel_flow_run(root.id)
            steps.append("went on")
        finally:
            steps.append("tidied up")

    @flow
    def main() -> None:
        below()
        steps.append("went on")

    with pytest.raises(CancelledRun):
        main()
    (run,) = deck.flow_runs.select()
    assert (run.state_type, run.state_message) == (StateType.CANCELLED, "Cancelled on request.")
    assert deck.flow_runs.subflows(run.key)[0].state_type is StateType.CANCELLED
    assert steps == ["tidied up"]


def test_flow_that_cancels_itself_in_a_task(deck: Deck, log_of: Callable[..., list[str]]) -> None:
    """Also where the call runs in a thread of the task runner."""

    @task
    def stop(run_id: str) -> None:
        cancel_flow_run(run_id)

    @flow
    def main() -> None:
        stop.submit(deck.flow_runs.select()[0].id).wait()
        stop("not reached")

    with pytest.raises(CancelledRun):
        main()
    assert deck.flow_runs.select()[0].state_type is StateType.CANCELLED


def test_flow_cancels_a_run_of_a_host(live: LiveHome) -> None:
    """By its name, without an engine: the state that it is in is returned, and its host ends it."""
    other = live.create(WAITS, name="the-other")
    host = live.start_host(other)
    live.until_said(other, "waits")
    script = live.start_script("""
        from flowdeck import cancel_flow_run

        @flow
        def main():
            state = cancel_flow_run("the-other")
            assert (state.name, state.is_cancelling()) == ("Cancelling", True), state

        main()
        """)
    assert script.wait(30) == 0, live.stderr()
    assert host.wait(30) == 0
    assert live.now(other).state_type is StateType.CANCELLED


def test_run_that_has_not_started_is_cancelled_at_once(live: LiveHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from plain Python, outside of any flow."""
    monkeypatch.setenv("FLOWDECK_HOME", str(live.deck.home))
    run = live.create(WAITS)
    assert cancel_flow_run(run.id, force=True).is_cancelled()
    assert live.now(run).state_message == "Cancelled by force."


def test_script_waiting_for_its_retry_sees_a_cancel_without_an_engine(live: LiveHome) -> None:
    """Soon, not at the end of the delay."""
    script = live.start_script("""
        @flow(retries=1, retry_delay_seconds=1000)
        def main(): raise ValueError("no")

        main()
        """)
    run = live.until(live.all_runs)[0]
    live.until_named(run, "AwaitingRetry")
    live.deck.flow_runs.cancel(run.id)
    assert live.until_over(run).state_type is StateType.CANCELLED
    assert script.wait(10) != 0


ORPHAN = """
        detached = "setsid sh -c 'echo $$ > %s; trap : TERM; while :; do sleep 0.05; done' & exit"
        subprocess.run(["sh", "-c", detached], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""


@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_orphan_of_a_cancelled_script_is_ended(live: LiveHome, ends_by_itself: bool) -> None:
    """A process that has left parent, group and session carries the run's id; so do those of a nested script."""
    told = live.folder / "orphan"
    wait = "step()" if ends_by_itself else "time.sleep(0.05)"
    script = live.start_script(f"""
    @task
    def step(): time.sleep(0.05)

    @flow
    def main():
        assert os.environ["FLOWDECK_RUN_ID"]
{ORPHAN % told}
        while True: {wait}

    try:
        main()
    finally:
        assert "FLOWDECK_RUN_ID" not in os.environ
        if {ends_by_itself}: time.sleep(0.5)
    """)
    orphan = int(live.until(lambda: told.exists() and told.read_text().strip()))
    live.start_engine()
    (run,) = live.all_runs()
    live.deck.flow_runs.cancel(run.id)
    assert live.until_over(run).state_type is StateType.CANCELLED
    script.wait(30)
    live.until(lambda: not is_running(orphan))


def test_cancel_of_a_script_ends_a_script_that_it_started(live: LiveHome) -> None:
    """That one records its cancel by itself: it is a run of its own, with an id of its own in its environment."""
    live.flow("""
        @flow
        def inner():
            get_run_logger().info(os.environ["FLOWDECK_RUN_ID"])
            while True: time.sleep(0.05)

        inner()
        """, file="inner.py")  # fmt: skip
    script = live.start_script(f"""
        @flow
        def outer():
            # Not `run`: that one kills at once what it waits for.
            subprocess.Popen([{sys.executable!r}, {str(live.folder / "inner.py")!r}]).wait()

        outer()
        """)
    runs = live.until(lambda: len(found := live.all_runs()) == 2 and {run.flow_name: run for run in found})
    inner, outer = runs["inner"], runs["outer"]
    assert live.until(lambda: live.messages(inner, "logger")) == [inner.id]
    live.start_engine()
    live.deck.flow_runs.cancel(outer.id)
    assert live.until_over(outer).state_type is StateType.CANCELLED
    assert live.until_over(inner).state_type is StateType.CANCELLED
    assert script.wait(30) != 0


def test_two_flows_at_a_time_share_one_environment(live: LiveHome) -> None:
    """The first has it, and gives it back; the second neither takes it over nor takes it away."""
    script = live.start_script("""
        import threading
        begun, go = threading.Event(), threading.Event()
        seen = []

        @flow
        def first():
            seen.append(os.environ["FLOWDECK_RUN_ID"])
            second_run = threading.Thread(target=second)
            second_run.start()
            begun.wait()
            seen.append(os.environ["FLOWDECK_RUN_ID"])
            return second_run

        @flow
        def second():
            begun.set()
            go.wait()

        second_run = first()
        assert seen[0] == seen[1]
        assert "FLOWDECK_RUN_ID" not in os.environ
        go.set()
        second_run.join()
        assert "FLOWDECK_RUN_ID" not in os.environ
        """)
    assert script.wait(30) == 0, live.stderr()
    assert {run.state_type for run in live.all_runs()} == {StateType.COMPLETED}
