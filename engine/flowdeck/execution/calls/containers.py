"""Values that may hold futures: what is in them, how each is rebuilt with other members, and what cannot be rebuilt.

Collections, mappings, dataclasses, models of pydantic and classes of attrs are rebuilt. A plain object is not: its
attributes are its own affair, so a future in it is only named.
"""

from __future__ import annotations

import copy
import functools
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, repeat
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, Final, NamedTuple, cast

from flowdeck.rules.exceptions import UsageError

PLAIN: Final = frozenset({int, float, str, bytes, bool, type(None)})
_DATACLASS_FIELDS: Final = "__dataclass_fields__"
_ATTRS_FIELDS: Final = "__attrs_attrs__"
_MODEL_EXTRAS: Final = ("__pydantic_extra__", "__pydantic_private__")
_BY_ATTRIBUTES: Final = (Mapping, Sequence, Set, UserDict, UserList, ChainMap, SimpleNamespace)
_VIEWS: Final = (type({}.keys()), type({}.values()), type({}.items()))
_CLOSED: Final = (type, ModuleType, BaseException)
"""Not looked into: what they hold is never meant as an argument."""
_OBJECTS_DEEP: Final = 3
_MOST_LOOKS: Final = 2_000
"""A plain object is looked into for a warning only: so deep, and at so many values in it."""


class _Shape(NamedTuple):
    """How values of a type are taken apart and put together."""

    members: Callable[[Any], Sequence[Any]]
    rebuild: Callable[[Any, Sequence[Any]], Any]


def members_of(value: Any) -> Iterable[Any] | None:
    """Return what is in a value and may be a future or hold one; None when nothing is, or it cannot be rebuilt."""
    if isinstance(value, list | tuple | set | frozenset):
        members = cast("Sequence[Any]", value)
    elif isinstance(value, dict):
        return _members_of_mapping(cast("dict[Any, Any]", value))
    else:
        shape = _shape_of(type(value))
        if shape is None:
            return None
        members = shape.members(value)
    return None if PLAIN.issuperset(map(type, members)) else members


def rebuilt(value: Any, members: Sequence[Any]) -> Any:
    """Return a value like the given one with other members, in the order of `members_of`.

    Raises:
        UsageError: it cannot be copied, or a member cannot be a key or stand in a set.
    """
    try:
        if isinstance(value, dict):
            return _rebuilt_mapping(cast("dict[Any, Any]", value), members)
        if isinstance(value, list | tuple | set | frozenset):
            return _rebuilt_collection(cast("Any", value), members)
        shape = _shape_of(type(value))
        return value if shape is None else shape.rebuild(value, members)
    except Exception as error:
        kind = type(value).__name__
        raise UsageError(
            f"The results of futures cannot be put into a {kind} among the arguments ({type(error).__name__}: "
            f"{error}). Pass the futures as arguments of their own, or their results."
        ) from error


def strays_in(value: Any, is_stray: Callable[[Any], bool]) -> str | None:
    """Return where in a plain object a value stands that nobody will replace there; None when there is none.

    Args:
        value: a value of any type; only of a plain object something is returned.
        is_stray: the function that tells whether a value is looked for.
    """
    if not _is_plain_object(type(value)) or PLAIN.issuperset(map(type, _attributes(value).values())):
        return None
    seen, left = {id(value)}, [(value, type(value).__name__, 0)]
    looks = 0
    while left and looks < _MOST_LOOKS:
        holder, path, depth = left.pop()
        for label, member in _labelled(holder):
            looks += 1
            if type(member) in PLAIN or id(member) in seen:
                continue
            if is_stray(member):
                return path + label
            if looks >= _MOST_LOOKS:
                break
            deeper = depth + _is_plain_object(type(member))
            if deeper < _OBJECTS_DEEP:
                seen.add(id(member))
                left.append((member, path + label, deeper))
    return None


# -- mappings and collections ------------------------------------------------------------------------------------------


def _members_of_mapping(mapping: dict[Any, Any]) -> Iterable[Any] | None:
    """Return its keys and then its values."""
    if PLAIN.issuperset(map(type, mapping.values())) and PLAIN.issuperset(map(type, mapping)):
        return None
    return [*mapping, *mapping.values()]


def _rebuilt_mapping(mapping: dict[Any, Any], members: Sequence[Any]) -> dict[Any, Any]:
    filled = copy.copy(mapping)  # keeps the kind: an OrderedDict, a defaultdict
    half = len(members) // 2
    if any(key is not member for key, member in zip(mapping, members, strict=False)):
        filled.clear()
    for key, member in zip(members[:half], members[half:], strict=True):
        filled[key] = member
    return filled


def _rebuilt_collection(value: Any, members: Sequence[Any]) -> Any:
    kind: type[Any] = type(value)
    if kind in {list, set, frozenset, tuple}:
        return kind(members)
    if isinstance(value, list):
        filled = copy.copy(cast("list[Any]", value))
        filled[:] = members
        return filled
    if isinstance(value, set):
        emptied = copy.copy(cast("set[Any]", value))
        emptied.clear()
        emptied.update(members)
        return emptied
    # A constructor of the author's may take other arguments than members.
    base: Any = tuple if isinstance(value, tuple) else frozenset
    made = base.__new__(kind, members)
    if attributes := getattr(cast("Any", value), "__dict__", None):
        made.__dict__.update(attributes)
    return made


# -- by type -----------------------------------------------------------------------------------------------------------


def _shape_of(kind: type) -> _Shape | None:
    try:
        return _known_shape(kind)
    except TypeError:  # its metaclass makes the type unhashable
        return None


