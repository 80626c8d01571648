"""Hooks as decorators: `@my_flow.on_failure` above a function registers it, behind those of the flow's options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from flowdeck.rules.options.hooks import with_hook

H = TypeVar("H", bound=Callable[..., Any])


class RunHooks:
    """What flows and tasks have in common."""

    spec: Any

    def on_running(self, hook: H) -> H:
        """Call a function `(flow, flow_run, state)`, of a task `(task, task_run, state)`, before each attempt."""
        return self._add("running", hook)

    def on_completion(self, hook: H) -> H:
        """Call a function when a run has completed."""
        return self._add("completion", hook)

    def on_failure(self, hook: H) -> H:
        """Call a function when a run has failed and there is no further attempt."""
        return self._add("failure", hook)

    def _add(self, kind: str, hook: H) -> H:
        owner = f"{type(self).__name__.lower()} '{self.spec.name}'"
        self.spec = replace(self.spec, hooks=with_hook(self.spec.hooks, kind, hook, owner=owner))
        return hook


class FlowRunHooks(RunHooks):
    """Those of flows only."""

    def on_cancellation(self, hook: H) -> H:
        """Call a function when a run has been cancelled, also when its process is gone."""
        return self._add("cancellation", hook)

    def on_crashed(self, hook: H) -> H:
        """Call a function when a run has crashed, also when its process is gone."""
        return self._add("crashed", hook)


class TaskRunHooks(RunHooks):
    """Those of tasks only."""

    def on_commit(self, hook: H) -> H:
        """Call a function `(transaction)` when the transaction of a run is committed."""
        return self._add("commit", hook)

    def on_rollback(self, hook: H) -> H:
        """Call a function `(transaction)` when the transaction of a run is rolled back."""
        return self._add("rollback", hook)
