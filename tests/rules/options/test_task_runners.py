"""Task runners as values: what an author may write, and what is refused in a sentence."""

from __future__ import annotations

import re
from typing import Any

import pytest

import flowdeck.task_runners
from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.options.options import flow_spec
from flowdeck.task_runners import (
    ConcurrentTaskRunner,
    ProcessPoolTaskRunner,
    SequentialTaskRunner,
    ThreadPoolTaskRunner,
)


def test_threads_are_the_default() -> None:
    """A flow that asks for nothing has threads, as many as the setting says."""
    assert flow_spec("main", None, {}).task_runner == ThreadPoolTaskRunner(max_workers=None)
    assert ConcurrentTaskRunner is ThreadPoolTaskRunner


@pytest.mark.parametrize("kind", [ThreadPoolTaskRunner, ProcessPoolTaskRunner, SequentialTaskRunner])
def test_class_stands_for_an_object(kind: type[Any]) -> None:
    """`task_runner=ThreadPoolTaskRunner` is `task_runner=ThreadPoolTaskRunner()`."""
    assert flow_spec("main", None, {"task_runner": kind}).task_runner == kind()


def test_duplicates_are_equal() -> None:
    """`duplicate()` gives an equal one; others differ, and say what they are."""
    runner = ProcessPoolTaskRunner(max_workers=2, initializer=print, initargs=(1,))
    assert runner.duplicate() == runner != ProcessPoolTaskRunner(max_workers=3)
    assert ThreadPoolTaskRunner(4) != ProcessPoolTaskRunner(4)
    assert repr(ThreadPoolTaskRunner(4)) == "ThreadPoolTaskRunner(max_workers=4)"


def test_wrong_task_runner_is_a_sentence() -> None:
    """What is no runner is refused where it is declared, with those that there are."""
    sentence = (
        "task_runner of flow 'main' must be one of ThreadPoolTaskRunner(), ProcessPoolTaskRunner(), "
        "SequentialTaskRunner(), not 'threads'."
    )
    with pytest.raises(DefinitionError, match=f"^{re.escape(sentence)}$"):
        flow_spec("main", None, {"task_runner": "threads"})


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_wrong_max_workers_is_a_sentence(wrong: Any) -> None:
    """A number of workers is whole, and at least one."""
    with pytest.raises(
        DefinitionError, match=r"^max_workers of \w+TaskRunner must be a whole number of 1 or more, not "
    ):
        ProcessPoolTaskRunner(max_workers=wrong)
    with pytest.raises(DefinitionError, match="max_workers"):
        ThreadPoolTaskRunner(max_workers=wrong)


def test_initializer_must_be_a_function() -> None:
    """It is found wrong when it is declared, not in a worker."""
    with pytest.raises(DefinitionError, match=r"^initializer of ProcessPoolTaskRunner must be a function, not 'x'\.$"):
        ProcessPoolTaskRunner(initializer="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["DaskTaskRunner", "RayTaskRunner"])
def test_runners_of_clusters_are_named_as_missing(name: str) -> None:
    """Who names one learns that it is not there, in one sentence, and nobody else pays for the name."""
    with pytest.raises(ImportError, match=f"^{name} is not part of this flowdeck yet"):
        getattr(flowdeck.task_runners, name)
    with pytest.raises(AttributeError):
        flowdeck.task_runners.NoSuchRunner  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
