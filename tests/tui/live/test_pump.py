"""The bridge from Deck to the screen: what it delivers, how often, and that it never runs ahead of the screen."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from flowdeck.deck import Deck
from flowdeck.deck.flow_runs import FlowRuns
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.runs.run_filter import parse
from flowdeck.rules.runs.run_order import RunOrder, place_of
from flowdeck_tui.flows.flow_reading import READER
from flowdeck_tui.flows.flows import FLOWS
from flowdeck_tui.live.messages import (
    DeckFailed,
    DeckOpened,
    Delivered,
    Listing,
    News,
    ReadFailed,
    RunPage,
    Side,
    Total,
)
from flowdeck_tui.live.pump import Pace, Pump, pace_for
from tests.tui.seeded_home import NOW, Call, SeededHome

PATIENCE_SECONDS = 10.0
QUICK = Pace(0.01, 0.01)


class Screen:
    """Takes deliveries as the app does."""

    def __init__(self, home: SeededHome, pace: Pace = QUICK, open_deck: Callable[[], Deck] | None = None) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()
        self.pump = Pump(open_deck or (lambda: Deck(home.path)), self.heard.put, pace, {FLOWS: READER})
        self.pump.start()

    def next(self, kind: type[Any] = Delivered) -> Any:
        while True:
            message = self.heard.get(timeout=PATIENCE_SECONDS)
            if isinstance(message, kind):
                return message

    def news(self, is_wanted: Callable[[News], Any]) -> News:
        """Return the first delivery of this kind, taking over those before it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            news = self.next().news
            self.pump.drawn()
            if is_wanted(news):
                return news
        raise AssertionError("it was not delivered")


@pytest.fixture
def start(home: SeededHome) -> Iterator[Callable[..., Screen]]:
    screens: list[Screen] = []

    def make(**options: Any) -> Screen:
        screens.append(Screen(home, **options))
        return screens[-1]

    yield make
    for screen in screens:
        assert screen.pump.stop(PATIENCE_SECONDS)


def test_the_first_delivery_holds_everything(home: SeededHome, start: Callable[..., Screen]) -> None:
    """Runs, flows, counts, engine: one frame shows the whole screen."""
    home.run("one", state="Running")
    home.flow("etl")
    screen = start()
    assert isinstance(screen.next(DeckOpened).shared.deck, Deck)
    news = screen.next().news
    assert [run.name for run in news.page.runs] == ["one"]
    assert [entry.name for entry in news.panes[FLOWS]] == ["etl"]
    assert news.total == Total(1)
    assert news.engine is not None
    assert not news.engine.running


def test_a_new_run_is_delivered_by_itself(home: SeededHome, start: Callable[..., Screen]) -> None:
    """Well within half a second of its start."""
    screen = start()
    screen.news(lambda news: news.page)
    started = time.monotonic()
    home.run("late", state="Running")
    news = screen.news(lambda news: news.runs)
    assert time.monotonic() - started < 0.5
    assert news.runs[0].name == "late"


def test_changes_are_gathered_while_the_screen_is_busy(home: SeededHome, start: Callable[..., Screen]) -> None:
    """Nothing is sent before the last delivery was drawn; then each run comes once, as it is now."""
    run = home.run("busy", state="Running")
    screen = start()
    screen.next()
    for number in range(30):
        home.call(run.key, Call(f"step{number}"), 0)
    time.sleep(0.15)  # the pump would have had time for many deliveries
    assert screen.heard.empty()
    screen.pump.drawn()
    news = screen.news(lambda news: news.runs)
    assert [(run.name, run.task_counts.total) for run in news.runs] == [("busy", 30)]


def test_deliveries_keep_their_pace(home: SeededHome, start: Callable[..., Screen]) -> None:
    """However fast things change, so many a second and no more."""
    run = home.run("busy", state="Running")
    screen = start(pace=Pace(0.1, 0.1))
    screen.news(lambda news: news.page)
    times: list[float] = []
    for number in range(400):
        home.call(run.key, Call(f"step{number}"), 0)
        while not screen.heard.empty():
            screen.heard.get()
            times.append(time.monotonic())
            screen.pump.drawn()
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap > 0.08 for gap in gaps)


def test_an_open_run_brings_its_calls(home: SeededHome, start: Callable[..., Screen]) -> None:
    """At once when it is opened, and again when they change."""
    run = home.run("parent", state="Running", calls=[Call("extract")])
    screen = start()
    screen.news(lambda news: news.page)
    screen.pump.set_open(frozenset({run.key}))
    calls, subflows = screen.news(lambda news: news.children).children[run.key]
    assert [call.task_name for call in calls] == ["extract"]
    assert not subflows
    child = home.run("child", "checks", "Running", parent=run)
    _, subflows = screen.news(lambda news: news.children).children[run.key]
    assert [one.key for one in subflows] == [child.key]


