"""Arrays, columns and frames of numpy, pandas and polars by their content, however they lie in memory.

None of the packages need be installed or loaded to know that a value is none of theirs.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

try:
    from _blake2 import blake2b  # see `value_encoding`
except ImportError:
    from hashlib import blake2b

Encode = Callable[[Any], Any]
"""Encodes one value that stands in the table."""
Form = Callable[[Any, Encode], Any]

_BYTES_ARE_ALL: Final = frozenset("biufcmMSUV")
"""Kinds of numpy's types whose bytes are their values; those of others point elsewhere."""


def form_of(kind: type[Any]) -> Form | None:
    """Return what encodes a table by its content, or None when a type is no table that is known.

    Args:
        kind: type of a value.
    """
    package = kind.__module__
    return _FORMS.get((package.partition(".")[0], kind.__name__)) if isinstance(package, str) else None


def _array(array: Any, encode: Encode) -> Any:
    form = (_type(array.dtype), array.shape)
    if array.dtype.hasobject or array.dtype.kind not in _BYTES_ARE_ALL:
        return ("values", *form, encode(array.ravel().tolist()))
    if not array.nbytes:
        return ("array", *form)
    whole = array if array.flags.c_contiguous else array.copy(order="C")
    # As bytes: a buffer of dates has no format of its own.
    return ("array", *form, _digest(memoryview(whole.reshape(-1).view("u1"))))


def _column(column: Any, encode: Encode) -> Any:
    """Encode the cells of a Series or an Index, whose names its caller encodes."""
    dtype = column.dtype
    if hasattr(dtype, "hasobject"):  # one of numpy's
        return _array(column.to_numpy(), encode)
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        categories = _index(dtype.categories, encode)
        return ("categories", bool(dtype.ordered), categories, _array(column.array.codes, encode))
    if hasattr(column.array, "asi8"):
        return ("moments", _type(dtype), _array(column.array.asi8, encode))
    return ("values", _type(dtype), encode(list(column.array)))


def _index(index: Any, encode: Encode) -> Any:
    if index.nlevels > 1 or type(index).__name__ == "MultiIndex":
        levels = [_index(index.get_level_values(level), encode) for level in range(index.nlevels)]
        return ("levels", encode(list(index.names)), levels)
    return ("index", encode(index.name), getattr(index, "freqstr", None), _column(index, encode))


def _pandas_frame(frame: Any, encode: Encode) -> Any:
    cells = [_column(frame.iloc[:, place], encode) for place in range(frame.shape[1])]
    return ("frame", _index(frame.columns, encode), _index(frame.index, encode), cells, _remarks(frame, encode))


def _pandas_series(series: Any, encode: Encode) -> Any:
    cells = _column(series, encode)
    return ("series", encode(series.name), _index(series.index, encode), cells, _remarks(series, encode))


def _remarks(table: Any, encode: Encode) -> Any:
    return (encode(dict(table.attrs)), bool(table.flags.allows_duplicate_labels))


def _polars_frame(frame: Any, encode: Encode) -> Any:
    return ("polars frame", frame.height, [_polars_series(column, encode) for column in frame.get_columns()])


def _polars_series(series: Any, encode: Encode) -> Any:
    form = ("polars series", series.name, _type(series.dtype), len(series))
    if "Object" in str(series.dtype):
        return (*form, encode(series.to_list()))
    stream = io.BytesIO()
    series.to_frame().rechunk().write_ipc_stream(stream)
    return (*form, _digest(stream.getbuffer()))


def _type(dtype: Any) -> str:
    return f"{dtype!r} {dtype!s}"


def _digest(content: Any) -> bytes:
    return blake2b(content, digest_size=32).digest()


_INDEXES: Final = (
    "Index", "MultiIndex", "RangeIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "CategoricalIndex",
    "IntervalIndex",
)  # fmt: skip
_FORMS: Final[dict[tuple[str, str], Form]] = {
    ("numpy", "ndarray"): _array,
    ("pandas", "DataFrame"): _pandas_frame,
    ("pandas", "Series"): _pandas_series,
    ("polars", "DataFrame"): _polars_frame,
    ("polars", "Series"): _polars_series,
    **dict.fromkeys([("pandas", name) for name in _INDEXES], _index),
}
"""By package and class."""
