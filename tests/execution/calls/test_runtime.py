"""What code may ask of its run: `runtime.flow_run`, `runtime.task_run`, `runtime.deployment`, and tags."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

import flowdeck
from flowdeck import flow, runtime, tags, task
from flowdeck.deck import Deck, TaskRun
from flowdeck.rules.exceptions import UsageError
from tests.execution.dialects import Dialect

FLOW_RUN = """id name flow_name flow_version parameters tags scheduled_start_time run_count parent_flow_run_id
root_flow_run_id""".split()
TASK_RUN = "id name task_name parameters tags run_count".split()


def snapshot(facts: Any, names: list[str]) -> dict[str, Any]:
    """Return what is known now."""
    return {name: getattr(facts, name) for name in names}


def test_flow_run_and_task_run(dialect: Dialect, deck: Deck) -> None:
    """As they are recorded; in a task the flow run is that which it belongs to."""
    seen: list[dict[str, Any]] = []

    @dialect.task(tags=["io"])
    async def load(page: int, size: int = 10) -> None:
        seen.append(snapshot(runtime.task_run, TASK_RUN))
        seen.append(snapshot(runtime.flow_run, FLOW_RUN))

    @dialect.flow(version="2.1")
    async def main(day: int) -> None:
        seen.append(snapshot(runtime.flow_run, FLOW_RUN))
        assert runtime.task_run.id is None
        await dialect.call(load, 3)

    with tags("nightly"):
        dialect.run(main, 5)
    run = deck.flow_runs.select()[0]
    (call,) = deck.task_runs.of_flow_run(run.key)
    of_flow, of_task, of_flow_in_task = seen
    assert of_flow == of_flow_in_task == {
        "id": run.id, "name": run.name, "flow_name": "main", "flow_version": "2.1", "parameters": {"day": 5},
        "tags": ["nightly"], "scheduled_start_time": run.created_at, "run_count": 1, "parent_flow_run_id": None,
        "root_flow_run_id": run.id,
    }  # fmt: skip
    assert of_task == {
        "id": call.id, "name": "load-0", "task_name": "load", "parameters": {"page": 3, "size": 10},
        "tags": ["io", "nightly"], "run_count": 1,
    }  # fmt: skip


def test_subflow_knows_its_parents(deck: Deck) -> None:
    """And has the tags that were set around its call."""
    seen: list[Any] = []

    @flow
    def inner() -> None:
        run = runtime.flow_run
        seen.extend([run.parent_flow_run_id, run.root_flow_run_id, run.tags])

    @flow
    def middle() -> None:
        with tags("b"):
            inner()

    @flow
    def main() -> None:
        middle()

    with tags("a"):
        main()
    root = deck.flow_runs.select()[0]
    (child,) = deck.flow_runs.subflows(root.key)
    assert seen == [child.id, root.id, ["a", "b"]]


def test_run_count_is_the_attempt() -> None:
    """Of the flow and of the task."""
    seen: list[tuple[int, int]] = []

    @task(retries=1)
    def load() -> None:
        seen.append((runtime.flow_run.run_count, runtime.task_run.run_count))
        if len(seen) in {1, 2}:
            raise ValueError

    @flow(retries=1)
    def main() -> None:
        load()

    main()
    assert seen == [(1, 1), (1, 2), (2, 1)]


def test_outside_of_runs_nothing_is_known() -> None:
    """None, or empty; no exception."""
    assert {*map(repr, snapshot(runtime.flow_run, FLOW_RUN).values())} == {"None", "{}", "[]", "0"}
    assert {*map(repr, snapshot(runtime.task_run, TASK_RUN).values())} == {"None", "{}", "[]", "0"}
    names = ["id", "name", "version", "parameters", "flow_run_id"]
    assert list(snapshot(runtime.deployment, names).values()) == [None, None, None, {}, None]
    assert sorted(dir(runtime.flow_run)) == sorted(FLOW_RUN)


def test_deployment_of_a_run_that_is_of_none(deck: Deck) -> None:
    """Only the run is known."""
    seen: list[Any] = []

    @flow
    def main() -> None:
        seen.extend([runtime.deployment.id, runtime.deployment.flow_run_id])

    main()
    assert seen == [None, deck.flow_runs.select()[0].id]


@pytest.mark.parametrize(
    ("subject", "name", "text", "value"),
    [
        ("flow_run", "name", "mocked", "mocked"),
        ("flow_run", "run_count", "3", 3),
        ("flow_run", "tags", "a, b", ["a", "b"]),
        ("flow_run", "parameters", '{"day": 4}', {"day": 4}),
        ("flow_run", "scheduled_start_time", "2026-11-22T10:00:00+00:00",
         datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.UTC)),
        ("task_run", "id", "17", 17),
        ("deployment", "name", "daily", "daily"),
    ],
)  # fmt: skip
def test_environment_stands_above_what_is_known(
    subject: str, name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a test can set it; in a run too."""
    monkeypatch.setenv(f"FLOWDECK__RUNTIME__{subject.upper()}__{name.upper()}", text)
    assert getattr(getattr(runtime, subject), name) == value

    @flow
    def main() -> Any:
        return [getattr(getattr(runtime, subject), name)]

    assert main() == [value]


def test_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names the variable."""
    monkeypatch.setenv("FLOWDECK__RUNTIME__FLOW_RUN__RUN_COUNT", "many")
    with pytest.raises(UsageError, match="Environment variable FLOWDECK__RUNTIME__FLOW_RUN__RUN_COUNT: 'many' cannot"):
        runtime.flow_run.run_count  # noqa: B018


def test_unknown_fact_names_those_that_there_are() -> None:
    """As of any attribute."""
    with pytest.raises(AttributeError, match=r"runtime\.task_run has no 'nome'; it has id, name, task_name"):
        runtime.task_run.nome  # noqa: B018


def test_runtime_needs_no_import_of_its_own() -> None:
    """`import flowdeck` is enough."""
    assert flowdeck.runtime is runtime
    with pytest.raises(AttributeError):
        flowdeck.nothing_like_it  # noqa: B018


def test_known_in_hooks_and_submitted_calls(deck: Deck, calls: Callable[[], list[TaskRun]]) -> None:
    """Wherever the run's code is called."""
    seen: list[Any] = []

    @task(on_completion=lambda *_: seen.append(runtime.task_run.name))
    def load(page: int) -> str:
        return runtime.task_run.name

    @flow(on_completion=lambda *_: seen.append(runtime.flow_run.id))
    def main() -> list[str]:
        return load.map([1, 2]).result()

    assert main() == ["load-0", "load-1"]
    assert sorted(seen[:2]) == ["load-0", "load-1"]
    assert seen[2] == deck.flow_runs.select()[0].id
    assert len(calls()) == 2
