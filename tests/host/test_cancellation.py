"""The deadline of a cancel, told by a clock that the test holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowdeck.host.cancellation import LEFTOVER_GRACE_SECONDS, Cancellation


def test_nobody_is_killed_before_being_asked() -> None:
    """Without a deadline, nothing is due."""
    cancel = Cancellation()
    assert (cancel.has_begun, cancel.is_due(1e12)) == (False, False)


def test_the_grace_begins_when_it_is_asked() -> None:
    """And ends as long afterwards as it is."""
    cancel = Cancellation()
    cancel.begin(100.0, 10.0)
    assert (cancel.has_begun, cancel.is_due(109.9), cancel.is_due(110.0), cancel.is_forced) == (
        True,
        False,
        True,
        False,
    )


def test_force_waits_no_longer() -> None:
    """At whatever moment it comes."""
    cancel = Cancellation()
    cancel.begin(100.0, 10.0)
    cancel.force(103.0)
    assert (cancel.is_due(103.0), cancel.is_forced) == (True, True)


def test_leftovers_are_asked_once_and_have_a_short_grace() -> None:
    """Never a longer one than the process had."""
    cancel = Cancellation()
    cancel.begin(100.0, 10.0)
    assert [cancel.ask_leftovers(101.0), cancel.ask_leftovers(105.0)] == [True, False]
    assert cancel.kill_at == 101.0 + LEFTOVER_GRACE_SECONDS


@given(st.lists(st.tuples(st.sampled_from(["begin", "force", "ask"]), st.floats(0, 100)), max_size=8))
def test_a_deadline_only_comes_nearer(steps: list[tuple[str, float]]) -> None:
    """Whatever happens in whatever order."""
    cancel, before = Cancellation(), float("inf")
    for step, now in steps:
        if step == "begin":
            cancel.begin(now, 10.0)
        elif step == "force":
            cancel.force(now)
        else:
            cancel.ask_leftovers(now)
        assert cancel.kill_at <= before
        before = cancel.kill_at