def test_closed_runs_are_not_read_into(home: SeededHome, start: Callable[..., Screen]) -> None:
    """What nobody looks at costs nothing."""
    run = home.run("parent", state="Running")
    screen = start()
    screen.news(lambda news: news.page)
    home.call(run.key, Call("extract"), 0)
    assert not screen.news(lambda news: news.runs).children


def whole_page(screen: Screen) -> list[RunPage]:
    """Return the parts of the next page."""
    parts: list[RunPage] = []
    while not parts or not parts[-1].is_done:
        page = screen.news(lambda news: news.page).page
        assert page is not None
        parts.append(page)
    return parts


def test_a_filter_brings_another_first_page(home: SeededHome, start: Callable[..., Screen]) -> None:
    """With the listing that it was read under; the total follows."""
    home.run("apple", "etl")
    home.run("pear", "other")
    screen = start()
    screen.news(lambda news: news.page)
    listing = Listing(parse("app", NOW))
    screen.pump.set_listing(listing)
    (page,) = whole_page(screen)
    assert [run.name for run in page.runs] == ["apple"]
    assert (page.listing, page.side, page.is_edge) == (listing, Side.START, True)
    assert screen.news(lambda news: news.total and news.total.is_exact).total == Total(1, filter=listing.filter)
    home.run("apple-2", "etl")
    assert screen.news(lambda news: news.total and news.total.number == 2).total == Total(2, filter=listing.filter)


