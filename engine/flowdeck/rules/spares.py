"""When a run may use a warm spare: a pair of run host and flow process that was started before anyone asked.

A spare has read its environment already. Its working directory, arguments and most variables can still be given to
it; but not what an interpreter, the dynamic loader or the memory allocator look at only once, when a process begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FIXED_AT_START: Final = ("PYTHON", "LD_", "DYLD_", "MALLOC_", "GLIBC_TUNABLES")
"""Prefixes of the variables that a process reads only when it begins."""


@dataclass(frozen=True, slots=True)
class SpareKey:
    """What a spare must have in common with the run that takes it."""

    interpreter: str
    """Path of the Python, as it was started: a virtual environment's link is another interpreter than its target."""
    flowdeck_version: str


def fixed_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that cannot be given to a process that runs already."""
    return {name: value for name, value in environment.items() if name.startswith(FIXED_AT_START)}


def variables_that_forbid(started_with: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Return why a run may not take a spare: the variables of `FIXED_AT_START` in which the two differ.

    Args:
        started_with: the environment that the spare was started with.
        wanted: the environment that the run asks for.

    Returns:
        Their names, sorted; empty when the spare will do.
    """
    have, want = fixed_variables(started_with), fixed_variables(wanted)
    return sorted(name for name in have.keys() | want.keys() if have.get(name) != want.get(name))
