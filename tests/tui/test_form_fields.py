"""A parameter schema as fields, and typed text as parameters."""

from __future__ import annotations

from typing import Any

import pytest

from flowdeck_tui.form_fields import fields_of, read

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "default": "Oslo"},
        "days": {"type": "integer", "default": 3},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean", "default": False},
        "tags": {"type": "array", "default": ["a"]},
        "path": {"type": "string"},
        "any": {},
        "mode": {"enum": ["fast", "slow"], "default": "fast"},
        "at": {"type": "string", "format": "date-time"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    },
    "required": ["path"],
}
FIELDS = fields_of(SCHEMA)


def typed(**texts: str) -> dict[str, str]:
    return {field.name: texts.get(field.name, field.initial) for field in FIELDS}


def test_fields_show_type_and_default() -> None:
    """In the order of the schema; a text as it is, everything else as JSON."""
    shown = {field.name: (field.kind, field.initial) for field in FIELDS}
    assert list(shown) == list(SCHEMA["properties"])
    assert shown["city"] == ("string", "Oslo")
    assert shown["days"] == ("integer", "3")
    assert shown["deep"] == ("boolean", "false")
    assert shown["tags"] == ("array", '["a"]')
    assert shown["any"] == ("any", "")
    assert shown["mode"] == ("one of fast, slow", "fast")
    assert shown["at"] == ("date-time", "")
    assert shown["either"] == ("integer or null", "null")
    assert [field.name for field in FIELDS if field.is_required] == ["path"]


def test_what_keeps_its_default_is_left_to_the_flow() -> None:
    """Only what was changed is given."""
    filled = read(SCHEMA, FIELDS, typed(path="in.csv", days="7"))
    assert filled.values == {"days": 7, "path": "in.csv"}
    assert filled.texts == {"days": "7", "path": "in.csv"}
    assert not filled.problems


def test_a_required_field_left_empty_is_named() -> None:
    """Nothing is not the empty text."""
    assert list(read(SCHEMA, FIELDS, typed()).problems) == ["path"]


def test_a_default_text_that_is_emptied_means_the_empty_text() -> None:
    """The default was taken away on purpose."""
    assert read(SCHEMA, FIELDS, typed(path="x", city="")).values == {"city": "", "path": "x"}


@pytest.mark.parametrize(("name", "text"), [("days", "soon"), ("ratio", "much"), ("deep", "perhaps"), ("mode", "odd")])
def test_a_value_that_does_not_fit_is_named_at_its_field(name: str, text: str) -> None:
    """The sentence stands where the mistake is."""
    problems = read(SCHEMA, FIELDS, typed(path="x", **{name: text})).problems
    assert list(problems) == [name]


def test_texts_that_look_like_numbers_stay_texts() -> None:
    """The schema says string: 007 is a name."""
    assert read(SCHEMA, FIELDS, typed(path="007")).values == {"path": "007"}


def test_a_schema_without_parameters_has_no_fields() -> None:
    """The form then only asks to run."""
    assert fields_of({"type": "object"}) == ()
    assert not read({"type": "object"}, (), {}).problems
