"""The one bridge from Deck to the screen: a thread that follows the change feed, reads rows and delivers them.

Changes are gathered by run and delivered a few times a second at most, never while an earlier delivery still waits
to be drawn: on a slow line the screen skips what is outdated instead of falling behind.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck_tui.messages import DeckFailed, DeckOpened, Delivered, News, ReadFailed, RunFilter, RunPage

if TYPE_CHECKING:
    from textual.message import Message

    from flowdeck.deck import ChangeFeed, Changes, Deck, EngineStatus

FIRST_PAGE_RUNS: Final = 200
OLDER_PAGE_RUNS: Final = 1000
IDLE_SECONDS: Final = 2.0
"""How often the engine is looked at when nothing changes: one that was killed leaves no change."""
READ_SHARE: Final = 4
"""After a read that took long, the pump rests this many times as long: it never takes the machine from the runs."""
MANY_CHANGES: Final = 500
"""From this many changed runs on, the list is read anew."""
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the screen may change. Times in seconds."""

    delivery_seconds: float
    log_seconds: float


def pace_for(environment: Mapping[str, str], *, is_focused: bool) -> Pace:
    """Choose the pace: 5 deliveries a second, 2 over SSH, fewer while another window has the keyboard.

    A window that has lost the keyboard is often still being watched beside the one in which a script was started,
    so rows and log go on, at a slower pace; only the clocks of running rows stand still.
    """
    is_remote = bool(environment.get("SSH_TTY") or environment.get("SSH_CONNECTION"))
    if is_focused:
        return Pace(0.5, 0.5) if is_remote else Pace(0.2, 0.2)
    return Pace(1.0, 1.0) if is_remote else Pace(0.4, 0.4)


@dataclass
class _Pending:
    """What is to be read for the next delivery."""

    flow_runs: set[int] = field(default_factory=set)
    children: set[int] = field(default_factory=set)
    first_page: bool = False
    all_pages: bool = False
    older: int = 0
    flows: bool = False
    counts: bool = False
    engine: bool = False

    def __bool__(self) -> bool:
        return bool(self.flow_runs or self.children or self.older) or any(
            (self.first_page, self.all_pages, self.flows, self.counts, self.engine)
        )

    def add(self, changes: Changes) -> None:
        """Take note of what the feed told."""
        if changes.resync or len(changes.flow_runs) + len(self.flow_runs) > MANY_CHANGES:
            self.all_pages = self.flows = self.engine = True
        else:
            self.flow_runs |= changes.flow_runs
        self.counts = self.counts or changes.resync or bool(changes.flow_runs)
        self.flows = self.flows or changes.flows
        self.engine = self.engine or changes.engine


