"""Runs that are killed and retried in new processes: what was recorded is not run again."""

from __future__ import annotations

import random
import signal

from flowdeck.deck import FlowRun
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome

WORKERS = 8
ITEMS = 200
KILLED_AT = 137


def side_effects(live: LiveHome) -> list[str]:
    """Return the lines of the file that flows append to, one a call of a body."""
    path = live.folder / "effects.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def attempt(live: LiveHome, run: FlowRun) -> FlowRun:
    """Run the next attempt of a run to its end."""
    host = live.start_host(run)
    host.wait(30)
    return live.now(run)


EFFECT = """
    def effect(text):
        with open("effects.txt", "a") as file:
            file.write(f"{text}\\n")
"""


def test_map_that_is_killed_goes_on_where_it_was(live: LiveHome) -> None:
    """Of 200 items, killed when 137 have begun, only those that had not completed run again."""
    live.environment["FLOWDECK_TASK_RUNNER_MAX_WORKERS"] = str(WORKERS)
    run = live.create(
        EFFECT
        + f"""
    import itertools

    begun = itertools.count()
    is_first = not os.path.exists("effects.txt")

    @task
    def work(item):
        if next(begun) >= {KILLED_AT} and is_first:
            os.kill(os.getpid(), signal.SIGKILL)
        effect(item)
        return item

    @flow
    def main():
        return sum(work.map(range({ITEMS})).result())
    """
    )
    crashed = attempt(live, run)
    assert (crashed.state_type, crashed.signal) == (StateType.CRASHED, signal.SIGKILL)
    before = side_effects(live)
    assert KILLED_AT - WORKERS <= len(before) <= KILLED_AT
    live.deck.flow_runs.retry(run.id)
    done = attempt(live, run)
    assert done.state_type is StateType.COMPLETED, live.log(run)
    after = side_effects(live)[len(before) :]
    assert ITEMS - KILLED_AT <= len(after) <= ITEMS - KILLED_AT + WORKERS
    assert set(before) | set(after) == set(map(str, range(ITEMS)))
    calls = live.deck.task_runs.of_flow_run(run.key)
    assert sum(call.reused for call in calls) == ITEMS - len(after)


DIES_AT_RANDOM = (
    EFFECT
    + """
    import asyncio, random, itertools

    calls = itertools.count()
    dies_at = int(open("dies_at").read())

    def step(name):
        time.sleep(random.random() / 500)
        if next(calls) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        effect(name)

    @task
    def threaded(item):
        step(f"threaded-{item}")
        return item

    @task
    async def awaited(item):
        await asyncio.sleep(random.random() / 500)
        step(f"awaited-{item}")
        return item

    @flow
    async def gathered():
        return sum(await asyncio.gather(*(awaited(item) for item in random.sample(range(40), 40))))

    @flow
    def main():
        order = random.sample(range(60), 60)
        futures = [threaded.submit(item) for item in order]
        total = sum(future.result() for future in random.sample(futures, len(futures)))
        total += asyncio.run(gathered())
        return total + threaded(1000)
    """
)


def test_fifty_kills_in_random_order_run_no_recorded_call_again(live: LiveHome) -> None:
    """Threads, coroutines and `as they come`: the process dies at random, and each recorded call has run once."""
    seed = 20_261_122
    chance = random.Random(seed)
    run = live.create(DIES_AT_RANDOM)
    dies_at = live.folder / "dies_at"
    recorded: set[str] = set()
    for _ in range(50):
        dies_at.write_text(str(chance.randint(0, 5)))
        seen = len(side_effects(live))
        ended = attempt(live, run)
        assert not recorded & set(side_effects(live)[seen:]), f"a recorded call ran again (seed {seed})"
        if ended.state_type is not StateType.CRASHED:
            break
        recorded |= completed(live, run)
        live.deck.flow_runs.retry(run.id)
    dies_at.write_text("100000")
    done = attempt(live, run) if live.now(run).state_type is StateType.SCHEDULED else live.now(run)
    assert done.state_type is StateType.COMPLETED, [record.message for record in live.log(run)][-20:]
    assert done.attempt > 20
    assert len(set(side_effects(live))) == 101
    recorded |= completed(live, run)
    assert len(recorded) == 101


def completed(live: LiveHome, run: FlowRun) -> set[str]:
    """Return the calls that the current attempt of a run and its subflows has recorded, by task and item."""
    keys = [run.key, *(child.key for child in live.deck.flow_runs.subflows(run.key))]
    calls = [call for key in keys for call in live.deck.task_runs.of_flow_run(key)]
    return {f"{call.task_name}-{call.result_preview}" for call in calls if call.state_type is StateType.COMPLETED}
