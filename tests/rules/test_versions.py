"""Versions are compared as people read them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flowdeck.rules.versions import is_older, order_of


def test_order() -> None:
    """Each is older than the one behind it."""
    ordered = ["nightly", "0.1.dev2", "0.1.0a1", "0.1.0b1", "0.1.0rc1", "0.1.0rc2", "0.1", "0.1.post1", "0.1.1", "0.9",
               "0.10", "1.0.dev1", "1.0", "10.0"]  # fmt: skip
    for older, newer in pairwise(ordered):
        assert is_older(older, newer), (older, newer)
        assert not is_older(newer, older), (older, newer)


@pytest.mark.parametrize("same", ["0.1", "0.1.0", "v0.1", "0.1.0.0"])
def test_same_version(same: str) -> None:
    """Zeros at the end say nothing."""
    assert order_of(same) == order_of("0.1.0")
    assert not is_older(same, "0.1.0")
    assert not is_older("0.1.0", same)
