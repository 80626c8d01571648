"""What the threads beside the screen tell it. Each is sent once and holds only frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, Deck, EngineStatus, FlowEntry, FlowRun
    from flowdeck.rules.states import StateType


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs the Runs pane lists: all roots, or all runs of a flow or with a text in them."""

    text: str = ""
    flow_name: str | None = None

    def __bool__(self) -> bool:
        return bool(self.text) or self.flow_name is not None


@dataclass(frozen=True, slots=True)
class RunPage:
    """A stretch of the list of runs, newest first.

    Attributes:
        filter: under which it was read; a page of an older filter is thrown away.
        runs: the rows.
        is_first: True when it replaces the list, False when it continues it.
        is_last: True when there are no older runs.
    """

    filter: RunFilter
    runs: Sequence[FlowRun]
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since the last delivery; what is None or empty has not.

    Attributes:
        pages: of the list of runs, in order.
        runs: rows as they are now.
        removed: keys of runs that were deleted.
        children: by key of an open run, what lies below it: its calls, its subflow runs.
        flows: all entries of the folder.
        counts: root runs by type of state; failed ones of the last 24 hours.
        total: how many runs the filter means.
        engine: what is known of it.
    """

    pages: Sequence[RunPage] = ()
    runs: Sequence[FlowRun] = ()
    removed: frozenset[int] = frozenset()
    children: Mapping[int, tuple[Sequence[CallLine], Sequence[FlowRun]]] = field(default_factory=dict)
    flows: Sequence[FlowEntry] | None = None
    counts: Mapping[StateType, int] | None = None
    total: int | None = None
    engine: EngineStatus | None = None


class DeckOpened(Message):
    """The home is open."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
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


class CommandDone(Message):
    """A command came back.

    Attributes:
        action_id: what the user did.
        result: what Deck returned; None when it refused.
        error: why it refused, one sentence; None when it did not.
        text: one sentence for the status line, when it worked.
        echo: the command line that does the same.
    """

    def __init__(
        self, action_id: str, *, result: Any = None, error: str | None = None, text: str = "", echo: str = ""
    ) -> None:
        self.action_id = action_id
        self.result = result
        self.error = error
        self.text = text
        self.echo = echo
        super().__init__()


class EngineUp(Message):
    """The attempt to bring an engine up is over; the text says why it failed, None when it did not."""

    def __init__(self, problem: str | None) -> None:
        self.problem = problem
        super().__init__()
