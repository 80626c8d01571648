"""Scripts whose calls run in worker processes: what is imported there, what is replayed, and who ends with whom."""

from __future__ import annotations

import signal

import pytest

from flowdeck.deck import Deck
from tests.support.processes import is_alive, wait_until
from tests.support.scripts import Scripts


def test_retry_replays_calls_of_workers(scripts: Scripts, deck: Deck) -> None:
    """What a worker had recorded, its own nested calls too, does not run again in the flow's next attempt."""
    body = """
        from flowdeck.task_runners import ProcessPoolTaskRunner

        def note(text):
            with open("ran.txt", "a") as file:
                file.write(text + "\\n")

        @task
        def nested(number):
            note(f"nested {number}")
            return number

        @task
        def work(number):
            note(f"work {number}")
            nested(number)
            if number == 2 and not os.path.exists("again"):
                open("again", "w").close()
                raise ValueError("once")
            return number

        @flow(task_runner=ProcessPoolTaskRunner(max_workers=1), retries=1)
        def main():
            return work.map([1, 2]).result()

        if __name__ == "__main__":
            main()
    """
    ended = scripts.run(body)
    assert ended.code == 0, ended.err
    ran = (scripts.folder / "ran.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert ran == ["work 1", "nested 1", "work 2", "nested 2", "work 2"]
    assert deck.flow_runs.select()[0].attempt == 2


UNGUARDED = """
    from flowdeck.task_runners import ProcessPoolTaskRunner

    class Point:
        def __init__(self, x):
            self.x = x

    @task
    def work(x):
        return Point(x + 1)

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
    def main():
        return [point.x for point in work.map([1, 2]).result()]

    print("result", main())

    @task
    def below(x):
        return x

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def second():
        return below.submit(1).result()

    try:
        second()
    except Exception as error:
        print(error)
"""


def test_script_without_a_guard(scripts: Scripts, deck: Deck) -> None:
    """Its flow does not run again in its workers; what stands below the call is not there, and a sentence says so."""
    ended = scripts.run(UNGUARDED)
    result, sentence = ended.out.splitlines()
    assert result == "result [2, 3]"
    assert sentence.startswith(
        "Its function or its arguments cannot be read in a process: 'below' is defined below the"
    )
    assert sentence.endswith('put that call under `if __name__ == "__main__":`.')
    assert len(deck.flow_runs.select()) == 2


def test_script_that_cannot_be_imported(scripts: Scripts) -> None:
    """A worker that cannot import the script says which line is at fault, and the flow fails with that."""
    ended = scripts.run("""
        from flowdeck.task_runners import ProcessPoolTaskRunner

        if os.environ.setdefault("FIRST", str(os.getpid())) != str(os.getpid()):
            raise RuntimeError("only once")

        @task
        def work():
            return 1

        @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
        def main():
            return work.submit().result()

        if __name__ == "__main__":
            main()
    """)
    assert ended.code == 1
    sentence = ended.err.strip().splitlines()[-1]
    assert sentence.endswith(f"{scripts.folder / 'my_flow.py'} cannot be imported: RuntimeError: only once (line 8).")


BUSY = """
    from flowdeck.task_runners import ProcessPoolTaskRunner

    @task(retries=3)
    def work(x):
        open(f"begun-{os.getpid()}", "w").close()
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
    def main():
        work.map([1, 2, 3])

    if __name__ == "__main__":
        main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_flow(scripts: Scripts, deck: Deck, number: signal.Signals) -> None:
    """Ctrl-C, a polite end and SIGKILL of the flow's process: no worker is left, and none says anything."""
    script = scripts.start(BUSY)
    wait_until(lambda: len(list(scripts.folder.glob("begun-*"))) == 2)
    workers = [int(path.name.partition("-")[2]) for path in scripts.folder.glob("begun-*")]
    script.process.send_signal(number)
    ended = script.end()
    wait_until(lambda: not any(is_alive(pid) for pid in workers))
    assert "worker_process" not in ended.err
    if number != signal.SIGKILL:
        (run,) = deck.flow_runs.select()
        assert run.state_name == "Cancelled"
        assert {call.state_name for call in deck.task_runs.of_flow_run(run.key)} == {"Cancelled"}
