"""The names that authors rely on."""

from __future__ import annotations

import inspect

import pytest

import flowdeck
from flowdeck import Flow, Task, flow, task

CONTRACT = frozenset(
    """flow task Flow Task State get_run_logger tags unmapped allow_failure quote opaque wait as_completed serve
    transaction pause_flow_run suspend_flow_run resume_flow_run""".split()
)
"""What the package may export by name, some of it later."""
BEYOND = frozenset({"TaskFuture", "cancel_flow_run"})
"""For annotations; and what a flow may ask for other runs."""


def test_names_are_those_that_were_promised() -> None:
    """Nothing was renamed, nothing slipped in, and there are not too many."""
    assert set(flowdeck.__all__) <= CONTRACT | BEYOND
    assert {"flow", "task", "Flow", "Task", "State", "get_run_logger", "tags", "unmapped"} <= set(flowdeck.__all__)
    assert len(flowdeck.__all__) <= 25
    assert list(flowdeck.__all__) == sorted(flowdeck.__all__)


@pytest.mark.parametrize("name", flowdeck.__all__)
def test_name_can_be_loaded(name: str) -> None:
    """Each is there, is listed, and says what it is for."""
    value = getattr(flowdeck, name)
    assert name in dir(flowdeck)
    assert inspect.getdoc(value)
    assert getattr(flowdeck, name) is value


def test_unknown_name_is_an_attribute_error() -> None:
    """As of any module; the message names it."""
    with pytest.raises(AttributeError, match="module 'flowdeck' has no attribute 'nothing'"):
        flowdeck.nothing  # noqa: B018


def test_decorators_with_and_without_parentheses() -> None:
    """Both forms make the same kinds."""

    def plain() -> int:
        return 1

    assert isinstance(flow(plain), Flow)
    assert isinstance(flow()(plain), Flow)
    assert isinstance(flow(name="x")(plain), Flow)
    assert isinstance(task(plain), Task)
    assert isinstance(task()(plain), Task)
    assert (flow(plain).name, task(plain).name) == ("plain", "plain")


def test_names_of_flows_and_tasks() -> None:
    """A flow's name has hyphens, a task's is the function's."""

    def two_words() -> None: ...

    assert (flow(two_words).name, task(two_words).name) == ("two-words", "two_words")


def test_version() -> None:
    """It is that of the distribution."""
    from pathlib import Path

    project = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert f'version = "{flowdeck.__version__}"' in project
