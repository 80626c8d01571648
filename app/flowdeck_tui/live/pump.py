"""The one bridge from Deck to the screen: a thread that follows the change feed, reads rows and delivers them.

Changes are gathered by run and delivered a few times a second at most, never while an earlier delivery still waits
to be drawn: on a slow line the screen skips what is outdated instead of falling behind.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck_tui.live.detail_reading import Detail, DetailQuery, read_detail
from flowdeck_tui.live.messages import DeckFailed, DeckOpened, Delivered, Listing, News, ReadFailed, Side
from flowdeck_tui.live.run_lister import PAGE_RUNS, RunLister
from flowdeck_tui.live.shared_deck import SharedDeck

if TYPE_CHECKING:
    from textual.message import Message

    from flowdeck.deck import ChangeFeed, Changes, Deck, EngineStatus, Waits
    from flowdeck.rules.runs.run_order import Place
    from flowdeck_tui.live.pane_reader import PaneReader

IDLE_SECONDS: Final = 2.0
"""How often the engine is looked at when nothing changes: one that was killed leaves no change."""
READ_SHARE: Final = 4
"""After a read that took long, the pump rests this many times as long: it never takes the machine from the runs."""
MANY_CHANGES: Final = 500
"""From this many changed runs on, the rows of the list are read anew."""
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the screen may change. Times in seconds; infinite for not at all by itself."""

    delivery_seconds: float
    log_seconds: float

    @property
    def is_still(self) -> bool:
        """Tell whether only what a user asks for is delivered."""
        return self.delivery_seconds == math.inf


def pace_for(environment: Mapping[str, str], *, is_focused: bool) -> Pace:
    """Choose the pace: 5 deliveries a second, 2 over SSH, none while another window has the keyboard.

    The log is still looked at then, now and then, so that it is up to date when the keyboard comes back.
    """
    if not is_focused:
        return Pace(math.inf, 2.0)
    is_remote = bool(environment.get("SSH_TTY") or environment.get("SSH_CONNECTION"))
    return Pace(0.5, 0.5) if is_remote else Pace(0.2, 0.2)


@dataclass
class _Pending:
    """What is to be read for the next delivery."""

    flow_runs: set[int] = field(default_factory=set)
    children: set[int] = field(default_factory=set)
    outdated: bool = False
    panes: set[str] = field(default_factory=set)
    counts: bool = False
    engine: bool = False
    detail: bool = False

    def __bool__(self) -> bool:
        return bool(self.flow_runs or self.children or self.panes) or any(
            (self.outdated, self.counts, self.engine, self.detail)
        )

    def add(self, changes: Changes) -> None:
        """Take note of what the feed told."""
        if changes.resync or len(changes.flow_runs) + len(self.flow_runs) > MANY_CHANGES:
            self.outdated = self.engine = True
        else:
            self.flow_runs |= changes.flow_runs
        self.counts = self.counts or changes.resync or bool(changes.flow_runs)
        self.engine = self.engine or changes.engine


