"""Views of runs for hooks and conditions: frozen, with the names that users of Prefect know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowdeck.execution.calls import caching
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.rules.clock import to_datetime
from flowdeck.rules.states import State, StateType

if TYPE_CHECKING:
    from flowdeck.execution.calls.task_calls import TaskCall


class _InState:
    """What has a state."""

    __slots__ = ()
    state: State

    @property
    def state_type(self) -> StateType:
        """Type of the state."""
        return self.state.type

    @property
    def state_name(self) -> str:
        """Name of the state."""
        return self.state.name


@dataclass(frozen=True, slots=True)
class FlowRunView(_InState):
    """A flow run at one moment.

    Attributes:
        id: UUID.
        name: two words, or as the author named it.
        flow_name: of its flow.
        parameters: as the flow's function was given them.
        tags: sorted.
        state: at that moment.
        run_count: which attempt it is, from 1.
        start_time: of this attempt, aware; None when it has not begun.
        root_flow_run_id: of the run that all this began with; its own for one that no other run called.
    """

    id: str
    name: str
    flow_name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    state: State
    run_count: int
    start_time: datetime | None
    root_flow_run_id: str


@dataclass(frozen=True, slots=True)
class TaskRunView(_InState):
    """A task run at one moment.

    Attributes:
        id: of the task run.
        name: such as `load-0`.
        task_name: of its task.
        task_key: what names the task across processes.
        flow_run_id: of the flow run that it belongs to.
        flow_run_name: of that run.
        parameters: as the task's function was given them.
        tags: sorted.
        state: at that moment.
        run_count: which attempt it is, from 1.
        start_time: of this attempt, aware; None when it has not begun.
    """

    id: int
    name: str
    task_name: str
    task_key: str
    flow_run_id: str
    flow_run_name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    state: State
    run_count: int
    start_time: datetime | None


def of_flow_run(run: FlowRunContext, state: State) -> FlowRunView:
    """Return a flow run of this process."""
    identity = run.identity
    return FlowRunView(
        id=identity.id, name=identity.name, flow_name=identity.flow_name, parameters=dict(run.parameters),
        tags=tuple(sorted(identity.tags)), state=state, run_count=identity.attempt, start_time=_moment(run.started_at),
        root_flow_run_id=identity.root_run_id,
    )  # fmt: skip


def of_task_call(call: TaskCall, task: TaskRunContext, state: State) -> TaskRunView:
    """Return a task run of this process."""
    tags: list[str] = json.loads(call.row.tags) if call.row.tags else []
    identity = call.run.identity
    return TaskRunView(
        id=call.row.id, name=call.name, task_name=call.spec.name, task_key=call.spec.key, flow_run_id=identity.id,
        flow_run_name=identity.name,
        parameters=caching.arguments_by_name(call.function, call.args, call.kwargs), tags=tuple(tags), state=state,
        run_count=task.attempt, start_time=_moment(task.started_at),
    )  # fmt: skip


def _moment(at: int | None) -> datetime | None:
    return None if at is None else to_datetime(at)
