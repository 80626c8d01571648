"""Keys of calls: the same for the same inputs in every process, different for different ones."""

from __future__ import annotations

import copy
import enum
import functools
import os
import subprocess
import sys
import textwrap
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowdeck.rules.keys.call_keys import MAXIMUM_INPUT_BYTES, input_key, task_key


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Order:
    number: int
    labels: frozenset[str] = frozenset()


@dataclass
class Invoice:
    number: int
    labels: frozenset[str] = frozenset()


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - that it has no zone is the point
DISTINCT: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, float("inf"), float("nan"), 2**70, "", "1", "a", b"", b"a", b"1",
    [], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset({1}), {1: 1}, {"1": 1}, {"a": "b"}, ["a", "b"],
    ("a", "b"), [["a", "b"]],
    [[1], []], [[], [1]], [1, 2], [2, 1], [1.0, 2], ["12"], ["1", "2"], {"a": {"b": 1}}, {"a": ["b", 1]},
    date(2026, 1, 1), NAIVE, NAIVE.replace(tzinfo=UTC), NAIVE.replace(fold=1),
    NAIVE.replace(tzinfo=timezone(timedelta(hours=1))), NAIVE.replace(tzinfo=ZoneInfo("Europe/Berlin")),
    time(1), timedelta(1), timedelta(0, 1), Decimal(1), Decimal("1.0"), Colour.RED, Colour.BLUE, Level.LOW, "RED",
    Path("a"), PurePosixPath("a"), bytearray(b"a"), Order(1), Invoice(1), Order(2), Order(1, frozenset({"a"})),
    OrderedDict(a="b"), {"set": []}, {"dict": [1, 1]}, Order, Invoice, range(1), complex(1, 0),
]  # fmt: skip


def test_different_inputs_have_different_keys() -> None:
    """Also those that Python calls equal (1, 1.0, True), and those that look like our own tags."""
    keys = [input_key((value,)) for value in DISTINCT]
    assert None not in keys
    assert all(len(key) == 16 for key in keys if key is not None)
    collisions = [
        (DISTINCT[first], DISTINCT[second])
        for first in range(len(keys))
        for second in range(first)
        if keys[first] == keys[second]
    ]
    assert collisions == []


@pytest.mark.parametrize("value", DISTINCT, ids=repr)
def test_a_copy_has_the_same_key(value: Any) -> None:
    """Inside containers too, where one object may stand in two places."""
    assert input_key(([value, value],)) == input_key(([value, copy.deepcopy(value)],))
    assert input_key((value,)) == input_key([value])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
        ({1: "x", "a": 2}, {"a": 2, 1: "x"}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        ([[1, 2]] * 2, [[1, 2], [1, 2]]),
        (Order(1, frozenset("abc")), Order(1, frozenset("cba"))),
        ("ab", "".join(["a", "b"])),
    ],
)
def test_equal_values_have_the_same_key(one: Any, other: Any) -> None:
    """Neither the order of names and members nor the identity of objects counts."""
    assert input_key((one,)) == input_key((other,))
    assert input_key({"value": one, "more": 1}) == input_key({"more": 1, "value": other})


def test_names_of_arguments_count() -> None:
    """f(a=1, b=2) is not f(a=2, b=1), nor f(1, 2)."""
    assert len({input_key({"a": 1, "b": 2}), input_key({"a": 2, "b": 1}), input_key((1, 2))}) == 3


def test_keys_stay_what_they_are() -> None:
    """They are recorded: a change of the encoding would run again what is already done."""
    samples = (
        (),
        (1, 2.5, "a", None, True, b"x"),
        ([1, {"a": (2,)}],),
        ({"b", "a"},),
        (datetime(2026, 1, 1, tzinfo=UTC),),
    )
    told = [key.hex() for key in map(input_key, samples) if key is not None]
    assert told == PINNED


