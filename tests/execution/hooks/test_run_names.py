"""Names of runs: templates and functions that name runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowdeck import flow, runtime, task
from flowdeck.deck import Deck, FlowRun, TaskRun
from flowdeck.execution.starts import run_creation
from flowdeck.rules.runs.run_names import NAME_LENGTH_MAX, is_drawn, new_run_name
from flowdeck.store.runs import flow_runs
from tests.execution.dialects import Dialect

Calls = Callable[[], list[TaskRun]]
LastRun = Callable[[], FlowRun]
LogOf = Callable[..., list[str]]


class BrokenError(Exception):
    """What a user raises."""


def test_flow_run_name_from_parameters(dialect: Dialect, last_run: LastRun, log_of: LogOf) -> None:
    """With format specs, coerced parameters, defaults, and what is known of the run."""

    @dialect.flow(flow_run_name="{region}-{day:02d} of {flow_run.flow_name}")
    async def nightly(day: int, region: str = "eu") -> None: ...

    dialect.run(nightly, "4")
    assert last_run().name == "eu-04 of nightly"
    assert log_of("engine")[0].startswith("Run 'eu-04 of nightly' of flow 'nightly' started")


def test_flow_run_name_from_a_function(dialect: Dialect, last_run: LastRun) -> None:
    """Without arguments; `runtime` tells it what the run is."""

    def name() -> str:
        return f"{runtime.flow_run.flow_name} with {runtime.flow_run.parameters['day']}"

    @dialect.flow(flow_run_name=name)
    async def nightly(day: int) -> None: ...

    dialect.run(nightly, 4)
    assert last_run().name == "nightly with 4"


def test_task_run_name_from_resolved_parameters(dialect: Dialect, calls: Calls) -> None:
    """Called, submitted with a future, mapped; logs and lists have it."""

    @dialect.task(task_run_name="load {page} of {flow_run.name}")
    async def load(page: int, times: int = 2) -> int:
        return page * times

    @dialect.flow(flow_run_name="all")
    async def main() -> None:
        first = await dialect.call(load, 1)
        second = load.submit(first)
        third = load.submit(second)
        assert second.name == "load 2 of all"
        third.wait()
        load.map([7, 8]).wait()

    dialect.run(main)
    assert [call.name for call in calls()] == [f"load {page} of all" for page in (1, 2, 4, 7, 8)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (lambda: "constant", "constant"),
        (lambda parameters: f"page {parameters['page']}", "page 3"),
        (lambda: f"{runtime.task_run.task_name} {runtime.task_run.parameters['page']}", "load 3"),
    ],
)
def test_task_run_name_from_a_function(template: Callable[..., str], expected: str, calls: Calls) -> None:
    """Without arguments, or with one that is called `parameters`."""

    @task(task_run_name=template)
    def load(page: int) -> None: ...

    @flow
    def main() -> None:
        load(3)

    main()
    assert [call.name for call in calls()] == [expected]


async def _later() -> str:
    return "later"


def _fails() -> str:
    raise BrokenError("no idea")


WRONG = [
    ("{nope}", "there is no nope; known: "),
    ("{page.missing}", "'{page.missing}' cannot be filled: 'int' object has no attribute 'missing'"),
    ("{page", "'{page' cannot be filled: "),
    ("{}", "'{}' cannot be filled: "),
    ("  ", "it gives an empty text"),
    (lambda: 5, "it gives no text but a int"),
    (_later, "it gives no text but a coroutine"),
    (_fails, "it failed, BrokenError: no idea"),
    (lambda wrong: wrong, "it failed, TypeError: "),
]


@pytest.mark.parametrize(("template", "sentence"), WRONG)
def test_wrong_name_costs_a_warning_and_no_run(
    template: Any, sentence: str, last_run: LastRun, calls: Calls, log_of: LogOf
) -> None:
    """The run has its default name; one line says why."""

    @task(task_run_name=template)
    def load(page: int) -> None: ...

    @flow(flow_run_name=template)
    def main(page: int) -> None:
        load(page)

    main(1)
    assert last_run().state_name == "Completed"
    assert is_drawn(last_run().name)
    assert [call.name for call in calls()] == ["load-0"]
    said = [line for line in log_of("engine") if "cannot be used" in line]
    assert len(said) == 2
    assert said[0].startswith("flow_run_name cannot be used, so that the run keeps its default name: ")
    assert said[1].startswith("task_run_name cannot be used, so that the run keeps its default name: ")
    assert all(sentence in line for line in said)


def test_names_are_one_inert_line_of_bounded_length(last_run: LastRun, calls: Calls) -> None:
    """Whatever parameters hold."""

    @task(task_run_name="{text}")
    def load(text: str) -> None: ...

    @flow(flow_run_name="{text}")
    def main(text: str) -> None:
        load(text)

    main("a\x1b[31m\nb\t" + "x" * 1000)
    for name in (last_run().name, calls()[0].name):
        assert name.startswith("a b xxx")
        assert len(name) == NAME_LENGTH_MAX
        assert name.endswith("…")
    main("\ud800")
    assert last_run().name == "\\ud800"


def test_subflow_and_retry_keep_their_names(deck: Deck) -> None:
    """The name of the first attempt stays that of the run."""
    attempts: list[int] = []

    def name() -> str:
        return f"try {len(attempts)}"

    @flow(flow_run_name=name, retries=1)
    def inner() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise BrokenError

    @flow
    def main() -> None:
        inner()

    main()
    (child,) = deck.flow_runs.subflows(deck.flow_runs.select()[0].key)
    assert (child.name, child.attempt) == ("try 0", 2)


def test_name_that_a_user_gave_stays(deck: Deck) -> None:
    """`flow-run create --name` is more than the author's template."""

    @flow(flow_run_name="from template")
    def main() -> None: ...

    main()
    database = run_creation.shared_database()

    def make(connection: Any) -> int:
        new = run_creation._new(main.spec, main.fn.__code__, "{}", run_creation.named("Pending"), frozenset())
        key = flow_runs.insert(connection, new)
        flow_runs.set_columns(connection, key, {"name": "by hand"})
        return key

    main.run_claimed(database, database.write(make), 1)
    assert [run.name for run in deck.flow_runs.select()] == ["by hand", "from template"]


def test_drawn_names_are_known() -> None:
    """What somebody has chosen is never taken for one."""
    assert all(is_drawn(new_run_name()) for _ in range(100))
    assert not any(map(is_drawn, ["", "brave", "brave-", "-otter", "brave-otter-2", "night 4"]))