@functools.lru_cache(maxsize=4096)
def _known_shape(kind: type) -> _Shape | None:
    if issubclass(kind, _CLOSED) or kind in PLAIN:
        return None
    known = next((shape for base, shape in _BUILT_IN.items() if issubclass(kind, base)), None)
    if known is not None:
        return known
    if hasattr(kind, _DATACLASS_FIELDS):
        return _by_names(tuple(getattr(kind, _DATACLASS_FIELDS)))
    if hasattr(kind, _ATTRS_FIELDS):
        return _by_names(tuple(attribute.name for attribute in getattr(kind, _ATTRS_FIELDS)))
    if hasattr(kind, "__pydantic_fields__") or hasattr(kind, "__fields_set__"):
        return _Shape(_members_of_model, _rebuilt_model)
    if issubclass(kind, _BY_ATTRIBUTES) and kind.__dictoffset__:
        return _Shape(_members_of_attributes, _rebuilt_attributes)
    return None


def _rebuilt_deque(value: deque[Any], members: Sequence[Any]) -> Any:
    filled = copy.copy(value)  # keeps the longest length, and the kind
    filled.clear()
    filled.extend(members)
    return filled


def _members_of_proxy(proxy: MappingProxyType[Any, Any]) -> list[Any]:
    return [*proxy, *proxy.values()]


def _rebuilt_proxy(_: Any, members: Sequence[Any]) -> Any:
    half = len(members) // 2
    return MappingProxyType(dict(zip(members[:half], members[half:], strict=True)))


def _members_of_partial(value: functools.partial[Any]) -> list[Any]:
    return [*value.args, *value.keywords.values()]


def _rebuilt_partial(value: functools.partial[Any], members: Sequence[Any]) -> Any:
    count = len(value.args)
    named = dict(zip(value.keywords, members[count:], strict=True))
    return type(value)(value.func, *members[:count], **named)


def _by_names(names: tuple[str, ...]) -> _Shape:
    def rebuild(value: Any, members: Sequence[Any]) -> Any:
        copied = copy.copy(value)
        for name, member in zip(names, members, strict=True):
            if hasattr(value, name):
                object.__setattr__(copied, name, member)  # a frozen one too; its checks ran when it was made
        return copied

    def members(value: Any) -> list[Any]:
        return [getattr(value, name, None) for name in names]

    return _Shape(members, rebuild)


def _model_values(model: Any) -> dict[str, Any]:
    extras = {name: getattr(model, name, None) for name in _MODEL_EXTRAS}
    return {**vars(model), **{name: value for name, value in extras.items() if value is not None}}


def _members_of_model(model: Any) -> list[Any]:
    return list(_model_values(model).values())


def _rebuilt_model(model: Any, members: Sequence[Any]) -> Any:
    copied = copy.copy(model)
    for name, member in zip(_model_values(model), members, strict=True):
        object.__setattr__(copied, name, member)
    return copied


def _members_of_attributes(value: Any) -> list[Any]:
    return list(vars(value).values())


def _rebuilt_attributes(value: Any, members: Sequence[Any]) -> Any:
    copied = copy.copy(value)
    copied.__dict__.update(zip(vars(value), members, strict=True))
    return copied


def _as_list(_: Any, members: Sequence[Any]) -> list[Any]:
    return list(members)


_BUILT_IN: Final[Mapping[type, _Shape]] = {
    deque: _Shape(list, _rebuilt_deque),
    MappingProxyType: _Shape(_members_of_proxy, _rebuilt_proxy),
    functools.partial: _Shape(_members_of_partial, _rebuilt_partial),
    **dict.fromkeys(_VIEWS, _Shape(list, _as_list)),
}


# -- plain objects -----------------------------------------------------------------------------------------------------


def _is_plain_object(kind: type) -> bool:
    """Tell whether values of a type have attributes that are not looked into."""
    return kind not in PLAIN and _shape_of(kind) is None and _has_attributes(kind)


def _has_attributes(kind: type) -> bool:
    if issubclass(kind, (*_CLOSED, list, tuple, set, frozenset, dict)) or kind.__module__.startswith("flowdeck."):
        return False
    return kind.__module__ != "builtins" and bool(kind.__dictoffset__ or _slots_of(kind))


def _slots_of(kind: type) -> tuple[str, ...]:
    try:
        return _known_slots(kind)
    except TypeError:  # its metaclass makes the type unhashable
        return _known_slots.__wrapped__(kind)


@functools.lru_cache(maxsize=4096)
def _known_slots(kind: type) -> tuple[str, ...]:
    slots: list[str] = []
    for base in kind.__mro__:
        named: Any = vars(base).get("__slots__", ())
        slots += [named] if isinstance(named, str) else list(named)
    return tuple(name for name in slots if not name.startswith("__"))


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of a plain object; code of its class does not run."""
    found: dict[str, Any] = dict(getattr(value, "__dict__", None) or {})
    for name in _slots_of(type(value)):
        slot = getattr(type(value), name, None)
        try:
            found[name] = slot.__get__(value)  # pyright: ignore[reportOptionalMemberAccess]
        except AttributeError:  # not set
            continue
    return found


def _labelled(value: Any) -> Iterator[tuple[str, Any]]:
    """Give what is in a value with how it is reached from there."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value) if isinstance(value, dict) else {}
        return chain(
            ((f"[{key!r}]", member) for key, member in mapping.items()), zip(repeat(" (a key)"), mapping, strict=False)
        )
    if isinstance(value, list | tuple | set | frozenset | deque):
        return ((f"[{index}]", member) for index, member in enumerate(cast("Sequence[Any]", value)))
    if _is_plain_object(type(value)) or hasattr(type(value), "__dict__"):
        return ((f".{name}", member) for name, member in _attributes(value).items())
    return iter(())
