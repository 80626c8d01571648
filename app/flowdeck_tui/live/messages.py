"""What the threads beside the screen tell it. Each is sent once and holds only frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from textual.message import Message

from flowdeck.rules.runs.run_filter import EVERYTHING, RunFilter
from flowdeck.rules.runs.run_order import RunOrder

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, Deck, EngineStatus, FlowRun, Waits
    from flowdeck.rules.states import StateType
    from flowdeck_tui.live.detail_reading import Detail
    from flowdeck_tui.live.shared_deck import SharedDeck


@dataclass(frozen=True, slots=True)
class Listing:
    """Which runs the Runs pane lists, and in which order. Without a filter subflow runs stand below their parents."""

    filter: RunFilter = EVERYTHING
    order: RunOrder = RunOrder.NEWEST


class Side(StrEnum):
    """Where a page stands."""

    START = "start"
    END = "end"
    BEFORE = "before"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class RunPage:
    """A stretch of the list of runs, or a part of one that takes long to find.

    Attributes:
        listing: under which it was read; a page of an older listing is thrown away.
        runs: the rows, in no particular order.
        side: at the start or the end of the list, or before or behind the rows that are there.
        is_first_part: with a page at the start or the end, the rows that were there go.
        is_edge: the list has no more rows in that direction.
        is_done: False when more parts of the page follow by themselves.
    """

    listing: Listing
    runs: Sequence[FlowRun]
    side: Side
    is_first_part: bool = True
    is_edge: bool = False
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """Keys of the runs, of those that are told of beside it, that belong to a listing."""

    listing: Listing
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class Total:
    """How many runs a filter keeps; more than that when the count is not exact yet."""

    number: int
    is_exact: bool = True
    filter: RunFilter = EVERYTHING


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since the last delivery; what is None or empty has not.

    Attributes:
        page: of the list of runs.
        runs: rows as they are now.
        listed: which of them belong to the list.
        removed: keys of runs that were deleted.
        is_list_outdated: too much has changed to be told run by run; the rows of the list are to be asked for again.
        children: by key of an open run, what lies below it: its calls, its subflow runs.
        panes: what the readers of panes have read, by number of the pane.
        counts: root runs by type of state; failed ones of the last 24 hours.
        total: how many runs the listing has.
        engine: what is known of it.
        waits: what decides whether runs move.
        detail: of the run that is looked at.
    """

    page: RunPage | None = None
    runs: Sequence[FlowRun] = ()
    listed: Listed | None = None
    removed: frozenset[int] = frozenset()
    is_list_outdated: bool = False
    children: Mapping[int, tuple[Sequence[CallLine], Sequence[FlowRun]]] = field(default_factory=dict)
    panes: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[StateType, int] | None = None
    total: Total | None = None
    engine: EngineStatus | None = None
    waits: Waits | None = None
    detail: Detail | None = None


class DeckOpened(Message):
    """The home is open."""

    def __init__(self, shared: SharedDeck) -> None:
        self.shared = shared
        super().__init__()


class DeckFailed(Message):
    """The home cannot be used; the text says why and what to do."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class Delivered(Message):
    """Rows for the panes."""

    def __init__(self, news: News) -> None:
        self.news = news
        super().__init__()


class ReadFailed(Message):
    """Rows could not be read; the pump tries again."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to ask of Deck, and what follows on the screen.

    Attributes:
        call: does it; called in the thread of commands.
        tell: writes the sentence for the status line from what `call` returned.
        echo: the command line that does the same; empty for none.
        then: called on the screen's side with what `call` returned; None when nothing follows.
        otherwise: called on the screen's side with the sentence that says why it failed; None when nothing follows.
        needs_engine: nothing comes of it while no engine serves the home.
        tells_state: `call` returns a flow run, and the sentence tells a state that the run will leave.
    """

    call: Callable[[Deck], Any]
    tell: Callable[[Any], str]
    echo: str
    then: Callable[[Any], None] | None = None
    otherwise: Callable[[str], None] | None = None
    needs_engine: bool = False
    tells_state: bool = False


class CommandDone(Message):
    """A command came back.

    Attributes:
        command: what was asked, and what follows.
        result: what Deck returned; None when it refused.
        error: why it refused, one sentence; None when it did not.
        text: one sentence for the status line, when it worked.
        lacks_engine: it was done, but nothing comes of it before there is an engine.
    """

    def __init__(
        self,
        command: Command,
        *,
        result: Any = None,
        error: str | None = None,
        text: str = "",
        lacks_engine: bool = False,
    ) -> None:
        self.command = command
        self.result = result
        self.error = error
        self.text = text
        self.lacks_engine = lacks_engine
        super().__init__()


class EngineUp(Message):
    """The attempt to bring an engine up is over; the text says why it failed, None when it did not."""

    def __init__(self, problem: str | None) -> None:
        self.problem = problem
        super().__init__()
