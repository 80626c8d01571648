"""What the log says of futures that a call hands on as they are, since they stand in a plain object."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from flowdeck.execution.calls.context import FlowRunContext
from flowdeck.execution.logs.run_logs import engine_line


def warn_of_stray(run: FlowRunContext, name: str, function: Callable[..., Any], args: Sequence[Any], path: str) -> None:
    """Say once in a run that a future stands in an object which is handed on as it is.

    Args:
        run: the flow run that the call belongs to.
        name: the name of the task or flow.
        function: the function of the task or flow.
        args: the positional arguments of the call. What a method keeps in its own object is no input of the call,
            and not warned of.
        path: the path to the future, from the type of the object on.
    """
    owner = type(args[0]) if args else None
    is_own = owner is not None and path.startswith(f"{owner.__name__}.") and hasattr(owner, function.__name__)
    text = (
        f"An argument of '{name}' holds a future at {path}. It is neither waited for nor replaced there: lists, "
        "dictionaries, dataclasses and models are looked into, other objects are not. Pass the future as an argument "
        "of its own, or its result()."
    )
    if not is_own and text not in run.warned:
        run.warned.add(text)
        engine_line(run, logging.WARNING, text)
