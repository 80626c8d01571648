"""Single values as parameters: what each plain type takes, and what it makes of it.

They follow pydantic's lax mode, so that a flow behaves as its author expects, without the 0.1 s that importing
pydantic would add to the start of every flow.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final

from flowdeck.rules.clock import EPOCH

Path = tuple[Any, ...]
"""Where in a nested value something lies: positions and keys, from the outside in."""

_SHOWN_LENGTH: Final = 60
_TRUE_WORDS: Final = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE_WORDS: Final = frozenset({"0", "off", "f", "false", "n", "no"})
# Patterns are compiled by `re` when first used: nine of them at once would take 2 ms of the start of every flow.
_WHOLE_WITH_POINT: Final = r"\s*([+-]?\d+)\.0+\s*"
_NUMBER: Final = r"\s*[+-]?\d+(\.\d+)?\s*"
_DATE: Final = r"\d{4}-\d{2}-\d{2}"
_CLOCK_SPAN: Final = (
    r"(?P<sign>[+-])?(?:(?P<days>\d+)\s*(?:d|days?)?,?\s*)?"
    r"(?P<hours>\d+):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}(?:\.\d+)?))?"
)
_DAY_SPAN: Final = r"(?P<sign>[+-])?(?P<days>\d+)\s*(?:d|days?)"
_ISO_SPAN: Final = (
    r"(?P<sign>[+-])?P(?=.)(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
DECIMAL_PATTERN: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
DECIMAL_WORDS: Final = "a decimal number such as 19.99"
_LARGEST_SECONDS_SINCE_EPOCH: Final = 2e10
"""A larger number of a date is read as milliseconds: the watershed that pydantic draws."""

_TYPE_NAMES: Final[Mapping[type, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}


class UnfitError(Exception):
    """A value that a type does not take.

    Attributes:
        verdict: what is said of it, the end of a sentence: `must be a whole number, not 'x'`.
        path: path to the value within the parameter.
    """

    def __init__(self, verdict: str, path: Path = ()) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.path = path

    def sentence(self, name: str) -> str:
        """Say it of the parameter `name`: `rows[2] must be a whole number, not 'x'`."""
        place = "".join(f"[{step!r}]" for step in self.path)
        return f"{name}{place} {self.verdict}"


def unfit(expected: str, value: Any, path: Path) -> UnfitError:
    """Make the error of a value that is not what was expected."""
    return UnfitError(f"must be {expected}, not {shown(value)}", path)


def shown(value: Any) -> str:
    """Write a value short enough for a sentence: plain ones as they are, others by their type."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float | str | bytes):
        try:
            text = repr(value)
        except ValueError:  # an integer of thousands of digits is not written out
            return "so large a number"
        return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in set('aeiou') else 'a'} {kind}"


class ParameterType:
    """What is known of the values that a parameter takes."""

    # Not a Protocol: making one costs each start 0.4 ms.

    __slots__ = ()

    def fits(self, value: Any) -> bool:
        """Tell whether a value passes unchanged."""
        raise NotImplementedError

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the value as this type, or raise UnfitError. `path` says where in the parameter it lies."""
        raise NotImplementedError

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of such values."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Scalar(ParameterType):
    """A type whose values are one thing.

    Attributes:
        exact: values of this very type pass as they are.
        expected: how a sentence calls such a value.
        convert: makes one of another value, or raises ValueError, TypeError or OverflowError.
        schema: JSON schema of it.
    """

    exact: type
    expected: str
    convert: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def fits(self, value: Any) -> bool:
        """Tell whether a value passes unchanged."""
        return type(value) is self.exact

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the value as this type, or raise UnfitError."""
        if type(value) is self.exact:
            return value
        try:
            return self.convert(value)
        except (ValueError, TypeError, OverflowError) as error:
            raise unfit(self.expected, value, path) from error

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of such a value."""
        return dict(self.schema)


@dataclass(frozen=True, slots=True)
class Choice(ParameterType):
    """One of a few values: `Literal[...]`, or the members of an Enum.

    Attributes:
        options: what stands for each choice in JSON, and what the flow gets.
        members: the Enum, None for a Literal.
    """

    options: tuple[tuple[Any, Any], ...]
    members: type[Enum] | None = None

    def fits(self, value: Any) -> bool:
        """Tell whether a value passes unchanged."""
        if self.members is not None:
            return isinstance(value, self.members)
        return any(type(option) is type(value) and option == value for _, option in self.options)

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the choice that a value stands for, or raise UnfitError."""
        if self.fits(value):
            return value
        for written, option in self.options:
            if written == value:
                return option
        try:
            # An Enum may give values of its own a meaning.
            return self._missing(value)
        except (ValueError, TypeError, KeyError) as error:
            listed = ", ".join(shown(written) for written, _ in self.options)
            raise unfit(f"one of {listed}", value, path) from error

    def _missing(self, value: Any) -> Any:
        if self.members is None:
            raise ValueError
        return self.members(value)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema: the values in their order, with their type where they share one."""
        written = [value for value, _ in self.options]
        schema: dict[str, Any] = {"enum": written}
        kinds = {type(value) for value in written}
        if len(kinds) == 1 and (name := _TYPE_NAMES.get(kinds.pop())):
            schema["type"] = name
        return schema


@dataclass(frozen=True, slots=True)
class PathLike(ParameterType):
    """A path, in the class that the annotation names; held as a value so that `pathlib` need not be imported."""

    kind: type
    expected: str = field(default="a path", init=False)

    def fits(self, value: Any) -> bool:
        """Tell whether a value passes unchanged."""
        return isinstance(value, self.kind)

    def coerce(self, value: Any, path: Path) -> Any:
        """Return a path, or raise UnfitError."""
        if isinstance(value, self.kind):
            return value
        if isinstance(value, str | os.PathLike):
            return self.kind(value)
        raise unfit(self.expected, value, path)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of a path."""
        return {"type": "string", "format": "path"}


