"""What an author asked of a call's result: whether it is recorded, how, and under which name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.options.serializers import PICKLE, Serializer, serializer_of


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Options of a task's or a flow's results.

    Attributes:
        persist: None and True record it; False does not, so that a retry runs the call again.
        serializer: how it becomes bytes.
        storage_key: a name of the author's for the result, with places such as `{parameters[x]}`; None for none.
    """

    persist: bool | None = None
    serializer: Serializer = PICKLE
    storage_key: str | None = None


DEFAULT_RESULTS: Final = ResultOptions()


def result_options(persist: Any, serializer: Any, storage_key: Any, *, owner: str) -> ResultOptions:
    """Check what an author gave to a decorator.

    Raises:
        DefinitionError: it cannot be used.
    """
    if persist is None and serializer is None and storage_key is None:
        return DEFAULT_RESULTS
    if not isinstance(persist, bool | None):
        raise DefinitionError(f"persist_result of {owner} must be True, False or None, not {persist!r}.")
    if not isinstance(storage_key, str | None) or storage_key == "":
        raise DefinitionError(f"result_storage_key of {owner} must be a text, not {storage_key!r}.")
    return ResultOptions(persist, serializer_of(serializer, owner), storage_key)
