"""Values on their way to a worker process: what they keep."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import cloudpickle
import pytest

from flowdeck import flow, task
from flowdeck.execution.workers import transfer


def test_code_that_travels_by_value_keeps_its_file() -> None:
    """Of a function and of the functions inside it, whatever cloudpickle puts in the place of a file."""

    def outer() -> Callable[[], None]:
        def inner() -> None:
            raise ValueError("bad input")

        return inner

    arrived = transfer.loads(transfer.dumps(outer))
    assert arrived is not outer
    files = {arrived.__code__.co_filename}
    files |= {const.co_filename for const in arrived.__code__.co_consts if isinstance(const, CodeType)}
    assert files == {__file__}
    with pytest.raises(ValueError, match="bad input") as caught:
        arrived()()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.line) == (__file__, 'raise ValueError("bad input")')


def test_what_is_made_in_a_function_travels_with_cloudpickle(tmp_path: Path) -> None:
    """A task and a flow that close over something, dumped by an author and run in another process."""
    factor = 3

    @task(name="scale")
    def times(number: int) -> int:
        return number * factor

    @flow(name="main")
    def main(number: int) -> int:
        return times(number)

    dumped = tmp_path / "dumped"
    dumped.write_bytes(cloudpickle.dumps((times, main)))
    code = "import pickle, sys; a, b = pickle.load(open(sys.argv[1], 'rb')); print(a.name, a(2), b(4))"
    ended = subprocess.run([sys.executable, "-c", code, str(dumped)], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["scale", "6", "12"], ended.stderr
