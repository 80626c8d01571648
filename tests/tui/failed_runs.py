"""Failed runs to be opened, and the way to a tab of theirs."""

from __future__ import annotations

from flowdeck.deck import FlowRun, RunError
from flowdeck.rules.clock import to_microseconds
from flowdeck.rules.states import State, StateType, named
from flowdeck.store.calls import task_runs
from flowdeck.store.run_values import CALLS_PER_RUN
from flowdeck_tui.widgets.tab_bar import Tab
from tests.tui.harness import AppPilot, press
from tests.tui.seeded_home import NOW, Call, SeededHome

ERROR = RunError(
    "ValueError",
    "no row\nin table t",
    'Traceback (most recent call last):\n  File "flows.py", line 7, in load\n    raise ValueError\nValueError: no row',
    "/x/flows.py",
    7,
)


def seed_failed(home: SeededHome, items: int = 12) -> FlowRun:
    """A failed run: a call, a map of which the fourth and the eighth item failed, a call, a subflow run."""
    load = [Call("load", group=1) for _ in range(items)]
    for index in (3, 7):
        load[index] = Call("load", "Failed", group=1, message="ValueError: no row")
    run = home.run(
        "calm-heron",
        state="Failed",
        calls=[Call("extract"), *load, Call("notify")],
        error=ERROR,
        message="ValueError: no row",
        parameters={"days": 3, "text": "a\x1b[31mb\nc", "rows": list(range(200))},
    )
    home.log(run, *[f"before {number}" for number in range(60)])
    home.log(run, "it broke here", level=40)
    home.log(run, *[f"after {number}" for number in range(60)])
    home.run("tidy-dune", "checks", parent=run)
    return run


def many_items(home: SeededHome, run: FlowRun, count: int) -> None:
    """Give a run a map of so many items, every thousandth of which failed."""
    first, at = run.key * CALLS_PER_RUN, to_microseconds(NOW)

    def write(connection: object) -> None:
        for number in range(1, count + 1):
            new = task_runs.NewTaskRun(
                id=first + number, flow_run_key=run.key, flow_attempt=1, incarnation=1, task_name="load",
                index=number - 1, name=None, group=1, parent_id=None, task_key="flows.load", input_key=None,
                occurrence=0, upstream=None, tags=None,
            )  # fmt: skip
            task_runs.insert(connection, new, named("Running"), at, at, "thread-1")  # type: ignore[arg-type]
            failed = State(StateType.FAILED, "Failed", "ValueError: no row")
            final = named("Completed") if number % 1000 else failed
            task_runs.set_final(connection, first + number, 1, final, at + number, None)  # type: ignore[arg-type]

    home.database.write(write)


async def show_tab(pilot: AppPilot, tab: Tab) -> None:
    """Press ] until the tab is shown."""
    detail = pilot.app.runs_pane.detail
    for _ in Tab:
        if detail.view.tab is tab:
            return
        await press(pilot, "]")
    raise AssertionError(f"] never came to {tab}")
