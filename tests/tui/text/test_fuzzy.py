"""How typed words find names."""

from __future__ import annotations

import pytest

from flowdeck_tui.text.fuzzy import distance, words_of


@pytest.mark.parametrize(
    ("typed", "far"),
    [
        ("", 0),
        ("ret", 0),
        ("r", 0),
        ("etr", 1),
        ("flow-run retry", 1),
        ("w-run", 2),
        ("again", 3),
        ("rty", 4),
        ("flwrn", 4),
        ("zebra", None),
        ("retry zebra", None),
    ],
)
def test_nearer_words_are_a_smaller_distance(typed: str, far: int | None) -> None:
    """Beginnings, parts of words, parts of commands, descriptions, letters in their order; else nothing."""
    assert distance(words_of(typed), "Retry", ("r", "flowdeck flow-run retry RUN"), "Run it again.") == far


def test_the_name_of_the_program_and_a_prompt_may_stand_before_a_command() -> None:
    """A pasted line is understood."""
    assert words_of("$ flowdeck Flow-Run retry") == ["flow-run", "retry"]
    assert words_of("flow") == ["flow"]


def test_one_letter_is_not_searched_across_words() -> None:
    """It would find nearly everything."""
    assert distance(["y"], "Log", ("l",)) is None
