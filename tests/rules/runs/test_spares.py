"""When a warm spare will do."""

from __future__ import annotations

import pytest

from flowdeck.rules.runs.spares import SpareKey, variables_that_forbid


def test_key_is_interpreter_and_version() -> None:
    """Spares of two environments, or of two versions of flowdeck, are different spares."""
    key = SpareKey("/a/bin/python", "1.0")
    assert key == SpareKey("/a/bin/python", "1.0")
    assert len({key, SpareKey("/b/bin/python", "1.0"), SpareKey("/a/bin/python", "1.1")}) == 3


@pytest.mark.parametrize(
    ("started_with", "wanted", "names"),
    [
        ({"HOME": "/a", "PYTHONPATH": "/x"}, {"HOME": "/b", "PYTHONPATH": "/x", "COLOUR": "red"}, []),
        ({}, {"PYTHONPATH": "/x"}, ["PYTHONPATH"]),
        ({"PYTHONHASHSEED": "0"}, {}, ["PYTHONHASHSEED"]),
        ({"LD_PRELOAD": "a.so"}, {"LD_PRELOAD": "b.so", "MALLOC_ARENA_MAX": "1"}, ["LD_PRELOAD", "MALLOC_ARENA_MAX"]),
        ({"LDAP_HOST": "a"}, {"LDAP_HOST": "b"}, []),
    ],
)
def test_what_a_process_reads_only_when_it_begins_must_be_the_same(
    started_with: dict[str, str], wanted: dict[str, str], names: list[str]
) -> None:
    """Other variables can be given to a spare; these cannot, in whichever direction they differ."""
    assert variables_that_forbid(started_with, wanted) == names
