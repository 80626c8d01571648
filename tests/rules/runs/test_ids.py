"""Ids of flow runs."""

from __future__ import annotations

import os
import threading
import time
import uuid

import pytest

from flowdeck.rules.runs import ids


def test_an_id_is_a_version_7_uuid_of_now() -> None:
    """Other programs can read it: version, variant and the time in it are where the standard puts them."""
    before = time.time_ns() // 1_000_000
    run_id = ids.new_run_id()
    parsed = uuid.UUID(run_id)
    assert str(parsed) == run_id
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_one_process_sort_as_they_were_made() -> None:
    """Also many within one tick of the clock, and none comes twice."""
    made = [ids.new_run_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_go_on_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is put back does not put a later run before an earlier one."""
    first = ids.new_run_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    later = [ids.new_run_id() for _ in range(3)]
    assert [first, *later] == sorted({first, *later})


def test_ids_of_many_threads_differ() -> None:
    """No two threads are given the same moment."""
    made: list[str] = []

    def make() -> None:
        made.extend(ids.new_run_id() for _ in range(2_000))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run_id[:23] for run_id in made}) >= 8_000 - 1  # all but the random tail already tells them apart


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_can_make_ids_while_the_parent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a thread that does not exist in the child is not waited for."""
    monkeypatch.setattr(ids._TICKS, "_lock", threading.Lock())  # pyright: ignore[reportPrivateUsage]
    ids._TICKS._lock.acquire()  # pyright: ignore[reportPrivateUsage]
    child = os.fork()
    if child == 0:
        ids.new_run_id()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_short_id_is_the_end() -> None:
    """The beginning of ids made together is the same."""
    assert ids.short_id("01a203ea-699c-7014-a47e-55c108cc28ab") == "08cc28ab"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("01a203ea-699c-7014-a47e-55c108cc28ab", True),
        ("01A203EA-699C-7014-A47E-55C108CC28AB", True),
        ("08cc28ab", True),
        ("01a203ea-699c", True),
        ("28ab", True),
        ("8ab", False),
        ("----", False),
        ("brave-otter", False),
        ("01a203ea-699c-7014-a47e-55c108cc28abc", False),
        ("01a203ea7699c770147a47e755c108cc28ab", True),
        ("", False),
    ],
)
def test_what_can_stand_for_a_run(text: str, fragment: bool) -> None:
    """A whole id, or four and more characters of one."""
    assert ids.is_run_reference_fragment(text) is fragment
