"""Reading the list of runs for the screen: page by page, each in short steps, and counting it when there is time.

Owned by the pump's thread. A page of rare runs among many takes as many deliveries as it needs; meanwhile what is typed
next is heard, and what was found is shown.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flowdeck_tui.live.messages import Listed, Listing, RunPage, Side, Total

if TYPE_CHECKING:
    from flowdeck.deck import Deck, FlowRun, RunPages
    from flowdeck.rules.runs.run_order import Place

FIRST_PAGE_RUNS: Final = 200
PAGE_RUNS: Final = 500
STEP_SECONDS: Final = 0.02
"""How long the pump reads before it looks whether something else is wanted."""
STEP_RUNS: Final = 100
COUNT_PAUSE_SECONDS: Final = 2.0
"""A filtered list that changes is not counted again sooner; after a count that took long, later still."""
COUNT_SHARE: Final = 10


@dataclass
class _Job:
    """A page that is being read.

    Attributes:
        side: where it stands.
        place: before or behind which it begins; None for an end of the list.
        number: how many rows it has at most.
        pages: reads it; None before the first step.
        runs: what was found since the last part was delivered.
        found: how many in all.
        is_begun: whether a part was delivered.
    """

    side: Side
    place: Place | None
    number: int
    pages: RunPages | None = None
    runs: list[FlowRun] = field(default_factory=list)
    found: int = 0
    is_begun: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be read."""
        return self.pages is not None and (self.pages.is_over or self.found >= self.number)

    def read_on(self, deadline: float) -> None:
        """Read until the page is full, the list is over, or a moment of the monotonic clock has come."""
        while self.pages is not None and not self.is_done and time.monotonic() < deadline:
            step = self.pages.step(min(STEP_RUNS, self.number - self.found))
            self.found += len(step)
            self.runs.extend(step)


class RunLister:
    """Reads pages of one listing and counts it."""

    def __init__(self) -> None:
        """Begin with the first page of all runs."""
        self._listing = Listing()
        self._job: _Job | None = _Job(Side.START, None, FIRST_PAGE_RUNS)
        self._given: _Job | None = None
        self._has_changed = True
        self._count: RunPages | None = None
        self._counted = 0
        self._count_seconds = 0.0
        self._next_count = 0.0
        self._total: Total | None = None

    def change(self, listing: Listing) -> None:
        """Read another list from its start."""
        is_same_set = listing.filter == self._listing.filter
        self._listing = listing
        self._job = _Job(Side.START, None, FIRST_PAGE_RUNS)
        if not is_same_set:
            self._has_changed = True
            self._count, self._total, self._next_count = None, None, 0.0

    def load(self, listing: Listing, side: Side, place: Place | None, number: int) -> None:
        """Read a page next, if the list is still that one; what was read before for another place is dropped."""
        if listing == self._listing:
            self._job = _Job(side, place, number)

    def runs_changed(self) -> None:
        """Take note that the number of runs may be another."""
        self._has_changed = True

    @property
    def is_busy(self) -> bool:
        """Whether there is more to read or to count at once."""
        return (self._job is not None and not self._job.is_done) or self._is_counting

    @property
    def has_news(self) -> bool:
        """Whether a part of a page, or a count, can be delivered."""
        job = self._job
        has_part = job is not None and (job.is_done or bool(job.runs) or not job.is_begun)
        return has_part or self._total is not None

    def work(self, deck: Deck) -> None:
        """Read the wanted page for a while; if none is wanted, count."""
        job = self._job
        if job is not None and not job.is_done:
            if job.pages is None:
                job.pages = deck.flow_runs.pages(self._query(job))
            job.read_on(time.monotonic() + STEP_SECONDS)
        elif self._is_counting:
            self._count_on(deck)

    def take_page(self) -> RunPage | None:
        """Return what was read since the last time; None when there is nothing to tell."""
        job = self._job
        if job is None or job.pages is None or not self.has_news:
            return None
        page = RunPage(self._listing, tuple(job.runs), job.side, not job.is_begun, job.pages.is_over, job.is_done)
        job.runs.clear()
        job.is_begun = True
        self._given = job
        if job.is_done:
            self._job = None
        return page

    def begin_again(self) -> None:
        """Read anew what was delivered last, after it was lost."""
        job = self._job or self._given
        if job is not None:
            self._job = _Job(job.side, job.place, job.number)
        self._has_changed = True

    def listed(self, deck: Deck, keys: Collection[int]) -> Listed | None:
        """Tell which of these runs belong to the list; None when there are none of them."""
        return Listed(self._listing, deck.flow_runs.listed(keys, self._query(None))) if keys else None

    # -- how many ------------------------------------------------------------------------------------------------

    @property
    def _is_counting(self) -> bool:
        is_due = self._has_changed and time.monotonic() >= self._next_count
        return bool(self._listing.filter) and (self._count is not None or is_due)

    def _count_on(self, deck: Deck) -> None:
        if self._count is None:
            self._has_changed = False
            self._counted, self._count_seconds = 0, 0.0
            self._count = deck.flow_runs.pages(self._query(None))
        started = time.monotonic()
        while not self._count.is_over and time.monotonic() < started + STEP_SECONDS:
            self._counted += self._count.count_step()
        self._count_seconds += time.monotonic() - started
        if self._count.is_over:
            self._count = None
            self._total = Total(self._counted, filter=self._listing.filter)
            self._next_count = time.monotonic() + max(COUNT_PAUSE_SECONDS, COUNT_SHARE * self._count_seconds)

    def total(self, deck: Deck) -> Total | None:
        """Return how many runs there are, if that is news."""
        if not self._listing.filter and self._has_changed:
            self._has_changed = False
            return Total(deck.flow_runs.count(self._query(None)))
        total, self._total = self._total, None
        if total is None and self._count is not None:
            return Total(self._counted, is_exact=False, filter=self._listing.filter)
        return total

    def _query(self, job: _Job | None) -> Any:
        # Imported here: it brings SQLite, and the first paint must not wait for that.
        from flowdeck.deck import RunQuery  # noqa: PLC0415

        wanted = self._listing.filter
        if job is None:
            return RunQuery(filter=wanted, roots_only=not wanted)
        return RunQuery(
            filter=wanted,
            order=self._listing.order,
            roots_only=not wanted,
            after=job.place,
            backwards=job.side in (Side.END, Side.BEFORE),
        )