class Pump:
    """Reads for the screen. Its public methods may be called from any thread and return at once."""

    def __init__(self, open_deck: Callable[[], Deck], folder: str, post: Callable[[Message], Any], pace: Pace) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            open_deck: opens the home; called in the pump's thread, because it imports and opens much.
            folder: real path of the folder whose flows are listed.
            post: hands a message to the app; safe to call from a thread.
            pace: how often to deliver.
        """
        self._open_deck = open_deck
        self._folder = folder
        self._post = post
        self._pace = pace
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._feed: ChangeFeed | None = None
        self._stopping = threading.Event()
        self._drawn = threading.Event()
        self._drawn.set()
        # From here on only the pump's thread touches what follows.
        self._pending = _Pending(first_page=True, flows=True, counts=True, engine=True)
        self._filter = RunFilter()
        self._open_keys: frozenset[int] = frozenset()
        self._oldest: int | None = None
        self._loaded = 0
        self._wants_flows = True
        self._next_delivery = 0.0
        self._next_engine_look = 0.0
        self._engine: EngineStatus | None = None
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

    def set_filter(self, wanted: RunFilter) -> None:
        """List other runs."""

        def change() -> None:
            self._filter = wanted
            self._pending.first_page = True

        self._ask(change)

    def set_open(self, keys: frozenset[int]) -> None:
        """Say which runs are open in the tree; what lies below new ones is read at once."""

        def change() -> None:
            self._pending.children |= keys - self._open_keys
            self._open_keys = keys

        self._ask(change)

    def load_older(self, *, all_of_them: bool) -> None:
        """Continue the list of runs."""

        def change() -> None:
            self._pending.older = max(self._pending.older, 2 if all_of_them else 1)

        self._ask(change)

    def set_wants_flows(self, wants: bool) -> None:
        """Say whether the Flows pane is looked at: only then its last runs are kept up to date."""

        def change() -> None:
            self._wants_flows = wants
            self._pending.flows = self._pending.flows or wants

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
        feed = deck.changes()
        self._feed = feed
        self._post(DeckOpened(deck))
        try:
            while not self._stopping.is_set():
                self._turn(deck, feed)
        finally:
            self._feed = None
            feed.close()

    def _turn(self, deck: Deck, feed: ChangeFeed) -> None:
        try:
            if self._take_requests():
                self._next_delivery = 0.0  # a user waits for this one
            if self._pending and self._drawn.is_set() and time.monotonic() >= self._next_delivery:
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
        if time.monotonic() >= self._next_engine_look:
            self._pending.engine = True

    def _fail(self, text: str) -> None:
        self._post(ReadFailed(text))
        self._stopping.wait(RETRY_SECONDS)

    def _patience(self) -> float:
        """Tell how long to wait for changes before looking again."""
        if not self._pending:
            return IDLE_SECONDS
        if not self._drawn.is_set():
            return IDLE_SECONDS  # `drawn` wakes us
        return max(0.0, self._next_delivery - time.monotonic())

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
            raise
        took = time.monotonic() - started
        if news != News():
            self._next_delivery = started + max(self._pace.delivery_seconds, READ_SHARE * took)
            self._drawn.clear()
            self._post(Delivered(news))

    def _read(self, deck: Deck, pending: _Pending) -> News:
        # Imported here: it brings SQLite, and the first paint must not wait for that.
        from flowdeck.deck import RunQuery  # noqa: PLC0415

        query = RunQuery(
            text=self._filter.text or None,
            flow_name=self._filter.flow_name,
            roots_only=not self._filter,
            limit=FIRST_PAGE_RUNS,
        )
        pages: list[RunPage] = []
        if pending.first_page or pending.all_pages:
            # Too much has changed to follow it run by run; what was on the list stays on the list.
            limit = query.limit if pending.first_page else max(query.limit, self._loaded)
            pages.append(self._read_page(deck, replace(query, limit=limit), is_first=True))
            pending.children |= self._open_keys
        if pending.older and self._oldest is not None:
            older = replace(query, before_key=self._oldest, limit=OLDER_PAGE_RUNS)
            pages.append(self._read_page(deck, older, is_first=False))
            if pending.older > 1 and not pages[-1].is_last:
                self._pending.older = pending.older
        runs = deck.flow_runs_by_keys(pending.flow_runs)
        found = {run.key for run in runs}
        touched = (pending.flow_runs | pending.children | {run.parent_key for run in runs}) & self._open_keys
        has_new_state = bool(pending.flow_runs) and self._wants_flows
        return News(
            pages=pages,
            runs=runs,
            removed=frozenset(pending.flow_runs - found),
            children={key: (deck.call_lines(key), deck.subflow_runs(key)) for key in touched if key is not None},
            flows=deck.flows(self._folder) if pending.flows or has_new_state else None,
            counts=deck.active_counts() if pending.counts else None,
            total=deck.flow_run_total(query) if pending.counts or pages else None,
            engine=self._read_engine(deck) if pending.engine else None,
        )

    def _read_engine(self, deck: Deck) -> EngineStatus | None:
        """Return what is known of the engine, or None when that is what was known before."""
        self._next_engine_look = time.monotonic() + IDLE_SECONDS
        before, self._engine = self._engine, deck.engine_status()
        return self._engine if self._engine != before else None

    def _read_page(self, deck: Deck, query: Any, *, is_first: bool) -> RunPage:
        runs = deck.flow_runs(query)
        self._loaded = len(runs) if is_first else self._loaded + len(runs)
        if runs:
            self._oldest = runs[-1].key
        elif is_first:
            self._oldest = None
        return RunPage(self._filter, runs, is_first=is_first, is_last=len(runs) < query.limit)
