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
LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")
"""The first of these that is not empty decides, when an interpreter begins, how it encodes names of files."""
SEARCH_PATH: Final = "PYTHONPATH"


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
    """Return why a run may not take a spare.

    Args:
        started_with: the environment that the spare was started with.
        wanted: the environment that the run asks for.

    Returns:
        Names of variables, sorted; empty when the spare will do. These are the variables of `FIXED_AT_START` in which
        the two differ, the one that decides the locale where it does, and a search path that counts from the working
        directory: an interpreter settles it when it begins, in whatever folder that is.
    """
    have, want = fixed_variables(started_with), fixed_variables(wanted)
    names = {name for name in have.keys() | want.keys() if have.get(name) != want.get(name)}
    locale = _locale_variable(wanted)
    if _value_of(started_with, _locale_variable(started_with)) != _value_of(wanted, locale):
        names.add(locale or "LANG")
    if any(not part.startswith("/") for part in (wanted.get(SEARCH_PATH) or "/").split(":")):
        names.add(SEARCH_PATH)
    return sorted(names)


def _locale_variable(environment: Mapping[str, str]) -> str | None:
    return next((name for name in LOCALE if environment.get(name)), None)


def _value_of(environment: Mapping[str, str], name: str | None) -> str:
    return "C" if name is None else environment[name]
