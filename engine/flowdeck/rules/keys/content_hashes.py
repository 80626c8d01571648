"""Hashes of whole values, the same in every process: what a cache key stands on.

Unlike the key of a call for replay, which must cost next to nothing, this reads all of a value however large it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowdeck.rules.keys.call_keys import input_key

try:
    from _blake2 import blake2b  # see `call_keys`
except ImportError:
    from hashlib import blake2b

UNBOUNDED: Final = 1 << 62


def content_hash(*values: Any) -> str | None:
    """Return 32 hexadecimal digits that stand for the values, or None when one of them has no stable bytes.

    Equal built-in values, dataclasses, arrays and frames have equal hashes, in whatever process and under whatever hash
    seed. Frames are equal when columns, types, index and cells are, however pandas has laid them out.
    """
    key = input_key([_canonical(value) for value in values], limit=UNBOUNDED)
    return None if key is None else key.hex()


def _canonical(value: Any) -> Any:
    """Put what stands for its content in place of each array or frame, as deep as lists and dicts go."""
    kind: Any = type(value)
    if kind in {list, tuple}:
        return kind([_canonical(member) for member in value])
    if kind is dict:
        return {name: _canonical(member) for name, member in value.items()}
    form = _FORMS.get((kind.__module__.partition(".")[0], kind.__name__))
    return value if form is None else form(value)


def _array(array: Any) -> Any:
    if array.dtype.hasobject:
        return ("array of objects", array.shape, [_canonical(member) for member in array.ravel().tolist()])
    whole = array if array.flags.c_contiguous else array.copy(order="C")
    # As bytes: a buffer of dates has no format of its own.
    digest = blake2b(memoryview(whole.reshape(-1).view("u1")), digest_size=32)
    return ("array", str(array.dtype), array.shape, digest.digest())


def _series(series: Any) -> Any:
    values = series.array if hasattr(series, "array") else series
    kind = str(series.dtype)
    if kind in {"category", "object"} or not hasattr(values, "to_numpy"):
        return ("column", kind, [_canonical(member) for member in series.tolist()])
    cells = values.to_numpy()
    return ("column", kind, str(series.name), _array(cells))


def _pandas_frame(frame: Any) -> Any:
    columns = [_canonical(name) for name in frame.columns.tolist()]
    cells = [_series(frame.iloc[:, place]) for place in range(len(columns))]
    return ("frame", columns, _pandas_index(frame.index), cells)


def _pandas_series(series: Any) -> Any:
    return ("series", _series(series), _pandas_index(series.index))


def _pandas_index(index: Any) -> Any:
    return ("index", str(index.dtype), [_canonical(name) for name in index.names], _series(index.to_series()))


_FORMS: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("numpy", "ndarray"): _array,
    ("pandas", "DataFrame"): _pandas_frame,
    ("pandas", "Series"): _pandas_series,
}
"""By package and class, so that none of them need be installed or loaded to know that a value is none of theirs."""