class Pump:
    """Reads for the screen. Its public methods may be called from any thread and return at once."""

    def __init__(
        self,
        open_deck: Callable[[], Deck],
        post: Callable[[Message], Any],
        pace: Pace,
        readers: Mapping[str, PaneReader],
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            open_deck: opens the home; called in the pump's thread, because it imports and opens much.
            post: hands a message to the app; safe to call from a thread.
            pace: how often to deliver.
            readers: how the rows of panes are read, by number of the pane.
        """
        self._open_deck = open_deck
        self._post = post
        self._pace = pace
        self._readers = readers
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._feed: ChangeFeed | None = None
        self._stopping = threading.Event()
        self._drawn = threading.Event()
        self._drawn.set()
        # From here on only the pump's thread touches what follows.
        self._pending = _Pending(panes=set(self._readers), counts=True, engine=True)
        self._lister = RunLister()
        self._open_keys: frozenset[int] = frozenset()
        self._shown: str | None = None  # None: every pane counts as shown
        self._detail: DetailQuery | None = None
        self._next_delivery = 0.0
        self._next_engine_look = 0.0
        self._engine: EngineStatus | None = None
        self._waits: Waits | None = None
        self._thread = threading.Thread(target=self._run, name="flowdeck-pump", daemon=True)

    # -- called by the app ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 0.5) -> bool:
        """End the thread; True when it is over, False when it still was at work after the timeout."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def drawn(self) -> None:
        """The app has taken over the last delivery; the next may come."""
        self._drawn.set()
        self._wake()

    def set_pace(self, pace: Pace) -> None:
        """Deliver more or less often."""
        self._ask(lambda: setattr(self, "_pace", pace))

    def set_listing(self, listing: Listing) -> None:
        """List other runs, or in another order: their first page is read at once."""
        self._ask(lambda: self._lister.change(listing))

    def load(self, listing: Listing, side: Side, place: Place | None = None, number: int = PAGE_RUNS) -> None:
        """Continue the list of runs, or go to one of its ends.

        Args:
            listing: to which the rows belong that it shall go on from; nothing is done if it is another by now.
            side: where the page stands.
            place: of the row before or behind which it begins; for the ends None.
            number: how many rows.
        """
        self._ask(lambda: self._lister.load(listing, side, place, number))

    def look_at(self, keys: frozenset[int]) -> None:
        """Read these runs as they are now."""
        self._ask(lambda: self._pending.flow_runs.update(keys))

    def set_open(self, keys: frozenset[int]) -> None:
        """Say which runs are open in the tree; what lies below new ones is read at once."""

        def change() -> None:
            self._pending.children |= keys - self._open_keys
            self._open_keys = keys

        self._ask(change)

    def set_detail(self, wanted: DetailQuery | None) -> None:
        """Say what is to be known of the run that is looked at; it is read at once and after each change."""

        def change() -> None:
            self._detail = wanted
            self._pending.detail = wanted is not None

        self._ask(change)

    def set_shown(self, number: str) -> None:
        """Say which pane is shown: it is read at once, and what only matters to a shown pane is read for no other."""

        def change() -> None:
            self._pending.panes |= {number} & self._readers.keys()

        self._shown = number  # at once: changes that come from now on are judged by it
        self._ask(change)

    def refresh_engine(self) -> None:
        """Look at the engine now."""
        self._ask(lambda: setattr(self._pending, "engine", True))

    def _ask(self, change: Callable[[], None]) -> None:
        self._requests.put(change)
        self._wake()

    def _wake(self) -> None:
        feed = self._feed
        if feed is not None:
            feed.wake()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            deck = self._open_deck()
        except FlowdeckError as error:
            self._post(DeckFailed(str(error)))
            return
        shared = SharedDeck(deck)
        try:
            feed = deck.changes()
            try:
                self._feed = feed
                self._post(DeckOpened(shared))
                while not self._stopping.is_set():
                    self._turn(deck, feed)
            finally:
                self._feed = None
                feed.close()
        finally:
            shared.let_go()

    def _turn(self, deck: Deck, feed: ChangeFeed) -> None:
        try:
            if self._take_requests():
                # A user waits for this one. What comes while nobody looks waits for somebody who does.
                self._next_delivery = 0.0 if self._has_news or not self._pace.is_still else math.inf
            self._lister.work(deck)
            if self._has_news and self._drawn.is_set() and time.monotonic() >= self._due:
                self._deliver(deck)
            changes = feed.wait(self._patience())
        except FlowdeckError as error:
            self._fail(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a screen that silently stands still looks like one that is true
            self._fail(f"Reading failed, trying again: {type(error).__name__}: {error}")
            return
        if changes is not None:
            self._pending.add(changes)
            self._pending.panes |= self._concerned(changes)
        if time.monotonic() >= self._next_engine_look:
            self._pending.engine = True

    def _concerned(self, changes: Changes) -> set[str]:
        """Return the numbers of the panes that are to be read after changes."""
        if self._pending.outdated:
            return set(self._readers)
        return {
            number
            for number, reader in self._readers.items()
            if reader.hears(changes) or (self._shown in (None, number) and reader.hears_while_shown(changes))
        }

    def _fail(self, text: str) -> None:
        self._post(ReadFailed(text))
        self._stopping.wait(RETRY_SECONDS)

    @property
    def _due(self) -> float:
        """When the next delivery may be; a page comes in parts, and all of them are what the user asked for."""
        return 0.0 if self._pace.is_still and self._lister.has_news else self._next_delivery

    @property
    def _has_news(self) -> bool:
        return bool(self._pending) or self._lister.has_news

    def _patience(self) -> float:
        """Tell how long to wait for changes before looking again."""
        if self._lister.is_busy:
            return 0.0
        if not self._drawn.is_set():
            return IDLE_SECONDS  # `drawn` wakes us
        if self._has_news:
            return min(IDLE_SECONDS, max(0.0, self._due - time.monotonic()))
        return IDLE_SECONDS

    def _take_requests(self) -> bool:
        any_taken = False
        while True:
            try:
                change = self._requests.get_nowait()
            except queue.Empty:
                return any_taken
            change()
            any_taken = True

    def _deliver(self, deck: Deck) -> None:
        started = time.monotonic()
        pending, self._pending = self._pending, _Pending()
        try:
            news = self._read(deck, pending)
        except Exception:
            self._pending = pending
            self._lister.begin_again()
            raise
        took = time.monotonic() - started
        if news != News():
            self._next_delivery = started + max(self._pace.delivery_seconds, READ_SHARE * took)
            self._drawn.clear()
            self._post(Delivered(news))

    def _read(self, deck: Deck, pending: _Pending) -> News:
        if pending.flow_runs or pending.outdated:
            self._lister.runs_changed()
        page = self._lister.take_page()
        if page is not None and page.is_first_part:
            pending.children |= self._open_keys
        runs = deck.flow_runs.by_keys(pending.flow_runs)
        found = {run.key for run in runs}
        touched = (pending.flow_runs | pending.children | {run.parent_key for run in runs}) & self._open_keys
        return News(
            page=page,
            runs=runs,
            listed=self._lister.listed(deck, found),
            removed=frozenset(pending.flow_runs - found),
            is_list_outdated=pending.outdated,
            children={
                key: (deck.task_runs.call_lines(key), deck.flow_runs.subflows(key))
                for key in touched
                if key is not None
            },
            panes={number: self._readers[number].read(deck) for number in sorted(pending.panes)},
            counts=deck.flow_runs.active_counts() if pending.counts else None,
            total=self._lister.total(deck),
            engine=self._read_engine(deck) if pending.engine else None,
            waits=self._read_waits(deck) if pending.engine or pending.flow_runs or pending.outdated else None,
            detail=self._read_detail(deck, pending),
        )

    def _read_detail(self, deck: Deck, pending: _Pending) -> Detail | None:
        """Read what is shown of the run that is looked at, if that may have changed."""
        wanted = self._detail
        if wanted is None or not (pending.detail or pending.outdated or wanted.run_key in pending.flow_runs):
            return None
        return read_detail(deck, wanted)

    def _read_waits(self, deck: Deck) -> Waits | None:
        """Return what decides whether runs move, or None when it is as before."""
        before, self._waits = self._waits, deck.flow_runs.waits()
        return self._waits if self._waits != before else None

    def _read_engine(self, deck: Deck) -> EngineStatus | None:
        """Return what is known of the engine, or None when that is what was known before."""
        self._next_engine_look = time.monotonic() + IDLE_SECONDS
        before, self._engine = self._engine, deck.engine.status()
        return self._engine if self._engine != before else None
