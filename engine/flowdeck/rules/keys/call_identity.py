"""Which call this is, so that a later attempt finds what an earlier one recorded of it.

A call is the k-th with the same task and the same inputs inside of the same call. Inputs that are too large to walk
(over 1 MiB) or cannot be walked stand by what is known of them: the recorded call that made them, else a sketch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from flowdeck.rules.keys.call_keys import input_key
from flowdeck.rules.keys.refusals import NotKeyedError
from flowdeck.rules.keys.value_encoding import KEY_BYTES, digest

_SAMPLES: Final = 64
_SLICE: Final = 64
_FEATURES: Final = ("shape", "dtype", "columns", "dtypes", "name")


def call_key(parent: bytes, task: str, inputs: bytes, occurrence: int) -> bytes:
    """Return 16 bytes that stand for a call in every attempt of its run.

    Args:
        parent: key of the call that makes it; empty for the flow itself.
        task: identity of the task or flow that is called, see `FunctionIdentity.text`.
        inputs: see `call_inputs`.
        occurrence: number of earlier calls with the same parent, task and inputs.
    """
    text = b"%b\0%b\0%b%d" % (parent, task.encode("utf-8", "surrogatepass"), inputs, occurrence)
    return digest(text)


def unknown_call() -> bytes:
    """Return what stands for a call of a task that cannot be told from others: it is never asked for again."""
    return os.urandom(KEY_BYTES)


def not_reused(what: str, error: NotKeyedError) -> str:
    """Return a sentence that says why calls of a task or flow are unknown to a later attempt.

    Args:
        what: kind and name of it.
        error: why it cannot be told from others.
    """
    return f"A later attempt runs calls of {what} again: they cannot be told from those of others, since {error}."


def call_inputs(args: Sequence[Any], kwargs: Mapping[str, Any], known: Mapping[int, bytes]) -> bytes:
    """Return 16 bytes that stand for the arguments of a call.

    Args:
        args: by position.
        kwargs: by name.
        known: keys of the recorded calls that made large objects, by the `id` of these.
    """
    whole = input_key((*args, kwargs) if kwargs else args, known)
    if whole is not None:
        return whole
    parts = [_part(value, known) for value in args]
    named = {name: _part(value, known) for name, value in kwargs.items()}
    key = input_key(("parts", parts, named))
    assert key is not None  # built-in values only, a few hundred bytes each
    return key


def _part(value: Any, known: Mapping[int, bytes]) -> Any:
    made_by = known.get(id(value))
    if made_by is not None:
        return made_by
    return input_key((value,), known) or _sketch(value)


def _sketch(value: Any) -> Any:
    """Return a few hundred bytes that tell a large object, or one that cannot be keyed, from most others."""
    kind: Any = type(value)
    told: list[Any] = [f"{kind.__module__}.{kind.__qualname__}"]
    try:
        told.append(len(value))
    except Exception:  # noqa: BLE001 - it has no length, or an author's __len__ fails
        told.append(None)
    try:
        told.append(_samples(value))
    except Exception:  # noqa: BLE001 - an author's own container: its type and length must do
        told.append(None)
    return told


def _samples(value: Any) -> list[Any]:
    kind: Any = type(value)
    if kind in {str, bytes, bytearray}:
        places = _places(len(value))
        return [bytes(value[at : at + _SLICE]) if kind is not str else value[at : at + _SLICE] for at in places]
    if kind in {list, tuple}:
        members = cast("Sequence[Any]", value)
        return [input_key((members[at],)) or type(members[at]).__qualname__ for at in _places(len(members))]
    if kind is dict:
        return [input_key((key,)) for key, _ in zip(cast("dict[Any, Any]", value), range(_SAMPLES), strict=False)]
    # Arrays and frames are told by their form; a row of each part of a frame comes along.
    features = [str(getattr(value, feature)) for feature in _FEATURES if hasattr(value, feature)]
    rows = getattr(value, "iloc", getattr(value, "flat", None))
    if rows is None or not hasattr(value, "__len__"):
        return features or _attributes(value)
    size = int(getattr(value, "size", len(value))) if not hasattr(value, "iloc") else len(value)
    return [*features, *(str(rows[at]) for at in _places(size))]


def _attributes(value: Any) -> list[Any]:
    """Return what an author's object has, and of what cannot be keyed the type."""
    own = sorted(getattr(value, "__dict__", {}).items())[:_SAMPLES]
    return [(str(name), input_key((one,)) or type(one).__qualname__) for name, one in own]


def _places(length: int) -> list[int]:
    """Return evenly spread positions, the first and the last among them."""
    if length <= _SAMPLES:
        return list(range(length))
    return [step * (length - 1) // (_SAMPLES - 1) for step in range(_SAMPLES)]
