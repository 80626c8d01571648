"""What an annotation asks of a value: plain types by our own rules, all else by pydantic."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from inspect import Parameter
from typing import Any, Final

from flowdeck.rules.parameters.parameter_models import Model
from flowdeck.rules.parameters.parameter_scalars import (
    NOTHING,
    SCALARS,
    Choice,
    ParameterType,
    Path,
    PathLike,
    UnfitError,
    choice_of_enum,
    decimal_type,
    unfit,
)


@dataclass(frozen=True, slots=True)
class Anything(ParameterType):
    """No annotation, `Any`, or one that cannot be resolved: every value passes."""

    def fits(self, value: Any) -> bool:
        """Every value does."""
        return True

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the value."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the schema that allows all."""
        return {}


@dataclass(frozen=True, slots=True)
class Items(ParameterType):
    """A list, set, frozenset, sequence, or tuple of any length, whose items share a type."""

    kind: type
    item: ParameterType
    keeps_tuples: bool = False
    """For `Sequence`: a tuple is as good as a list."""

    def fits(self, value: Any) -> bool:
        """Tell whether container and items pass unchanged."""
        return self._is_kind(value) and (
            isinstance(self.item, Anything) or all(self.item.fits(member) for member in value)
        )

    def coerce(self, value: Any, path: Path) -> Any:
        """Return the container with its items coerced: the same object where nothing had to change."""
        if self.fits(value):
            return value
        if not isinstance(value, Iterable) or isinstance(value, str | bytes | bytearray | Mapping):
            raise unfit(f"a {'list' if self.keeps_tuples else self.kind.__name__}", value, path)
        members: Iterable[Any] = value
        coerced = [self.item.coerce(member, (*path, position)) for position, member in enumerate(members)]
        kind = tuple if self.keeps_tuples and isinstance(value, tuple) else self.kind
        try:
            return kind(coerced)
        except TypeError as error:
            raise UnfitError(f"holds a value that cannot be in a {self.kind.__name__}", path) from error

    def _is_kind(self, value: Any) -> bool:
        return isinstance(value, self.kind) or (self.keeps_tuples and isinstance(value, tuple))

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an array."""
        schema: dict[str, Any] = {"type": "array", "items": self.item.json_schema()}
        if issubclass(self.kind, set | frozenset):
            schema["uniqueItems"] = True
        return schema


@dataclass(frozen=True, slots=True)
class Row(ParameterType):
    """A tuple of fixed length, each place with a type of its own."""

    places: tuple[ParameterType, ...]

    def fits(self, value: Any) -> bool:
        """Tell whether tuple and items pass unchanged."""
        return (
            isinstance(value, tuple)
            and len(typing.cast("tuple[Any, ...]", value)) == len(self.places)
            and all(place.fits(member) for place, member in zip(self.places, value, strict=True))
        )

    def coerce(self, value: Any, path: Path) -> Any:
        """Return a tuple with its items coerced."""
        if self.fits(value):
            return value
        if not isinstance(value, list | tuple) or len(typing.cast("Sequence[Any]", value)) != len(self.places):
            raise unfit(f"a list of {len(self.places)} values", value, path)
        pairs = zip(self.places, typing.cast("Sequence[Any]", value), strict=True)
        return tuple(place.coerce(member, (*path, position)) for position, (place, member) in enumerate(pairs))

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an array of fixed length."""
        return {
            "type": "array",
            "prefixItems": [place.json_schema() for place in self.places],
            "minItems": len(self.places),
            "maxItems": len(self.places),
        }


