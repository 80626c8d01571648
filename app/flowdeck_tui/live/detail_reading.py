"""What a run's detail shows: what is asked, and how it is read from Deck in the pump's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowdeck.rules.exceptions import NotFoundError

if TYPE_CHECKING:
    from flowdeck.deck import CallPage, Deck, FlowRun, StateRecord, TaskRun


@dataclass(frozen=True, slots=True)
class DetailQuery:
    """What is to be known of one run, beyond its row.

    Attributes:
        run_key: the run.
        wants_states: every state that it has been in.
        wants_calls: a stretch of its calls; the following attributes say which, as `CallQuery` has them.
        call_id: a task run that is to be known as a whole; None for none.
    """

    run_key: int
    wants_states: bool = False
    wants_calls: bool = False
    group: int | None = None
    text: str = ""
    order: str = "failed"
    offset: int = 0
    limit: int = 0
    call_id: int | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of one run; what was not asked for is None or empty.

    Attributes:
        query: what was asked.
        states: oldest first.
        calls: the stretch of its calls.
        subflows: runs that it started.
        call: the task run; None also when it is gone.
    """

    query: DetailQuery
    states: Sequence[StateRecord] = ()
    calls: CallPage | None = None
    subflows: Sequence[FlowRun] = ()
    call: TaskRun | None = None


def read_detail(deck: Deck, wanted: DetailQuery) -> Detail:
    """Read what is asked for of one run; nothing is found of one that is gone."""
    # Imported here: it brings SQLite, and the first paint must not wait for that.
    from flowdeck.deck import CallQuery  # noqa: PLC0415

    calls = None
    if wanted.wants_calls:
        query = CallQuery(wanted.group, wanted.text, wanted.order, wanted.offset, wanted.limit)
        calls = deck.task_runs.call_page(wanted.run_key, query)
    has_subflows = wanted.wants_calls and wanted.group is None
    return Detail(
        wanted,
        states=deck.flow_runs.states(wanted.run_key) if wanted.wants_states else (),
        calls=calls,
        subflows=deck.flow_runs.subflows(wanted.run_key) if has_subflows else (),
        call=None if wanted.call_id is None else _call(deck, wanted.call_id),
    )


def _call(deck: Deck, call_id: int) -> TaskRun | None:
    try:
        return deck.task_runs.find(call_id)
    except NotFoundError:  # deleted since
        return None
