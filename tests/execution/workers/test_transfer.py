"""Values on their way to a worker process: what they keep."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import CodeType

import pytest

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
