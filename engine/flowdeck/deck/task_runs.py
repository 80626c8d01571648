"""Deck's questions about task runs."""

from __future__ import annotations

from flowdeck.deck.open_home import OpenHome
from flowdeck.rules.exceptions import NotFoundError
from flowdeck.store.calls import task_run_queries
from flowdeck.store.records import CallLine, CallPage, CallQuery, TaskRun


class TaskRuns:
    """The task runs of one home; each method is a short read."""

    def __init__(self, home: OpenHome) -> None:
        """Args: home: the open home."""
        self._home = home

    def call_lines(self, flow_run_key: int) -> list[CallLine]:
        """Return the calls of a run's current attempt in order, each `.map()` as one line."""
        return task_run_queries.call_lines(self._home.reader(), flow_run_key)

    def call_page(self, flow_run_key: int, query: CallQuery) -> CallPage:
        """Return a stretch of the calls of a run's current attempt, or of the items of one `.map()` call."""
        return task_run_queries.call_page(self._home.reader(), flow_run_key, query, self._home.now_microseconds())

    def of_flow_run(
        self, flow_run_key: int, *, group: int | None = None, flow_attempt: int | None = None, limit: int = 0
    ) -> list[TaskRun]:
        """Return the task runs of a run's current attempt (or of another), in call order.

        Args:
            flow_run_key: integer key of the flow run.
            group: number of the `.map()` call whose items are wanted; None for all calls.
            flow_attempt: number of the run's attempt; None for the current one.
            limit: largest number of rows; 0 for all.
        """
        return task_run_queries.of_flow_run(
            self._home.reader(), flow_run_key, group=group, flow_attempt=flow_attempt, limit=limit
        )

    def find(self, task_run_id: int) -> TaskRun:
        """Return one task run.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = task_run_queries.by_id(self._home.reader(), task_run_id)
        if found is None:
            raise NotFoundError(f"There is no task run {task_run_id}. `flowdeck task-run ls RUN` lists those of a run.")
        return found