PINNED = [
    "85020894aa0025a7b74eb744ec92f21e",
    "3a89c292febf6622929d88099539a700",
    "d9b2ac011fd28412d00a500d6a0937cd",
    "09254fbdc582d76df631570e0d50bbae",
    "890aa615b327484122ea6479769123db",
]


SCRIPT = """
    import enum, sys
    from dataclasses import dataclass
    from pathlib import Path

    class Colour(enum.Enum):
        RED = 1

    @dataclass
    class Row:
        name: str
        tags: frozenset

    def work(x): pass

    def told():
        from flowdeck.rules.keys.call_keys import input_key, task_key
        values = ({"a", "b", "c"}, Row("x", frozenset({"p", "q", "r"})), Colour.RED, Path("x"), Row, work)
        return [task_key(work), *(input_key((value,)).hex() for value in values)]

    if __name__ == "__main__":
        print("\\n".join(told()))
    """


def test_keys_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Under another hash seed, run as a script by a relative path, or imported under a name of ours."""
    file = tmp_path / "jobs" / "etl.py"
    file.parent.mkdir()
    file.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    load = (
        "import importlib.util as u, sys; s = u.spec_from_file_location('flow_file_etl', sys.argv[1]);"
        "m = u.module_from_spec(s); sys.modules['flow_file_etl'] = m; s.loader.exec_module(m);"
        "print('\\n'.join(m.told()))"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, *arguments], cwd=file.parent, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ).stdout
        for seed, arguments in (("1", ["etl.py"]), ("2", [str(file)]), ("3", ["-c", load, str(file)]))
    }  # fmt: skip
    assert len(outcomes) == 1
    assert outcomes.pop().startswith("jobs/etl:work\n")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def in_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def object_in_itself() -> Order:
    order = Order(1)
    order.number = order  # type: ignore[assignment]
    return order


class Unwilling:
    def __reduce__(self) -> Any:
        raise OSError("not now")


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * (MAXIMUM_INPUT_BYTES + 1),
        lambda: [0] * (MAXIMUM_INPUT_BYTES + 1),
        lambda: ["x" * 1000] * 2000,
        lambda: dict.fromkeys(range(20_000), "x" * 100),
        lambda: set(range(1_000_000)),
        lambda: bytearray(MAXIMUM_INPUT_BYTES + 1),
        lambda: nested(5_000),
        in_itself,
        object_in_itself,
        threading.Lock,
        lambda: (number for number in range(3)),
        Unwilling,
    ],
)
def test_what_cannot_be_keyed_is_none(make: Callable[[], Any]) -> None:
    """Too large, too deep, in itself, or of a kind without stable bytes: no key, and no exception."""
    assert input_key((make(),)) is None
    assert input_key({"value": [make()]}) is None


def test_nesting_that_is_wide_in_time_but_small_in_memory_ends(recwarn: pytest.WarningsRecorder) -> None:
    """Forty lists, each holding the one before twice, would be a million million values."""
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    assert input_key((value,)) is None
    assert not recwarn.list


def test_just_within_the_limit_is_keyed() -> None:
    """The limit is on what is written, with a little for the form of it."""
    assert input_key(("x" * (MAXIMUM_INPUT_BYTES - 100),)) is not None


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@decorated
def wrapped() -> None: ...


class Callables:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


def local() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


PLACE = "keys/test_call_keys"


@pytest.mark.parametrize(
    ("function", "key"),
    [
        (nested, f"{PLACE}:nested"),
        (wrapped, f"{PLACE}:wrapped"),
        (Callables.method, f"{PLACE}:Callables.method"),
        (Callables().method, f"{PLACE}:Callables.method"),
        (Callables(), f"{PLACE}:Callables"),
        (functools.partial(nested, 1), f"{PLACE}:nested"),
        (local(), f"{PLACE}:local.<locals>.inner"),
        (len, "builtins:len"),
    ],
)
def test_a_task_is_named_by_file_and_function(function: Callable[..., Any], key: str) -> None:
    """Never by its module, which is another one when the file is run than when it is imported."""
    assert task_key(function) == key
