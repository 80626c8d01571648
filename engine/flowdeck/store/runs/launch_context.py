"""What a run asks of the processes that will execute it, read before it is handed to anybody."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from flowdeck.store.database.sqlite import Connection

INTERPRETER: Final = """coalesce(interpreter, (
    SELECT f.interpreter FROM flow_file f
    WHERE f.folder = working_dir AND f.folder || '/' || f.file = source_file))"""
"""The Python that runs a row of flow_run: that of its last attempt, else the one by which its file was described."""


class LaunchContext(NamedTuple):
    """The surroundings in which a claimed run shall be executed."""

    interpreter: str | None
    """See `INTERPRETER`; None when neither is known."""
    environment: Mapping[str, str] | None
    """As it was where the run was triggered; None when it was not kept."""


def of_run(connection: Connection, key: int) -> LaunchContext | None:
    """Return what a run asks for; None when it is gone. The row keeps it, other than `supervision.take_assignment`."""
    row = connection.execute(f"SELECT {INTERPRETER}, environment FROM flow_run WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    interpreter, environment = row
    return LaunchContext(interpreter, None if environment is None else json.loads(environment))


def why_not_startable(
    source_file: str | None, function: str | None, parameters: Mapping[str, Any], participle: str = "retried"
) -> str | None:
    """Say why a run cannot be started from its record, as the end of a sentence; None when it can.

    Args:
        source_file: path of the file that defines its flow.
        function: name of its flow's function.
        parameters: the parameters that it would have.
        participle: the action as a participle, such as `retried`.
    """
    # Only where it is asked: a run host does without what parameters need.
    from flowdeck.rules.parameters.parameter_json import is_placeholder  # noqa: PLC0415

    if source_file is None or function is None:
        return "has no file to start from: its flow was defined interactively."
    if not os.path.exists(source_file):
        return f"cannot be {participle}: {source_file} is gone."
    unstored = next((name for name, value in parameters.items() if is_placeholder(value)), None)
    if unstored is None:
        return None
    way_out = "Run its script again." if participle == "retried" else "Give it anew, or run the script again."
    return (
        f"cannot be {participle} from its record: parameter '{unstored}' was a value that JSON cannot hold. {way_out}"
    )
