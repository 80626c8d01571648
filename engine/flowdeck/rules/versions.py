"""The version of flowdeck, and which of two is the newer one: without the library that does it for all the world."""

from __future__ import annotations

import re
from typing import Final

__version__: Final = "0.1.0"

_VERSION: Final = re.compile(r"v?(\d+(?:\.\d+)*)[-_.]?(dev|a|b|rc|post)?[-_.]?(\d*)")
_STAGES: Final = {"dev": 0, "a": 1, "b": 2, "rc": 3, None: 4, "post": 5}

Order = tuple[tuple[int, ...], int, int]


def order_of(version: str) -> Order:
    """Return what versions are sorted by: 0.1.dev2 < 0.1.0rc1 < 0.1 = 0.1.0 < 0.1.1.

    What is no version is older than all.
    """
    match = _VERSION.match(version)
    if match is None:
        return ((), 0, 0)
    release = [int(part) for part in match[1].split(".")]
    while release and release[-1] == 0:
        release.pop()
    return (tuple(release), _STAGES[match[2]], int(match[3] or 0))


def is_older(version: str, than: str) -> bool:
    """Tell whether one version came before another."""
    return order_of(version) < order_of(than)
