"""Names of runs."""

from __future__ import annotations

import re

from flowdeck.rules.runs import run_names


def test_a_name_is_two_plain_words() -> None:
    """It can be typed in a shell without quotes."""
    for _ in range(200):
        assert re.fullmatch(r"[a-z]+-[a-z]+", run_names.new_run_name())


def test_a_name_follows_from_its_bytes() -> None:
    """The same bytes, the same name; each word has bytes of its own."""
    assert run_names.new_run_name(b"\0\0\0\0") == "able-acorn"
    assert run_names.new_run_name(b"\0\1\0\0") == "agile-acorn"
    assert run_names.new_run_name(b"\0\0\0\1") == "able-albatross"


def test_words_are_many_and_none_twice() -> None:
    """About forty thousand names, so that a screen seldom shows the same one twice."""
    adjectives, nouns = run_names._ADJECTIVES, run_names._NOUNS  # pyright: ignore[reportPrivateUsage]
    assert len(set(adjectives)) == len(adjectives) >= 200
    assert len(set(nouns)) == len(nouns) >= 200
    assert not set(adjectives) & set(nouns)
