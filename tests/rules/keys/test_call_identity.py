"""Which call is the same call in another attempt."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flowdeck.rules.keys.call_identity import call_inputs, call_key
from flowdeck.rules.keys.call_keys import MAXIMUM_INPUT_BYTES

BIG = MAXIMUM_INPUT_BYTES + 1


def test_every_part_counts() -> None:
    """Parent, task, inputs and occurrence: a change of one is another call."""
    keys = {
        call_key(parent, task, inputs, occurrence)
        for parent in (b"", b"p" * 16)
        for task in ("a", "b")
        for inputs in (b"1" * 16, b"2" * 16)
        for occurrence in (0, 1)
    }
    assert len(keys) == 16
    assert all(len(key) == 16 for key in keys)


def test_order_of_names_does_not_count() -> None:
    """Two ways to write the same call."""
    assert call_inputs((1,), {"a": 1, "b": 2}, {}) == call_inputs((1,), {"b": 2, "a": 1}, {})
    assert call_inputs((1,), {"a": 1}, {}) != call_inputs((1,), {"a": 2}, {})


def test_large_values_go_by_the_call_that_made_them() -> None:
    """Two equal ones of two calls are two; the place of it in the arguments counts."""
    value = list(range(BIG // 5))
    one = call_inputs((value, 1), {}, {id(value): b"1" * 16})
    assert one == call_inputs((value, 1), {}, {id(value): b"1" * 16})
    assert one != call_inputs((value, 1), {}, {id(value): b"2" * 16})
    assert one != call_inputs((1, value), {}, {id(value): b"1" * 16})
    assert call_inputs(([value],), {}, {id(value): b"1" * 16}) != call_inputs(([value],), {}, {id(value): b"2" * 16})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x" * BIG, "x" * (BIG - 1) + "y"),
        ("x" * BIG, b"x" * BIG),
        (list(range(BIG)), list(range(1, BIG + 1))),
        ([1] * BIG, [1] * (BIG + 1)),
        (dict.fromkeys(range(BIG // 8), 1), dict.fromkeys(range(1, BIG // 8 + 1), 1)),
    ],
)
def test_large_values_of_nobody_go_by_a_sketch(one: Any, other: Any) -> None:
    """Length, kind and samples tell most of them apart; equal ones are the same."""
    assert call_inputs((one,), {}, {}) != call_inputs((other,), {}, {})
    assert call_inputs((one,), {}, {}) == call_inputs((one[:] if not isinstance(one, dict) else dict(one),), {}, {})


def test_what_cannot_be_keyed_goes_by_its_type() -> None:
    """A lock has no bytes: the k-th call with a lock is the k-th call with a lock."""
    assert call_inputs((threading.Lock(),), {}, {}) == call_inputs((threading.Lock(),), {}, {})
    assert call_inputs((threading.Lock(),), {}, {}) != call_inputs((threading.Event(),), {}, {})
    assert call_inputs((threading.Lock(), 1), {}, {}) != call_inputs((threading.Lock(), 2), {}, {})


def test_objects_with_odd_manners_do_no_harm() -> None:
    """An author's own container may raise at anything."""

    class Odd:
        def __len__(self) -> int:
            raise RuntimeError

        def __reduce__(self) -> Any:
            raise RuntimeError

    assert len(call_inputs((Odd(),), {}, {})) == 16
