"""flowdeck: workflows of plain Python functions, durable, on one machine, without a server.

Names are loaded when they are first used: the run host, the engine and the terminal are of this package too, and need
none of what authors import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flowdeck.execution.calls.annotations import allow_failure, opaque, quote, unmapped
    from flowdeck.execution.calls.future_waits import as_completed, wait
    from flowdeck.execution.calls.futures import TaskFuture
    from flowdeck.execution.calls.tagging import tags
    from flowdeck.execution.logs.run_logs import get_run_logger
    from flowdeck.flow_runs import cancel_flow_run
    from flowdeck.flows import Flow, flow
    from flowdeck.rules.states import State
    from flowdeck.rules.versions import __version__ as __version__
    from flowdeck.tasks import Task, task
    from flowdeck.transactions import transaction

__all__ = [
    "Flow", "State", "Task", "TaskFuture", "allow_failure", "as_completed", "cancel_flow_run", "flow", "get_run_logger",
    "opaque", "quote", "tags", "task", "transaction", "unmapped", "wait",
]  # fmt: skip

_HOMES: Final = {
    "__version__": "flowdeck.rules.versions",
    "Flow": "flowdeck.flows",
    "State": "flowdeck.rules.states",
    "Task": "flowdeck.tasks",
    "TaskFuture": "flowdeck.execution.calls.futures",
    "cancel_flow_run": "flowdeck.flow_runs",
    "flow": "flowdeck.flows",
    "get_run_logger": "flowdeck.execution.logs.run_logs",
    "tags": "flowdeck.execution.calls.tagging",
    "task": "flowdeck.tasks",
    "transaction": "flowdeck.transactions",
    "allow_failure": "flowdeck.execution.calls.annotations",
    "as_completed": "flowdeck.execution.calls.future_waits",
    "opaque": "flowdeck.execution.calls.annotations",
    "quote": "flowdeck.execution.calls.annotations",
    "unmapped": "flowdeck.execution.calls.annotations",
    "wait": "flowdeck.execution.calls.future_waits",
}

_MODULES: Final = frozenset({"runtime", "logging", "states", "testing"})
"""Modules that need no import of their own: `flowdeck.runtime.flow_run.name`."""


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name in _MODULES:
        return import_module(f"flowdeck.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flowdeck' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *__all__])
