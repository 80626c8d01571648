"""Forks, by hand and by multiprocessing: each run is recorded by the process that began it, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowdeck.deck import Deck, FlowRun, RunQuery
from tests.support.scripts import Scripts

LastRun = Callable[[], FlowRun]


def test_flow_in_a_forked_worker(scripts: Scripts, deck: Deck) -> None:
    """multiprocessing by fork, from outside and from inside of a flow: each run is recorded with its calls."""
    ended = scripts.run("""
        import multiprocessing
        context = multiprocessing.get_context("fork")
        @task
        def double(number):
            return 2 * number
        @flow
        def inner(number):
            return double(number) + double.submit(number).result()
        @flow
        def outer():
            with context.Pool(2) as pool:
                return pool.map(inner, [1, 2])
        if __name__ == "__main__":
            with context.Pool(2) as pool:
                assert pool.map(inner, [1, 2]) == [4, 8]
            assert outer() == [4, 8]
    """)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    runs = deck.flow_runs.select(RunQuery(limit=0))
    assert {run.state_name for run in runs} == {"Completed"}
    assert sorted(run.flow_name for run in runs) == ["inner"] * 4 + ["outer"]
    assert [child.flow_name for child in deck.flow_runs.subflows(deck.flow_runs.select()[0].key)] == ["inner", "inner"]
    assert {run.task_counts.completed for run in runs} == {2, 0}


def test_flow_in_a_spawned_worker(scripts: Scripts, deck: Deck) -> None:
    """multiprocessing by spawn: flows and tasks are sent by their names."""
    ended = scripts.run("""
        import multiprocessing
        @flow
        def inner(number):
            return number
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                assert pool.map(inner, [1, 2]) == [1, 2]
    """)
    assert ended.code == 0, ended.err
    assert [run.flow_name for run in deck.flow_runs.select()] == ["inner", "inner"]


def test_task_called_in_a_forked_worker(scripts: Scripts, deck: Deck) -> None:
    """Only the flow's own process numbers its calls: one sentence says what to do instead."""
    ended = scripts.run("""
        import multiprocessing
        @task
        def double(number):
            return 2 * number
        @flow
        def main():
            with multiprocessing.get_context("fork").Pool(1) as pool:
                pool.map(double, [1])
        if __name__ == "__main__":
            main()
    """)
    assert ended.code == 1
    assert "Task 'double' was called in a process that was forked from that of its flow run" in ended.err
    run = deck.flow_runs.select()[0]
    assert (run.state_name, run.task_counts.total) == ("Failed", 0)


@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)", "return"])
def test_fork_in_a_task(scripts: Scripts, deck: Deck, log_of: Callable[..., list[str]], leave: str) -> None:
    """However the child leaves the task: the run is recorded by the process that began it, once."""
    ended = scripts.run(f"""
        @task
        def work():
            child = os.fork()
            if child == 0:
                {leave}
            os.waitpid(child, 0)
        @flow
        def main():
            work()
        main()
    """)
    assert ended.code == 0, ended.err
    run = deck.flow_runs.select()[0]
    assert (run.state_name, [call.state_name for call in deck.task_runs.of_flow_run(run.key)]) == (
        "Completed",
        ["Completed"],
    )
    assert sum("ended:" in line for line in log_of("engine")) == 1


def test_forked_worker_ends_at_sigterm(scripts: Scripts, last_run: LastRun) -> None:
    """multiprocessing ends its workers so: they do not take it for the end of the run."""
    ended = scripts.run("""
        @flow
        def main():
            ready, tell = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(tell, b"x")
                time.sleep(60)
                os._exit(0)
            os.read(ready, 1)
            os.kill(child, signal.SIGTERM)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        main()
    """)
    assert (ended.code, ended.out) == (0, f"{-15}\n"), ended.err
    assert last_run().state_name == "Completed"


def test_lines_of_a_forked_child(scripts: Scripts, last_run: LastRun, log_of: Callable[..., list[str]]) -> None:
    """What a child of a task logs is in the run's log, as of that task."""
    ended = scripts.run("""
        @task
        def work():
            child = os.fork()
            if child == 0:
                for _ in range(3):
                    get_run_logger().warning("from the child")
                os._exit(0)
            os.waitpid(child, 0)
        @flow
        def main():
            work()
        main()
    """)
    assert ended.code == 0, ended.err
    assert log_of("logger") == ["from the child"] * 3


def test_daemon_that_goes_on_when_its_parent_has_ended(scripts: Scripts, deck: Deck) -> None:
    """Fork, let the parent go, run more flows: they are recorded, and nothing is lost behind the parent's back."""
    ended = scripts.run("""
        @flow
        def main(number): ...
        main(1)
        gone, held = os.pipe()
        parent = os.fork()
        if parent:
            os._exit(0) if len(sys.argv) > 1 else sys.exit()
        os.close(held)
        os.read(gone, 1)  # the parent is gone when its end of the pipe is
        main(2)
    """)
    assert ended.code == 0, ended.err
    assert sorted(run.parameters["number"] for run in deck.flow_runs.select()) == [1, 2]
    assert {run.state_name for run in deck.flow_runs.select()} == {"Completed"}
