"""flowdeck: workflows of plain Python functions, durable, on one machine, without a server.

Names are loaded when they are first used: the run host, the engine and the terminal are of this package too, and need
none of what authors import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flowdeck.execution.futures import TaskFuture
    from flowdeck.execution.mapping import unmapped
    from flowdeck.execution.run_logs import get_run_logger
    from flowdeck.execution.tagging import tags
    from flowdeck.flow_runs import cancel_flow_run
    from flowdeck.flows import Flow, flow
    from flowdeck.rules.states import State
    from flowdeck.tasks import Task, task

__version__ = "0.1.0"

__all__ = [
    "Flow", "State", "Task", "TaskFuture", "cancel_flow_run", "flow", "get_run_logger", "tags", "task", "unmapped",
]  # fmt: skip

_HOMES: Final = {
    "Flow": "flowdeck.flows",
    "State": "flowdeck.rules.states",
    "Task": "flowdeck.tasks",
    "TaskFuture": "flowdeck.execution.futures",
    "cancel_flow_run": "flowdeck.flow_runs",
    "flow": "flowdeck.flows",
    "get_run_logger": "flowdeck.execution.run_logs",
    "tags": "flowdeck.execution.tagging",
    "task": "flowdeck.tasks",
    "unmapped": "flowdeck.execution.mapping",
}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flowdeck' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *__all__])
