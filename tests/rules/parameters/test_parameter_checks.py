"""Values held against a schema, as forms and the command line do before a flow runs."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import inspect
import json
import uuid
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from flowdeck.rules.parameters import parameter_checks, parameter_schema, parameters
from flowdeck.rules.parameters.parameter_checks import problems_of
from flowdeck.rules.parameters.parameter_models import ANY_INPUT


class Settings(BaseModel):
    host: str
    retries: int = 3
    tags: list[str] = []


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 1


class Lenient(BaseModel):
    names: list[str]
    count: int = 0

    @field_validator("names", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value


class Shaped(BaseModel):
    size: int

    @model_validator(mode="before")
    @classmethod
    def _shape(cls, value: Any) -> Any:
        return {"size": value} if isinstance(value, int) else value


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    size: int = Field(alias="theSize")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the schema of a flow with one parameter `it`, as it comes out of the catalogue."""

    def run(it: Any) -> None: ...

    described = parameter_schema.schema(inspect.signature(run), {"it": annotation}, None)
    return json.loads(json.dumps(described))


def sentence(annotation: Any, value: Any) -> str | None:
    return parameter_checks.validate(schema_of(annotation), {"it": value}).get("it")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (datetime.time, "09:30"),
        (datetime.time, "09:30:15.5"),
        (decimal.Decimal, "19.99"),
        (decimal.Decimal, 3),
        (decimal.Decimal, "-1e3"),
        (uuid.UUID, str(uuid.UUID(int=7))),
        (uuid.UUID, "{00000000-0000-0000-0000-000000000007}"),
        (Settings, {"host": "x", "retries": "5"}),
        (Settings | None, None),
        (list[Settings], [{"host": "x"}]),
        (dict[str, Point], {"a": {"x": 1}}),
        (Point, {"x": 1}),
        (Lenient, {"names": "a,b"}),
        (Shaped, 5),
        (Aliased, {"size": 5}),
        (Aliased, {"theSize": 5}),
        (Annotated[list[int], BeforeValidator(str.split)], "1 2"),
        (Annotated[int, Field(ge=1, le=9)], 9),
        (Annotated[float, Field(multiple_of=0.1)], 0.7),
        (Annotated[str, Field(pattern="^a+$")], "aaa"),
        (int | bool, True),
        (bool, True),
    ],
)
def test_what_a_flow_takes_is_well(annotation: Any, value: Any) -> None:
    """Nothing is refused before the run that the run would take, and the run does take it."""
    assert sentence(annotation, value) is None
    parameters.coerce("it", annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, True, "it must be a whole number, not True"),
        (float, False, "it must be a number, not False"),
        (list[int], [1, True], "it[1] must be a whole number, not True"),
        (datetime.time, "soon", "it must be a time such as 09:30 or 09:30:15, not 'soon'"),
        (datetime.time, "9", "it must be a time such as 09:30 or 09:30:15, not '9'"),
        (decimal.Decimal, "much", "it must be a decimal number such as 19.99, not 'much'"),
        (decimal.Decimal, True, "it must be a decimal number such as 19.99, not True"),
        (uuid.UUID, "7", "it must be a UUID, not '7'"),
        (Settings, {"host": "x", "retries": "many"}, "it['retries'] must be a whole number, not 'many'"),
        (Settings, {"host": "x", "tags": [1]}, "it['tags'][0] must be text, not 1"),
        (Settings, {"retries": 1}, "it['host'] is missing"),
        (Settings, "x", "it must be a table of names and values, not 'x'"),
        (Settings | None, {"host": 3}, "it['host'] must be text, not 3"),
        (list[Settings], [{"host": "x"}, {}], "it[1]['host'] is missing"),
        (Point, {"y": 1}, "it['x'] is missing"),
        (Closed, {"sise": 1}, "it['sise'] is not a field; there are size"),
        (Lenient, {"names": "a", "count": "x"}, "it['count'] must be a whole number, not 'x'"),
        (Annotated[int, Field(ge=1)], 0, "it must be at least 1, not 0"),
        (Annotated[int, Field(le=9)], 10, "it must be at most 9, not 10"),
        (Annotated[int, Field(gt=1)], 1, "it must be more than 1, not 1"),
        (Annotated[int, Field(lt=1)], "1", "it must be less than 1, not '1'"),
        (Annotated[int, Field(multiple_of=5)], 7, "it must be a multiple of 5, not 7"),
        (Annotated[str, Field(min_length=2)], "a", "it must have at least 2 characters, not 'a'"),
        (Annotated[str, Field(max_length=2)], "abc", "it must have at most 2 characters, not 'abc'"),
        (Annotated[str, Field(pattern="^a+$")], "b", "it must match the pattern ^a+$, not 'b'"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "it must have at most 1 items, not 2"),
        (Annotated[list[int], Field(min_length=1)], [], "it must have at least 1 items, not 0"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(annotation: Any, value: Any, said: str) -> None:
    """With the place in the value where it lies."""
    assert sentence(annotation, value) == said


def test_a_boolean_is_a_number_to_a_call_in_python_only() -> None:
    """Python says so, and so does pydantic; whoever types `true` for a count has erred."""
    assert parameters.coerce("it", int, True) == 1


def test_a_problem_tells_where_it_lies() -> None:
    """So that a form can show it at the field of the model."""
    problem = problems_of(schema_of(Settings), {"it": {"host": "x", "tags": ["a", 2]}})["it"]
    assert problem.path == ("tags", 1)


def test_a_pattern_of_another_dialect_is_left_to_the_run() -> None:
    """JSON schema comes from anywhere."""
    assert not parameter_checks.validate({"properties": {"it": {"type": "string", "pattern": "(?<x"}}}, {"it": "y"})


def test_a_part_with_a_validator_before_its_type_is_marked() -> None:
    """Only that part: the rest is still checked."""
    described = schema_of(Lenient)["properties"]["it"]
    assert described["properties"]["names"][ANY_INPUT] is True
    assert ANY_INPUT not in described["properties"]["count"]


def test_a_model_that_holds_itself_is_checked_without_end() -> None:
    """A tree is a common model."""
    schema = {
        "properties": {
            "it": {
                "$ref": "#/$defs/Node",
                "$defs": {
                    "Node": {
                        "type": "object",
                        "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}},
                    }
                },
            }
        }
    }
    assert not parameter_checks.validate(schema, {"it": {"value": 1, "next": {"value": 2, "next": {"value": 3}}}})
    assert parameter_checks.validate(schema, {"it": {"value": 1, "next": {"value": "x"}}}) == {
        "it": "it['next']['value'] must be a whole number, not 'x'"
    }
