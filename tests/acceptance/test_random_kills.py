"""Fifty SIGKILLs of engines and screens at random moments of mixed work, and what must be true afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from flowdeck.deck import ChangeFeed, FlowRun, RunQuery
from flowdeck.rules.exceptions import RefusedError
from flowdeck.store.engines import EngineLock
from flowdeck.store.home import locate
from tests.support.live_home import PATIENCE_SECONDS, LiveHome

KILLS = 50
LONGEST_WAIT_SECONDS = 0.3
MOST_CHANGES = 25
SEED_VARIABLE = "RANDOM_KILLS_SEED"
# Every flow and task says that it begins: what begins twice is there twice. `mark` tells the runs apart.
FLOWS = """
    from flowdeck import unmapped

    def begin(mark):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "begun.txt")
        with open(path, "ab", buffering=0) as begun:
            begun.write(f"{mark}\\n".encode())

    @task
    def item(mark, number):
        begin(f"{mark}/item-{number}")

    @flow
    def steps(mark: str):
        begin(mark)
        for number in range(10):
            get_run_logger().info("step %d", number)
            time.sleep(0.01)

    @flow
    def maps(mark: str):
        begin(mark)
        item.map(unmapped(mark), range(4))

    @flow
    def child(mark: str):
        begin(mark)
        item(mark, 0)

    @flow
    def parent(mark: str):
        begin(mark)
        child(f"{mark}/child")

    @flow
    def fails(mark: str):
        begin(mark)
        item(mark, 0)
        raise ValueError("as it should")

    @flow
    def waits(mark: str):
        begin(mark)
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "released")
        while not os.path.exists(path):
            time.sleep(0.02)

    if __name__ == "__main__":
        globals()[sys.argv[1]](sys.argv[2])
    """
ENDS = {"steps": "Completed", "maps": "Completed", "parent": "Completed", "fails": "Failed", "waits": "Completed"}
BEGINS = {
    "steps": [""],
    "maps": ["", "/item-0", "/item-1", "/item-2", "/item-3"],
    "parent": ["", "/child", "/child/item-0"],
    "fails": ["", "/item-0"],
    "waits": [""],
}


class Mayhem:
    """Makes work, and kills who looks after it."""

    def __init__(self, live: LiveHome, chance: random.Random, feed: ChangeFeed) -> None:
        self.live = live
        self.chance = chance
        self.feed = feed
        self.kills: Counter[str] = Counter()
        self.wanted: dict[str, str] = {}
        """Mark of each run that was asked for -> its flow."""
        self.cancelled: set[str] = set()
        self.commands: list[subprocess.Popen[bytes]] = []
        self.flows = {entry.function: entry for entry in live.deck.flows.entries()}
        self.engine: subprocess.Popen[bytes] | None = None
        """That was started last from here; a screen or a command may have brought up another one."""
        self.terminal = live.screen()

    def go(self) -> None:
        """Kill and start again until there were enough kills."""
        while self.kills.total() < KILLS:
            self.ask_for_runs()
            self.cancel_one()
            self.pass_time()
            victim = self.chance.choice(["engine", "engine", "screen", "both"])
            if victim != "screen":
                self.kill_engine()
            if victim != "engine":
                self.kill_screen()

    def ask_for_runs(self) -> None:
        """Ask for a run or two, of any flow, in any of the ways there are."""
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            function = self.chance.choice(list(ENDS))
            mark = f"{function}-{len(self.wanted)}"
            self.wanted[mark] = function
            way = self.chance.choice(["deck", "deck", "command", "script"])
            if way == "deck":
                self.live.deck.flow_runs.create(self.flows[function], {"mark": mark})
            elif way == "script":
                file = str(self.live.folder / "flows.py")
                self.live.start(arguments=[sys.executable, file, function, mark])
            else:
                words = ["flow-run", "create", function, "-p", f"mark={mark}", "--key", mark]
                self.commands.append(self.live.start(arguments=[sys.executable, "-m", "flowdeck", *words]))

    def cancel_one(self) -> None:
        """Cancel a run that goes on, now and then; those that wait to be released more often."""
        open_runs = [run for run in roots(self.live) if not run.is_final]
        for run in self.chance.sample(open_runs, min(len(open_runs), 2)):
            if self.chance.random() < (0.5 if run.flow_name == "waits" else 0.1):
                with suppress(RefusedError):  # it is over by now
                    self.live.deck.flow_runs.cancel(run.id)
                    self.cancelled.add(mark_of(run))

    def pass_time(self) -> None:
        """Let a random number of changes, or a random time, go by."""
        changes, deadline = self.chance.randrange(MOST_CHANGES), self.chance.random() * LONGEST_WAIT_SECONDS
        deadline += time.monotonic()
        while changes > 0 and (left := deadline - time.monotonic()) > 0:
            changes -= self.feed.wait(left) is not None
            self.terminal.pump(0)

    def kill_engine(self) -> None:
        """SIGKILL the engine that serves the home, or the one that is just coming up; start another, or leave that."""
        serving = self.live.deck.engine.status().pid
        if serving is not None:
            with suppress(ProcessLookupError):
                os.kill(serving, signal.SIGKILL)
                self.kills["engine that serves"] += 1
        elif self.engine is not None and self.engine.poll() is None:
            self.engine.kill()
            self.kills["engine that comes up"] += 1
        if self.chance.random() < 0.8 and (self.engine is None or self.engine.poll() is not None):
            self.engine = self.live.start("flowdeck.service", "--started-by", self.chance.choice(["server", "cli"]))

    def kill_screen(self) -> None:
        """SIGKILL the screen, which may be just coming up, and open another."""
        if self.chance.random() < 0.5:
            self.terminal.wait_for("Quit")
        os.kill(self.terminal.pid, signal.SIGKILL)
        assert self.terminal.wait_for_exit() == -signal.SIGKILL
        self.terminal.close()
        self.kills["screen"] += 1
        self.terminal = self.live.screen()

    def ask_again(self) -> None:
        """Repeat the commands that failed, because the engine that they brought up was killed, with their keys."""
        again = [command.args for command in self.commands if command.wait(PATIENCE_SECONDS) != 0]
        for arguments in again:
            command = self.live.start(arguments=list(arguments))
            assert command.wait(PATIENCE_SECONDS) == 0, self.live.stderr()

    def is_over(self) -> bool:
        """Tell whether nothing is left to do."""
        self.terminal.pump(0)
        return all(run.is_final for run in self.live.all_runs())

    def wrong_ends(self) -> list[str]:
        """Return what is wrong with the runs, in words."""
        wrong: list[str] = []
        by_mark = {mark_of(run): run for run in roots(self.live)}
        for mark, function in self.wanted.items():
            run = by_mark[mark]
            ends = {ENDS[function], "Cancelled"} if mark in self.cancelled else {ENDS[function]}
            if run.state_name not in ends:
                wrong.append(f"{mark} is {run.state_name}: {run.state_message}")
            if [state.state_name for state in self.live.deck.flow_runs.states(run.key)].count("Running") > 1:
                wrong.append(f"{mark} was begun twice")
            said = [int(text.split()[1]) for text in self.live.messages(run, "logger") if text.startswith("step ")]
            if said != list(range(10 if run.state_name == "Completed" and function == "steps" else len(said))):
                wrong.append(f"{mark} logged {said}")
        return wrong

    def wrong_begins(self) -> list[str]:
        """Return what begun more or less often than it should, in words."""
        begun = Counter((self.live.folder / "begun.txt").read_text(encoding="utf-8").split())
        right = {f"{mark}{part}" for mark, function in self.wanted.items() for part in BEGINS[function]}
        needed = {name for name in right if name.partition("/")[0] not in self.cancelled}
        wrong = [f"{name} began {count} times" for name, count in begun.items() if count > 1 or name not in right]
        return wrong + [f"{name} never began" for name in needed - begun.keys()]


def roots(live: LiveHome) -> list[FlowRun]:
    """Return all runs but subflow runs."""
    return live.deck.flow_runs.select(RunQuery(roots_only=True, limit=0))


def mark_of(run: FlowRun) -> str:
    """Return what tells a run from others."""
    return str(run.parameters["mark"])


@pytest.fixture
def mayhem(live: LiveHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mayhem]:
    """Begins with one engine, one screen, and flows that are known."""
    for name, value in live.environment.items():
        monkeypatch.setenv(name, value)  # this process asks for runs too, as a front end of that home
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(10**6))
    print(f"{SEED_VARIABLE}={seed}")
    live.flow(FLOWS)
    live.deck.folders.watch(live.folder)
    live.start_engine()
    live.until(lambda: len(live.deck.flows.entries()) == len(ENDS) + 1)
    with live.deck.changes() as feed:
        made = Mayhem(live, random.Random(seed), feed)
        yield made
        made.terminal.close()


def test_fifty_random_kills_lose_stick_and_double_no_run(live: LiveHome, mayhem: Mayhem) -> None:
    """What was asked for ends as its flow says, having begun once; nobody is left behind, and the store is whole."""
    mayhem.go()
    (live.folder / "released").touch()
    live.deck.engine.ensure(started_by="server")
    mayhem.ask_again()
    live.until(mayhem.is_over, 60)
    print(dict(mayhem.kills), f"{len(mayhem.wanted)} runs, {len(mayhem.cancelled)} cancels")

    assert sorted(map(mark_of, roots(live))) == sorted(mayhem.wanted)
    assert mayhem.wrong_ends() == []
    assert mayhem.wrong_begins() == []

    mayhem.terminal.press("q")
    assert mayhem.terminal.wait_for_exit() == 0
    live.deck.engine.stop()
    live.until(lambda: not live.processes())
    lock = EngineLock(locate(live.deck.home))
    assert lock.acquire()
    lock.release()
    assert live.database.reader().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
