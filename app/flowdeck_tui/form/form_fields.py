"""A flow's parameter schema as fields of a form, and what was typed into them as parameters. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, cast

from flowdeck.rules.parameters.parameter_checks import definitions_of, followed, is_textual, parse_text, problems_of
from flowdeck.rules.parameters.parameter_json import is_placeholder
from flowdeck.rules.parameters.parameter_models import ANY_INPUT
from flowdeck.rules.text.terminal_text import inert, inert_line
from flowdeck_tui.form.field_words import kind_of, name_of_value

Path = tuple[str, ...]
"""A parameter, or a field of a model in one: names from the outside in."""

MOST_DEPTH: Final = 3
"""Models inside models beyond this stand as JSON."""


class Entry(Enum):
    """By what kind of field a value is entered."""

    LINE = auto()
    SECRET = auto()
    CHOICE = auto()
    ITEMS = auto()
    """Several lines: one item each, or a JSON array."""
    JSON = auto()
    """Several lines of JSON."""
    TEXT = auto()
    """Several lines of text."""
    HEADING = auto()
    """A model; its fields follow."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One parameter, or one field of a model, as a form shows it.

    Attributes:
        path: where its value belongs.
        kind: its type in words, harmless for a terminal.
        initial: text that the field starts with: the default, or the value of an earlier run.
        is_required: a value must be given.
        entry: how it is entered.
        schema: its part of the parameter schema, with the definitions that it refers to.
        choices: text and value of each choice.
        note: what stands in the field while it is empty.
        value: what `initial` stands for; meaningless without `is_given`.
        is_given: `value` is handed over though nobody touches the field: it is not the flow's own default.
    """

    path: Path
    kind: str
    initial: str
    is_required: bool
    entry: Entry
    schema: Mapping[str, Any]
    choices: tuple[tuple[str, Any], ...] = ()
    note: str = ""
    value: Any = None
    is_given: bool = False

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path[-1]

    @property
    def description(self) -> str:
        """What its author says of it, one line, harmless for a terminal."""
        return inert_line(" ".join(str(self.schema.get("description", "")).split()))


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form holds when it is submitted.

    Attributes:
        values: parameters to hand over.
        texts: those of them that were changed, as the command line that does the same has them.
        problems: by field, one sentence on what is wrong; empty when the flow may run.
        name: of the run; None for a random one.
        tags: of the run.
    """

    values: Mapping[str, Any]
    texts: Mapping[str, str]
    problems: Mapping[Path, str]
    name: str | None = None
    tags: tuple[str, ...] = ()


# -- from the schema to fields -----------------------------------------------------------------------------------------


