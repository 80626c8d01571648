"""Regular expressions from a keyboard: never one that holds the screen up."""

from __future__ import annotations

import time

import pytest

from flowdeck.rules.text.patterns import compiled


@pytest.mark.parametrize(
    "text",
    ["time ?out", "^page [0-9]+$", "(foo|bar)", "a.*b", r"\(x\)+", "[*+?]+", r"\d{3}", "(?:ab)?", "(abc)+", "a.*?b"],
)
def test_what_is_quick_is_taken(text: str) -> None:
    """The patterns that people write."""
    assert compiled(text)


@pytest.mark.parametrize(
    "text", ["(a+)+$", "(a|a)*b", "((a?))*", "(?:x*)*", "(a{1,9}){2,9}", "(?P<n>a+)+", "a*b*c*", "a?" * 20 + "b"]
)
def test_what_may_take_for_ever_is_refused(text: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match="for ever"):
        compiled(text)


@pytest.mark.parametrize("text", ["(", "[a", "*a", "a{9999999999999}", "(?P<1>x)"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """In the words of the module that knows."""
    with pytest.raises(ValueError, match="no regular expression"):
        compiled(text)


@pytest.mark.parametrize("text", [".*.*x", "(.*),(.*)(x|y)", "a?b?c?d?e?f?g?h?z$"])
def test_the_slowest_that_are_taken_end_soon(text: str) -> None:
    """On a text as long as is looked at."""
    pattern = compiled(text)
    started = time.perf_counter()
    pattern.search("abcdefgh," * 30)
    assert time.perf_counter() - started < 1.0