@dataclass(frozen=True, slots=True)
class Table(ParameterType):
    """A dict whose keys share a type, and whose values share one."""

    key: ParameterType
    value: ParameterType

    def fits(self, value: Any) -> bool:
        """Tell whether dict, keys and values pass unchanged."""
        return isinstance(value, dict) and all(
            self.key.fits(key) and self.value.fits(member)
            for key, member in typing.cast("dict[Any, Any]", value).items()
        )

    def coerce(self, value: Any, path: Path) -> Any:
        """Return a dict with keys and values coerced: the same object where nothing had to change."""
        if self.fits(value):
            return value
        if not isinstance(value, Mapping):
            raise unfit("a table of names and values", value, path)
        return {
            self.key.coerce(key, (*path, key)): self.value.coerce(member, (*path, key))
            for key, member in typing.cast("Mapping[Any, Any]", value).items()
        }

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an object."""
        values = self.value.json_schema()
        return {"type": "object", "additionalProperties": values or True}


@dataclass(frozen=True, slots=True)
class OneOf(ParameterType):
    """A union: the member that takes the value as it is, else the first that can convert it."""

    members: tuple[ParameterType, ...]

    def fits(self, value: Any) -> bool:
        """Tell whether a member takes the value unchanged."""
        return any(member.fits(value) for member in self.members)

    def coerce(self, value: Any, path: Path) -> Any:
        """Return what the first member makes of the value that can."""
        if self.fits(value):
            return value
        refusals: list[UnfitError] = []
        for member in self.members:
            try:
                return member.coerce(value, path)
            except UnfitError as error:
                refusals.append(error)
        # The member that came furthest tells most: `x[3] must be a whole number` rather than `x must be null`.
        deepest = max(refusals, key=lambda refusal: len(refusal.path))
        if len(deepest.path) > len(path):
            raise deepest
        wanted = [refusal.verdict.removeprefix("must be ").rpartition(", not ")[0] for refusal in refusals]
        raise unfit(" or ".join(dict.fromkeys(wanted)), value, path)

    def json_schema(self) -> dict[str, Any]:
        """Return the schemas of the members as alternatives."""
        return {"anyOf": [member.json_schema() for member in self.members]}


ANYTHING: Final = Anything()

_LIST_LIKE: Final[Mapping[Any, Items]] = {
    list: Items(list, ANYTHING),
    tuple: Items(tuple, ANYTHING),
    set: Items(set, ANYTHING),
    frozenset: Items(frozenset, ANYTHING),
    Sequence: Items(list, ANYTHING, keeps_tuples=True),
    MutableSequence: Items(list, ANYTHING),
    AbstractSet: Items(set, ANYTHING),
}
_DICT_LIKE: Final = frozenset({dict, Mapping, MutableMapping})


def type_of(annotation: Any) -> ParameterType:
    """Return what an annotation asks of a value.

    Args:
        annotation: resolved, as `type_hints` gives it. A text that could not be resolved asks nothing.
    """
    if annotation is None:
        return NOTHING
    if annotation is Parameter.empty or annotation is Any or isinstance(annotation, str | typing.ForwardRef):
        return ANYTHING
    if isinstance(annotation, type):
        return _type_of_class(annotation)
    if isinstance(annotation, typing.NewType):
        return type_of(annotation.__supertype__)
    if isinstance(annotation, typing.TypeVar):
        return type_of(annotation.__bound__ or Any)
    if type(annotation).__name__ == "TypeAliasType":  # `type Rows = list[int]`, from Python 3.12 on
        return type_of(annotation.__value__)
    return _type_of_form(annotation, typing.get_origin(annotation), typing.get_args(annotation))


def type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function with texts resolved; `Any` for each that cannot be.

    A name may be missing for good reason: imported for the type checker only, or local to the function around.
    """
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation is any expression, and may raise anything
        written: dict[str, Any] = getattr(function, "__annotations__", {})
        names: dict[str, Any] = getattr(function, "__globals__", {})
        return {name: _resolved(annotation, names) for name, annotation in written.items()}


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - as in `type_hints`
        return Any


def _type_of_class(annotation: type[Any]) -> ParameterType:
    if annotation is object:
        return ANYTHING
    if annotation in SCALARS:
        return SCALARS[annotation]
    if annotation in _LIST_LIKE:
        return _LIST_LIKE[annotation]
    if annotation in _DICT_LIKE:
        return Table(ANYTHING, ANYTHING)
    if issubclass(annotation, Enum):
        return choice_of_enum(annotation)
    pathlib = sys.modules.get("pathlib")  # whoever annotates with a path has imported it
    if pathlib is not None and issubclass(annotation, pathlib.PurePath):
        return PathLike(annotation)
    decimal = sys.modules.get("decimal")
    if decimal is not None and annotation is decimal.Decimal:
        return decimal_type(annotation)
    return Model(annotation)


def _type_of_form(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> ParameterType:
    """Settle `list[int]`, `int | None`, `Literal["a"]` and the like; to pydantic with all that is not plain."""
    if origin is typing.Literal:
        return Choice(tuple((value, value) for value in arguments))
    if origin is typing.Annotated:
        base, *metadata = arguments
        return type_of(base) if all(isinstance(entry, str) for entry in metadata) else Model(annotation)
    if origin is tuple and arguments[1:] == (...,):
        arguments = arguments[:1]
    elif origin is tuple:
        return _if_plain(annotation, [type_of(argument) for argument in arguments], lambda *inner: Row(inner))
    inner = [type_of(argument) for argument in arguments]
    if origin is typing.Union or origin is types.UnionType:
        if any(isinstance(member, Model) for member in inner):
            return Model(annotation, tuple(inner))
        return OneOf(tuple(inner))
    if origin in _LIST_LIKE:
        return _if_plain(annotation, inner, partial(_items, _LIST_LIKE[origin]))
    if origin in _DICT_LIKE:
        return _if_plain(annotation, inner, _table)
    return Model(annotation)


def _items(container: Items, item: ParameterType = ANYTHING) -> ParameterType:
    return replace(container, item=item)


def _table(key: ParameterType = ANYTHING, value: ParameterType = ANYTHING) -> ParameterType:
    return Table(key, value)


def _if_plain(annotation: Any, inner: Sequence[ParameterType], make: Callable[..., ParameterType]) -> ParameterType:
    return Model(annotation) if any(isinstance(member, Model) for member in inner) else make(*inner)
