"""Results of calls: keeping them, and getting them back. A result that cannot be kept harms nothing but its replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flowdeck.execution.recording.failures import sentence
from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.keys.bounded_bytes import TooLargeError
from flowdeck.rules.options.serializers import Serializer, from_bytes, to_bytes
from flowdeck.rules.text.previews import preview
from flowdeck.store.calls.task_runs import RecordedValue
from flowdeck.store.results.result_files import ResultLostError


class Kept(NamedTuple):
    """What became of a value."""

    value: RecordedValue
    problem: str | None
    """A sentence, when it was not recorded though it should have been."""


def keep(
    value: Any, serializer: Serializer, records: ResultRecords, *, wanted: bool, name: Callable[[], str] | None = None
) -> Kept:
    """Record a value.

    Args:
        value: the value that a call returned.
        serializer: the serializer that the author asked for.
        records: the recorded results of the flow run.
        wanted: True to keep the value; False to keep its preview only.
        name: the function that makes the author's own name for it; None for none.
    """
    shown = preview(value)
    if not wanted:
        return Kept(RecordedValue(shown), None)
    try:
        content = to_bytes(value, serializer, records.max_bytes)
        return Kept(RecordedValue(shown, records.keep(content, None if name is None else name())), None)
    except TooLargeError:
        size = f"{records.max_bytes / (1 << 20):g} MiB"
        reason = f"it is larger than {size} (setting result_max_bytes)"
    except OSError as error:
        reason = f"it cannot be written: {error.strerror or error}"
    except UsageError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - of the serializer, or of the author's class: nothing but replay suffers
        reason = f"{serializer.type} cannot take it: {sentence(error)}"
    return Kept(RecordedValue(shown), f"Its result is not recorded, so that a retry runs it again: {reason}.")


def storage_name(key: str, parameters: Mapping[str, Any], **values: Any) -> str:
    """Fill the names in braces of a `result_storage_key`: `{parameters[x]}`, `{flow_run.name}`, `{task_run.id}`.

    Raises:
        UsageError: a name in braces is none of these.
    """
    try:
        return key.format(parameters=parameters, **values)
    except Exception as error:
        known = ", ".join(["parameters[…]", *values])
        raise UsageError(f"result_storage_key '{key}' cannot be filled ({sentence(error)}); known: {known}") from error


def load(
    inline: bytes | None,
    file_hash: str | None,
    records: ResultRecords,
    serializer: Serializer,
    names: Mapping[str, Any],
) -> Any:
    """Return a recorded value.

    Args:
        inline: the bytes of the value, when they lie in the row; None otherwise.
        file_hash: the hash of the file with its bytes; None when they lie in the row.
        records: the recorded results of the flow run.
        serializer: the serializer that the author asks for now.
        names: the global names of the author's module.

    Raises:
        ResultLostError: it cannot be had any more; the call counts as not recorded.
    """
    content = records.read(inline, file_hash)
    try:
        return from_bytes(content, serializer, names)
    except Exception as error:
        raise ResultLostError(f"it cannot be read: {sentence(error)}") from error
