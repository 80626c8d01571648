"""Hashes of whole values: the same for equal ones, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy
import pandas
import pytest

from flowdeck.rules.keys.content_hashes import content_hash

FRAME = {"day": pandas.to_datetime(["2026-01-01", "2026-01-02"]), "name": ["a", None], "value": [1.5, float("nan")]}


def frame(**changes: Any) -> pandas.DataFrame:
    return pandas.DataFrame({**FRAME, **changes})


DIFFERENT = [
    None, 1, 1.0, True, "1", b"1", [1], (1,), {1}, {"a": 1}, {"a": [1]}, numpy.array([1]), numpy.array([1.0]),
    numpy.array([[1]]), numpy.array([1, 2]), numpy.array(["a", None], dtype=object), pandas.Series([1]),
    pandas.Series([1], name="x"), pandas.Series([1], index=[5]), frame(), frame(value=[1.5, 2.0]),
    frame(name=["b", None]),
    frame().rename(columns={"name": "other"}), frame()[["name", "day", "value"]], frame().set_index("day"),
    frame().iloc[:1], pandas.Series(["a", "b"], dtype="category"), pandas.Series(["a", "b"]), list(range(2_000_000)),
]  # fmt: skip


def test_different_values_have_different_hashes() -> None:
    """Kind, shape, names, index and every cell count; also beyond a megabyte."""
    hashes = [content_hash(value) for value in [*DIFFERENT, [*range(1_999_999), 0]]]
    assert None not in hashes
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (frame(), frame().copy(deep=True)),
        (pandas.DataFrame({"a": [1, 2], "b": [3, 4]}), pandas.DataFrame([[1, 3], [2, 4]], columns=["a", "b"])),
        (numpy.arange(12).reshape(3, 4), numpy.asfortranarray(numpy.arange(12).reshape(3, 4))),
        (numpy.arange(20)[::2], numpy.arange(0, 20, 2)),
        ({"frames": [frame()]}, {"frames": [frame()]}),
        (frame(value=[1.0, 2.0]).iloc[[1, 0]].sort_index(), frame(value=[1.0, 2.0])),
    ],
)
def test_equal_values_have_equal_hashes(one: Any, other: Any) -> None:
    """However they lie in memory."""
    assert content_hash(one) == content_hash(other)


def test_what_has_no_stable_bytes_has_no_hash() -> None:
    """A lock, say, at any depth."""
    assert content_hash(threading.Lock()) is None
    assert content_hash({"a": [threading.Lock()]}) is None


def test_hashes_are_the_same_in_every_process() -> None:
    """Whatever the hash seed is."""
    program = (
        "import numpy, pandas; from flowdeck.rules.keys.content_hashes import content_hash; "
        "print(content_hash({'a', 'b', 'c'}, {'x': numpy.arange(3)}, pandas.DataFrame({'a': ['x', 'y']})))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
