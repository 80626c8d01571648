"""Where the names of `prefect` stand in flowdeck: one table for whatever reads or resolves an import of a flow file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FLOW: Final = "flowdeck.flow"
TASK: Final = "flowdeck.task"
FLOW_CLASS: Final = "flowdeck.Flow"
TASK_CLASS: Final = "flowdeck.Task"

PREFECT_MODULES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "prefect": {"flow": FLOW, "task": TASK, "Flow": FLOW_CLASS, "Task": TASK_CLASS},
        "prefect.main": {"flow": FLOW, "task": TASK, "Flow": FLOW_CLASS, "Task": TASK_CLASS},
        "prefect.flows": {"flow": FLOW, "Flow": FLOW_CLASS},
        "prefect.tasks": {"task": TASK, "Task": TASK_CLASS},
    }
)
"""Module of prefect -> name in it -> what it is in flowdeck."""

FLOWDECK_MODULES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "flowdeck": {"flow": FLOW, "task": TASK, "Flow": FLOW_CLASS, "Task": TASK_CLASS},
        "flowdeck.flows": {"flow": FLOW, "Flow": FLOW_CLASS},
        "flowdeck.tasks": {"task": TASK, "Task": TASK_CLASS},
    }
)
"""Module of flowdeck -> name in it -> the name that flowdeck gives it at its top."""

AUTHORING_MODULES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({**FLOWDECK_MODULES, **PREFECT_MODULES})
"""Every module from which a flow file may import what it writes flows with."""