def fields_of(schema: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> tuple[FormField, ...]:
    """Return the fields of a schema in its order, those of a model behind its heading.

    Args:
        schema: of a flow's parameters.
        given: parameters of an earlier run, which stand in the fields instead of the defaults.
    """
    required = frozenset(schema.get("required", ()))
    fields: list[FormField] = []
    for name, described in schema.get("properties", {}).items():
        origin = _Origin(given[name], is_given=True) if given is not None and name in given else _Origin()
        fields.extend(_fields((name,), described, name in required, origin))
    return tuple(fields)


def strangers(schema: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Name the parameters of an earlier run that the flow does not take any more."""
    is_closed = schema.get("additionalProperties", True) is False
    return [name for name in given if is_closed and name not in schema.get("properties", {})]


def schema_of_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for parameters of which only a run's values are known."""
    return {"type": "object", "properties": {name: _schema_of_value(value) for name, value in values.items()}}


def _schema_of_value(value: Any) -> dict[str, Any]:
    return {"type": "string"} if isinstance(value, str) and not is_placeholder(value) else {}


@dataclass(frozen=True, slots=True)
class _Origin:
    """The value from outside that a field starts with, in place of the default that its own schema names."""

    value: Any = None
    is_given: bool = False
    """There is one."""


def _fields(path: Path, described: Mapping[str, Any], is_required: bool, origin: _Origin) -> Iterator[FormField]:
    definitions = definitions_of(described)
    schema = followed(described, definitions)
    if definitions:
        schema = {**schema, "$defs": definitions}
    lost = origin.is_given and is_placeholder(origin.value)
    if lost or (origin.is_given and "default" in schema and _is_same(origin.value, schema["default"])):
        note = f"the run had a {inert_line(name_of_value(origin.value))}, which is not kept" if lost else ""
        origin = _Origin()
    else:
        note = ""
    if _is_model(path, schema, origin):
        yield FormField(path, kind_of(schema), "", is_required, Entry.HEADING, schema, (), note, *_of(origin))
        yield from _model_fields(path, schema, origin)
        return
    yield _leaf(path, schema, is_required, origin, note)


def _of(origin: _Origin) -> tuple[Any, bool]:
    return origin.value, origin.is_given


def _is_same(value: Any, other: Any) -> bool:
    """Compare as JSON: 1 is not true."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_model(path: Path, schema: Mapping[str, Any], origin: _Origin) -> bool:
    value = origin.value if origin.is_given else schema.get("default", {})
    names = schema.get("properties", {}).keys()
    is_open = bool(names) and not schema.get(ANY_INPUT) and len(path) <= MOST_DEPTH
    return is_open and isinstance(value, Mapping) and cast("Mapping[str, Any]", value).keys() <= names


def _model_fields(path: Path, schema: Mapping[str, Any], origin: _Origin) -> Iterator[FormField]:
    outer: Mapping[str, Any] = origin.value if origin.is_given else schema.get("default", {})
    required = frozenset(schema.get("required", ()))
    definitions = {"$defs": schema.get("$defs", {})}
    for name, described in schema["properties"].items():
        inner = _Origin(outer[name], is_given=True) if name in outer else _Origin()
        yield from _fields((*path, name), {**described, **definitions}, name in required, inner)


def _leaf(path: Path, schema: Mapping[str, Any], is_required: bool, origin: _Origin, note: str) -> FormField:
    has_value = origin.is_given or "default" in schema
    value = origin.value if origin.is_given else schema.get("default")
    choices = _choices(schema)
    entry = _entry(schema, choices)
    initial = _text(entry, schema, value) if has_value else ""
    if entry is Entry.CHOICE and has_value and initial not in dict(choices):
        choices = ((initial, value), *choices)  # a default is taken as it is, also when it is none of the choices
    if entry is Entry.LINE and "\n" in initial:
        entry = Entry.TEXT
    if inert(initial) != initial:
        initial, note = "", "it holds signs that no terminal can show, and is kept unless you type another"
    if not note and not initial:
        note = _note(has_value, value, is_required)
    return FormField(path, kind_of(schema), initial, is_required, entry, schema, choices, note, value, origin.is_given)


def _note(has_value: bool, value: Any, is_required: bool) -> str:
    if has_value:
        return "empty text" if value == "" else "null" if value is None else ""
    return "required" if is_required else "the flow's own default, which cannot be shown"


def _entry(schema: Mapping[str, Any], choices: Sequence[Any]) -> Entry:
    if choices:
        return Entry.CHOICE
    kinds = {str(member.get("type")) for member in _members(schema) or [schema]} - {"null"}
    if kinds == {"array"}:
        return Entry.ITEMS
    if kinds & {"array", "object"}:
        return Entry.JSON
    return Entry.SECRET if schema.get("format") == "password" else Entry.LINE


def _members(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    definitions = definitions_of(schema)
    return [followed(member, definitions) for member in schema.get("anyOf") or schema.get("oneOf") or ()]


def _choices(schema: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the values among which one chooses; empty when there is no such list of all of them."""
    if schema.get(ANY_INPUT):
        return ()
    values: list[Any] = []
    for member in _members(schema) or [schema]:
        if "enum" in member or "const" in member:
            values.extend(member.get("enum", [member.get("const")]))
        elif member.get("type") == "boolean":
            values.extend((True, False))
        elif member.get("type") == "null":
            values.append(None)
        else:
            return ()
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    if len(set(texts)) < len(texts):  # "1" and 1: told apart as JSON has them
        texts = [json.dumps(value) for value in values]
    return tuple(zip(texts, values, strict=True))


def _text(entry: Entry, schema: Mapping[str, Any], value: Any) -> str:
    """Write a value as its field has it."""
    if entry is Entry.CHOICE:
        known = [text for text, choice in _choices(schema) if _is_same(choice, value)]
        return known[0] if known else json.dumps(value, ensure_ascii=False)
    if value is None and (is_textual(schema) or entry is Entry.ITEMS):
        return ""
    if isinstance(value, str) and (is_textual(schema) or parse_text(schema, value) == value):
        return value
    if entry is Entry.ITEMS and isinstance(value, list):
        lines = [_item_text(schema, item) for item in cast("list[Any]", value)]
        if all(lines):
            return "\n".join(lines)
    is_wide = entry in (Entry.ITEMS, Entry.JSON)
    return json.dumps(value, ensure_ascii=False, indent=2 if is_wide and value else None)


def _item_text(schema: Mapping[str, Any], item: Any) -> str:
    """Write an item as one line that is read as the same again; empty when no line is."""
    item_schema = _item_schema(schema)
    text = item if isinstance(item, str) and is_textual(item_schema) else json.dumps(item, ensure_ascii=False)
    is_one_line = text.splitlines() == [text] and text.strip() == text and text[:1] != "["
    return text if is_one_line and _is_same(parse_text(item_schema, text), item) else ""


def _item_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    arrays = [member for member in (schema, *_members(schema)) if member.get("type") == "array"]
    items = arrays[0].get("items") if arrays else None
    definitions = definitions_of(schema)
    return {**followed(cast("Mapping[str, Any]", items), definitions), "$defs": definitions} if items else {}


# -- from what was typed to parameters ---------------------------------------------------------------------------------


class _UnreadableError(Exception):
    """Text that stands for no value; says so in one sentence without the field's name."""


def read(schema: Mapping[str, Any], fields: Sequence[FormField], typed: Mapping[Path, str]) -> Filled:
    """Make parameters of what was typed, and hold them against the schema, by the same rules as the command line.

    A field that nobody touched is left to the flow, unless it holds the value of an earlier run; an empty one that is
    not a text has no value.
    """
    reading = _Reading(fields, typed)
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for field in fields:
        if len(field.path) == 1 and reading.has_value(field):
            try:
                values[field.name] = reading.value(field)
            except _UnreadableError:
                continue
            if reading.is_touched(field):
                texts[field.name] = _as_argument(field, values[field.name], typed.get(field.path, field.initial))
    problems: dict[Path, str] = {}
    paths = {field.path for field in fields}
    for name, problem in problems_of(schema, values).items():
        place: Path = (name, *map(str, problem.path))
        while place not in paths and len(place) > 1:
            place = place[:-1]
        problems[place] = problem.sentence
    for path, sentence in reading.problems.items():
        problems.pop(path[:1], None)  # it is not missing, it could not be read
        problems[path] = sentence
    return Filled(values, texts, problems)


class _Reading:
    """Reads the texts of a form."""

    def __init__(self, fields: Sequence[FormField], typed: Mapping[Path, str]) -> None:
        self._fields = fields
        self._typed = typed
        self.problems: dict[Path, str] = {}

    def _below(self, field: FormField) -> list[FormField]:
        depth = len(field.path)
        return [one for one in self._fields if len(one.path) == depth + 1 and one.path[:depth] == field.path]

    def _text(self, field: FormField) -> str:
        return self._typed.get(field.path, field.initial)

    def is_touched(self, field: FormField) -> bool:
        """Tell whether somebody changed a field, or one below it."""
        if field.entry is Entry.HEADING:
            return any(map(self.is_touched, self._below(field)))
        return self._text(field) != field.initial

    def has_value(self, field: FormField) -> bool:
        """Tell whether a field has something to hand over."""
        if field.entry is Entry.HEADING:
            return field.is_given or field.is_required or self.is_touched(field)
        if not self.is_touched(field):
            return field.is_given
        text = self._text(field)
        # Where a text stood and was taken away, the empty text is meant; elsewhere nothing was given.
        return bool(text.strip()) or (is_textual(field.schema) and bool(field.initial))

    def value(self, field: FormField) -> Any:
        """Return the value of a field that has one."""
        if field.entry is Entry.HEADING:
            return {below.name: self.value(below) for below in self._below(field) if self.has_value(below)}
        if not self.is_touched(field):
            return field.value
        try:
            return parsed(field, self._text(field))
        except _UnreadableError as error:
            self.problems[field.path] = f"{'.'.join(field.path)} {error}"
            raise


def parsed(field: FormField, text: str) -> Any:
    """Return the value that a text of a field stands for."""
    if field.entry is Entry.CHOICE:
        return dict(field.choices).get(text, text)
    if field.entry is Entry.ITEMS and not text.lstrip().startswith(("[", "{")) and text.strip() != "null":
        item_schema = _item_schema(field.schema)
        return [parse_text(item_schema, line) for line in text.splitlines() if line.strip()]
    if field.entry in (Entry.ITEMS, Entry.JSON):
        return _from_json(field, text)
    return parse_text(field.schema, text)


def _from_json(field: FormField, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise _UnreadableError("is nested too deeply") from None
    except ValueError as error:
        if not text.lstrip().startswith(("[", "{")):
            return parse_text(field.schema, text)
        place = f"line {getattr(error, 'lineno', 1)}, column {getattr(error, 'colno', 1)}"
        raise _UnreadableError(f"is no JSON: {getattr(error, 'msg', error)} ({place})") from None


def _as_argument(field: FormField, value: Any, text: str) -> str:
    """Write a value as `-p name=value` has it."""
    if field.entry is Entry.LINE:
        return text
    if isinstance(value, str) and is_textual(field.schema):
        return "•••" if field.entry is Entry.SECRET else value
    return json.dumps(value, ensure_ascii=False)