def choice_of_enum(members: type[Enum]) -> Choice:
    """Make the choice of an Enum: written by value where JSON can hold every value, else by name."""
    plain = all(type(member.value) in {str, int, float, bool} for member in members)
    return Choice(tuple((member.value if plain else member.name, member) for member in members), members)


def decimal_type(kind: type) -> Scalar:
    """Make the type of `decimal.Decimal`, which is given so that it need not be imported."""

    def convert(value: Any) -> Any:
        # By way of its text, as pydantic does: 0.1 is meant, not the binary fraction that stands for it.
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _to_text(value).strip()
        if not re.fullmatch(DECIMAL_PATTERN, text):
            raise ValueError
        return kind(text)

    return Scalar(kind, DECIMAL_WORDS, convert, {"type": "string", "format": "decimal"})


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode()
    raise TypeError


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise TypeError


def _to_int(value: Any) -> int:
    if isinstance(value, str | bytes | bytearray):
        text = _to_text(value)
        whole = re.fullmatch(_WHOLE_WITH_POINT, text)
        return int(whole[1] if whole else text)
    if hasattr(type(value), "__index__"):
        return operator.index(value)
    number = int(value) if hasattr(type(value), "__float__") else None
    if number is None or number != value:
        raise ValueError
    return number


def _to_float(value: Any) -> float:
    if isinstance(value, str | bytes | bytearray) or hasattr(type(value), "__float__"):
        return float(value)
    raise TypeError


def _to_bool(value: Any) -> bool:
    if isinstance(value, str | bytes | bytearray):
        word = _to_text(value).lower()
        if word in _TRUE_WORDS or word in _FALSE_WORDS:
            return word in _TRUE_WORDS
    elif isinstance(value, int | float) and value in {0, 1}:
        return bool(value)
    raise ValueError


def _to_none(_value: Any) -> None:
    raise ValueError


def _to_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        # No zone: a date has none, and a flow that wants one says so.
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if abs(value) <= _LARGEST_SECONDS_SINCE_EPOCH else value / 1000
        return EPOCH + timedelta(seconds=seconds)
    text = _to_text(value)
    return _to_datetime(float(text)) if re.fullmatch(_NUMBER, text) else datetime.fromisoformat(text)


def _to_date(value: Any) -> date:
    if isinstance(value, str) and re.fullmatch(_DATE, value):
        return date.fromisoformat(value)
    moment = _to_datetime(value)
    if moment.time() != time():
        raise ValueError
    return moment.date()


def _to_time(value: Any) -> time:
    text = _to_text(value)
    if ":" not in text:  # "09" would do for `fromisoformat`, and might as well be a count
        raise ValueError
    return time.fromisoformat(text)


def _to_timedelta(value: Any) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = _to_text(value).strip()
    if re.fullmatch(_NUMBER, text):
        return timedelta(seconds=float(text))
    for pattern in (_ISO_SPAN, _CLOCK_SPAN, _DAY_SPAN):
        if match := re.fullmatch(pattern, text):
            parts = {unit: float(number) for unit, number in match.groupdict().items() if number and unit != "sign"}
            return timedelta(**parts) * (-1 if match["sign"] == "-" else 1)
    raise ValueError


def span_text(span: timedelta) -> str:
    """Write a duration as ISO 8601: `PT90S`, `-PT0.5S`, `P2DT3600S`."""
    if span < timedelta(0):
        return f"-{span_text(-span)}"
    days = f"{span.days}D" if span.days else ""
    if days and not span.seconds and not span.microseconds:
        return f"P{days}"
    fraction = f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""
    return f"P{days}T{span.seconds}{fraction}S"


TEXT: Final = Scalar(str, "text", _to_text, {"type": "string"})
WHOLE_NUMBER: Final = Scalar(int, "a whole number", _to_int, {"type": "integer"})
NUMBER: Final = Scalar(float, "a number", _to_float, {"type": "number"})
TRUTH: Final = Scalar(bool, "true or false", _to_bool, {"type": "boolean"})
NOTHING: Final = Scalar(type(None), "null", _to_none, {"type": "null"})
BYTES: Final = Scalar(bytes, "bytes", _to_bytes, {"type": "string", "format": "binary"})
MOMENT: Final = Scalar(
    datetime, "a date and time such as 2026-01-31T09:30:00Z", _to_datetime, {"type": "string", "format": "date-time"}
)
DAY: Final = Scalar(date, "a date such as 2026-01-31", _to_date, {"type": "string", "format": "date"})
CLOCK_TIME: Final = Scalar(time, "a time such as 09:30 or 09:30:15", _to_time, {"type": "string", "format": "time"})
SPAN: Final = Scalar(
    timedelta,
    "a duration in seconds, or such as 1:30:00 or PT90M",
    _to_timedelta,
    {"type": "string", "format": "duration"},
)

SCALARS: Final[Mapping[Any, Scalar]] = {
    scalar.exact: scalar
    for scalar in (TEXT, WHOLE_NUMBER, NUMBER, TRUTH, NOTHING, BYTES, MOMENT, DAY, CLOCK_TIME, SPAN)
}
"""By annotation."""