def test_the_list_goes_on_from_any_place_in_both_directions(
    home: SeededHome, start: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a row, before one, and from the end."""
    monkeypatch.setattr("flowdeck_tui.live.run_lister.FIRST_PAGE_RUNS", 3)
    runs = [home.run(f"run-{number}") for number in range(9)]
    screen = start()
    monkeypatch.undo()
    first = screen.news(lambda news: news.page).page
    assert first is not None
    assert [run.name for run in first.runs] == ["run-8", "run-7", "run-6"]
    assert not first.is_edge
    for side, key, number, wanted, is_edge in (
        (Side.BEHIND, 6, 2, ["run-5", "run-4"], False),
        (Side.BEFORE, 6, 9, ["run-7", "run-8"], True),
        (Side.END, None, 2, ["run-0", "run-1"], False),
        (Side.BEHIND, 1, 5, ["run-0"], True),
    ):
        place = None if key is None else place_of(runs[key], RunOrder.NEWEST)
        screen.pump.load(Listing(), side, place, number)
        (page,) = whole_page(screen)
        assert [run.name for run in page.runs] == wanted
        assert (page.side, page.is_edge) == (side, is_edge)


def test_a_page_of_an_older_listing_is_not_read(home: SeededHome, start: Callable[..., Screen]) -> None:
    """What was asked for before the filter changed is dropped."""
    home.run("one")
    screen = start()
    screen.news(lambda news: news.page)
    screen.pump.set_listing(Listing(order=RunOrder.NAME))
    screen.pump.load(Listing(), Side.END)
    (page,) = whole_page(screen)
    assert page.listing == Listing(order=RunOrder.NAME)
    assert page.side is Side.START


def test_rare_runs_among_many_come_as_they_are_found(
    home: SeededHome, start: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pump goes on by itself, part by part, and hears what is asked meanwhile."""
    monkeypatch.setattr("flowdeck.store.runs.run_scan.KEYS_AT_ONCE", 1)
    monkeypatch.setattr("flowdeck_tui.live.run_lister.STEP_SECONDS", 0.0)
    monkeypatch.setattr("flowdeck_tui.live.run_lister._Job.read_on", _one_step)
    for number in range(12):
        home.run(f"run-{number}", "rare" if number % 4 == 0 else "etl")
    screen = start()
    screen.pump.set_listing(Listing(parse("flow:rare", NOW)))
    parts = [part for part in whole_page(screen) if part.listing.filter]
    while not parts or not parts[-1].is_done:
        parts.extend(part for part in whole_page(screen) if part.listing.filter)
    assert len(parts) > 1
    assert [run.name for part in parts for run in part.runs] == ["run-8", "run-4", "run-0"]
    assert [part.is_first_part for part in parts] == [True, *[False] * (len(parts) - 1)]


def _one_step(job: Any, deadline: float) -> None:
    del deadline
    if job.runs:  # until the pump has given out what was found, however slow this machine is
        return
    step = job.pages.step(job.number - job.found)
    job.found += len(step)
    job.runs.extend(step)


def test_changed_runs_are_told_with_whether_they_belong_to_the_list(
    home: SeededHome, start: Callable[..., Screen]
) -> None:
    """By the filter's own rule, not by a second one."""
    run = home.run("one", state="Running")
    other = home.run("two", state="Running")
    screen = start()
    screen.pump.set_listing(Listing(parse("state:running", NOW)))
    screen.news(lambda news: news.page and news.page.listing.filter)
    home.set_state(run.key, "Completed", NOW)
    listed = screen.news(lambda news: news.listed).listed
    assert listed is not None
    assert (listed.keys, listed.listing.filter.text) == (frozenset(), "state:running")
    screen.pump.look_at(frozenset({other.key, run.key}))
    listed = screen.news(lambda news: news.listed).listed
    assert listed is not None
    assert listed.keys == {other.key}


def test_what_keeps_runs_from_moving_is_told(home: SeededHome, start: Callable[..., Screen]) -> None:
    """And told again when it changes."""
    run = home.run("one", state="Scheduled")
    screen = start()
    waits = screen.news(lambda news: news.waits).waits
    assert waits is not None
    assert (waits.reason(run, NOW) or "").startswith("no engine runs for this home")
    home.engine_up()
    waits = screen.news(lambda news: news.waits).waits
    assert waits is not None
    assert waits.reason(run, NOW) == "the engine is about to start it"


def test_a_deleted_run_is_named(home: SeededHome, start: Callable[..., Screen]) -> None:
    """So that its row goes."""
    run = home.run("gone")
    screen = start()
    screen.news(lambda news: news.page)
    home.deck.flow_runs.delete(run.id)
    assert screen.news(lambda news: news.removed).removed == {run.key}


def test_flows_are_read_again_for_their_last_run_only_while_they_are_shown(
    home: SeededHome, start: Callable[..., Screen]
) -> None:
    """Hidden panes cost nothing."""
    home.flow("etl")
    run = home.run("busy", "etl", "Running")
    screen = start()
    screen.news(lambda news: news.page)
    screen.pump.set_shown("1")
    home.set_state(run.key, "Completed", NOW)
    assert FLOWS not in screen.news(lambda news: news.runs).panes
    screen.pump.set_shown(FLOWS)
    flows = screen.news(lambda news: FLOWS in news.panes).panes[FLOWS]
    assert flows is not None
    assert flows[0].last_run_state == "COMPLETED"


def test_a_home_that_cannot_be_opened_is_told(home: SeededHome, start: Callable[..., Screen]) -> None:
    """In the words of the error."""

    def refuse() -> Deck:
        raise StoreError("The home is on a network file system.")

    assert start(open_deck=refuse).next(DeckFailed).text == "The home is on a network file system."


def test_over_ssh_and_without_focus_the_screen_changes_less_often() -> None:
    """Five a second here, two over SSH; none while another window has the keyboard."""
    assert pace_for({}, is_focused=True).delivery_seconds == pytest.approx(1 / 5)
    assert pace_for({"SSH_TTY": "/dev/pts/1"}, is_focused=True).delivery_seconds == pytest.approx(1 / 2)
    assert pace_for({"SSH_CONNECTION": "x"}, is_focused=True).delivery_seconds == pytest.approx(1 / 2)
    assert all(pace_for(environment, is_focused=False).is_still for environment in ({}, {"SSH_TTY": "x"}))


def test_while_nobody_looks_only_what_is_asked_for_is_delivered(home: SeededHome, start: Callable[..., Screen]) -> None:
    """And all that has changed meanwhile, once somebody looks again."""
    run = home.run("busy", state="Running")
    screen = start()
    screen.news(lambda news: news.page)
    screen.pump.set_pace(pace_for({}, is_focused=False))
    screen.pump.look_at(frozenset({run.key}))
    screen.news(lambda news: news.runs)  # the new pace is known by now
    home.run("unseen", state="Running")
    time.sleep(0.3)  # the pump would have had time for many deliveries
    assert screen.heard.empty()
    screen.pump.set_open(frozenset({run.key}))
    assert screen.news(lambda news: news.children)
    home.run("unseen too", state="Running")
    screen.pump.set_pace(QUICK)
    assert screen.news(lambda news: any(found.name == "unseen too" for found in news.runs))


def test_an_unforeseen_failure_is_told_and_tried_again(
    home: SeededHome, start: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen never silently stands still."""
    monkeypatch.setattr("flowdeck_tui.live.pump.RETRY_SECONDS", 0.01)
    home.run("one")
    count, failures = FlowRuns.active_counts, [OSError("the disk had a moment")]

    def fail_once(flow_runs: FlowRuns) -> Any:
        if failures:
            raise failures.pop()
        return count(flow_runs)

    monkeypatch.setattr(FlowRuns, "active_counts", fail_once)
    screen = start()
    assert "the disk had a moment" in screen.next(ReadFailed).text
    assert [run.name for run in screen.news(lambda news: news.page).page.runs] == ["one"]


def test_a_flood_of_changes_says_that_the_list_is_outdated(
    home: SeededHome, start: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen asks for the rows that it holds, wherever in the list they stand."""
    monkeypatch.setattr("flowdeck_tui.live.pump.MANY_CHANGES", 1)
    for number in range(10):
        home.run(f"run-{number}", state="Running")
    screen = start()
    screen.news(lambda news: news.page)
    home.database.write(lambda connection: [connection.execute("UPDATE flow_run SET tags = '[]'")])
    news = screen.news(lambda news: news.is_list_outdated)
    assert not news.runs
