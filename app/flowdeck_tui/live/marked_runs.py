"""Commands on many runs at once: what each comes to is counted and said in one line."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.runs.run_order import Place, RunOrder
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions import actions
from flowdeck_tui.live import commands
from flowdeck_tui.live.commands import Obstacle
from flowdeck_tui.live.messages import Command, Listing

if TYPE_CHECKING:
    from flowdeck.deck import Deck, FlowRun

GONE: Final = "gone already"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command on many runs.

    Attributes:
        done: of how many it was carried out.
        obstacles: in a few words why not of the others, with how many.
        kept: those of the others that are there.
        sentence: the whole reason of the last of them; empty when there is none.
    """

    done: int = 0
    obstacles: Mapping[str, int] = field(default_factory=dict)
    kept: tuple[FlowRun, ...] = ()
    sentence: str = ""

    def text(self, verb: str) -> str:
        """Write `2 cancelled, 1 already over`; of one run that was refused, the whole sentence."""
        if not self.done and sum(self.obstacles.values()) == 1 and self.sentence:
            return self.sentence
        parts = [f"{self.done:,} {verb}"] if self.done or not self.obstacles else []
        parts.extend(f"{number:,} {words}" for words, number in self.obstacles.items())
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class _Verb:
    """One thing that is done to many runs."""

    past: str
    why_not: Callable[[FlowRun], Obstacle | None]
    act: Callable[[Deck, FlowRun], Any]


_RETRY: Final = _Verb("retried", commands.why_not_retry, lambda deck, run: deck.flow_runs.retry(run.id))
_CANCEL: Final = _Verb("cancelled", commands.why_not_cancel, lambda deck, run: deck.flow_runs.cancel(run.id))
_DELETE: Final = _Verb("deleted", commands.why_not_delete, lambda deck, run: deck.flow_runs.delete(run.id))


def retry(keys: Collection[int]) -> Command:
    """Run runs again under their ids."""
    return _command(_RETRY, keys)


def cancel(keys: Collection[int]) -> Command:
    """Stop runs."""
    return _command(_CANCEL, keys)


def delete(keys: Collection[int], then: Callable[[Outcome | None], None]) -> Command:
    """Remove runs; `then` is called with what came of it. It was said before: only what did not work is told."""
    return Command(
        lambda deck: _do(deck, _DELETE, keys),
        lambda outcome: outcome.text(_DELETE.past) if outcome.kept else "",
        "",
        then,
        lambda _: then(None),
    )


def _command(verb: _Verb, keys: Collection[int]) -> Command:
    return Command(lambda deck: _do(deck, verb, keys), lambda outcome: outcome.text(verb.past), "", needs_engine=True)


def _do(deck: Deck, verb: _Verb, keys: Collection[int]) -> Outcome:
    done = 0
    obstacles: Counter[str] = Counter()
    kept: list[FlowRun] = []
    sentence = ""
    for key in sorted(keys):
        run = deck.flow_runs.by_key(key)
        if run is None:
            obstacles[GONE] += 1
            continue
        obstacle = verb.why_not(run)
        if obstacle is None:
            try:
                verb.act(deck, run)
            except FlowdeckError as error:
                obstacle = Obstacle("refused", inert_line(str(error)))
        if obstacle is None:
            done += 1
        else:
            obstacles[obstacle.brief] += 1
            kept.append(run)
            sentence = obstacle.sentence
    return Outcome(done, dict(obstacles), tuple(kept), sentence)


# -- the list itself ---------------------------------------------------------------------------------------------------


def list_keys(
    listing: Listing, after: Place | None, until: Place | None, limit: int, then: Callable[[list[int] | None], None]
) -> Command:
    """Look up which runs a list has; `then` is called with their keys.

    Args:
        listing: the list.
        after: only those behind this place; None for all.
        until: only those up to this place; None for all.
        limit: how many at most.
        then: takes the keys.
    """

    def read(deck: Deck) -> list[int]:
        # Imported here: it brings SQLite, and the first paint must not wait for that.
        from flowdeck.deck import RunQuery  # noqa: PLC0415

        wanted = listing.filter
        query = RunQuery(filter=wanted, order=listing.order, roots_only=not wanted, after=after, limit=limit)
        return deck.flow_runs.keys(query, until=until)

    return Command(read, lambda _: "", "", then, lambda _: then(None))


def list_echo(listing: Listing) -> str:
    """Write the command that lists the same runs."""
    options = f" --all --filter {shlex.quote(inert_line(listing.filter.text))}" if listing.filter else ""
    if listing.order is not RunOrder.NEWEST:
        options += f" --sort {listing.order}"
    return actions.echo("row.filter", options=options)
