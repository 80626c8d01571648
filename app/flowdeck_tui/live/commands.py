"""Commands to Deck: what each one is, why it may not be given now, and the thread that carries it out.

The screen never waits for a lock: a command is given away and comes back as a `CommandDone`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.runs import run_actions
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions import actions
from flowdeck_tui.live.messages import Command, CommandDone, EngineUp
from flowdeck_tui.text.present import state_word

if TYPE_CHECKING:
    from textual.message import Message

    from flowdeck.deck import Deck, FlowRun
    from flowdeck_tui.live.shared_deck import SharedDeck


LEAVING_SECONDS: Final = 2.0
"""How long leaving waits for commands that were given before: what was asked for is done."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be done to a run: in a few words for many at once, and as a sentence."""

    brief: str
    sentence: str


# -- what may be asked -------------------------------------------------------------------------------------------------


def why_not_retry(run: FlowRun) -> Obstacle | None:
    """Say why a run cannot be retried; None when it can."""
    name = inert_line(run.name)
    match run_actions.retry_obstacle(run):
        case run_actions.Obstacle.NOT_OVER:
            return Obstacle("not over", f"{name} is not over ({state_word(run.state_name)}); x cancels it.")
        case run_actions.Obstacle.SUBFLOW:
            return Obstacle(_SUBFLOW, f"{name} is a subflow run; retry the run that started it.")
        case run_actions.Obstacle.COMPLETED:
            return Obstacle("completed", f"{name} completed; t runs its flow anew.")
        case _:
            return None


def why_not_cancel(run: FlowRun) -> Obstacle | None:
    """Say why a run cannot be cancelled; None when it can."""
    name = inert_line(run.name)
    match run_actions.cancel_obstacle(run):
        case run_actions.Obstacle.OVER:
            return Obstacle("already over", f"{name} is over already: {state_word(run.state_name)}.")
        case run_actions.Obstacle.SUBFLOW:
            return Obstacle(_SUBFLOW, f"{name} is a subflow run; cancel the run that started it.")
        case run_actions.Obstacle.CANCELLING:
            return Obstacle("already being cancelled", f"{name} is being cancelled already.")
        case _:
            return None


def why_not_delete(run: FlowRun) -> Obstacle | None:
    """Say why a run cannot be deleted; None when it can."""
    name = inert_line(run.name)
    match run_actions.delete_obstacle(run):
        case run_actions.Obstacle.SUBFLOW:
            return Obstacle(_SUBFLOW, f"{name} is a subflow run; delete the run that started it.")
        case run_actions.Obstacle.NOT_OVER:
            return Obstacle("not over", f"{name} is not over ({state_word(run.state_name)}); x cancels it first.")
        case _:
            return None


_SUBFLOW: Final = "started by another run"

OBSTACLES: Final[Mapping[str, Callable[[FlowRun], Obstacle | None]]] = {
    "run.retry": why_not_retry,
    "run.cancel": why_not_cancel,
    "run.delete": why_not_delete,
}
"""What says, by the id of an action, whether it can be done to a run."""


def retry(run: FlowRun) -> Command:
    """Run a flow run again under its id."""
    return Command(
        lambda deck: deck.flow_runs.retry(run.id),
        lambda after: f"attempt {after.attempt}: recorded calls are reused",
        actions.echo("run.retry", run=short_id(run.id)),
        needs_engine=True,
        tells_state=True,
    )


def cancel(run: FlowRun) -> Command:
    """Stop a run."""
    return Command(
        lambda deck: deck.flow_runs.cancel(run.id),
        lambda after: f"{inert_line(after.name)}: {state_word(after.state_name)}",
        actions.echo("run.cancel", run=short_id(run.id)),
        needs_engine=True,
        tells_state=True,
    )


def find_run(reference: str, then: Callable[[FlowRun], None], echo: str = "") -> Command:
    """Look a run up.

    Args:
        reference: name of the run, its id or a part of that.
        then: called with the run on the screen's side; not called when there is none.
        echo: the command line that does the same; empty for none.
    """
    return Command(lambda deck: deck.flow_runs.find(reference), lambda _: "", echo, then)


# -- who does it -------------------------------------------------------------------------------------------------------


class CommandThread:
    """Carries out commands one after the other."""

    def __init__(self, shared: SharedDeck, post: Callable[[Message], Any]) -> None:
        """Start the thread.

        Args:
            shared: the Deck that commands are given to; the caller uses it.
            post: hands a message to the app; safe to call from a thread.
        """
        shared.use()
        self._shared = shared
        self._deck = shared.deck
        self._post = post
        self._queue: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="flowdeck-commands", daemon=True)
        self._thread.start()

    def submit(self, command: Command) -> None:
        """Carry out a command soon; a `CommandDone` comes back."""
        self._queue.put(command)

    def stop(self, timeout_seconds: float = LEAVING_SECONDS) -> bool:
        """Let the thread end after the commands that it has; False when they took longer than the timeout."""
        self._queue.put(None)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._carry_out()
        finally:
            self._shared.let_go()

    def _carry_out(self) -> None:
        while (command := self._queue.get()) is not None:
            result, text, problem, lacks_engine = None, "", None, False
            try:
                result = command.call(self._deck)
                text = command.tell(result)
                lacks_engine = command.needs_engine and not self._deck.engine.status().running
            except FlowdeckError as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - a command whose end nobody tells looks like one that works
                problem = f"{type(error).__name__}: {error}"
            self._post(CommandDone(command, result=result, error=problem, text=text, lacks_engine=lacks_engine))


def bring_engine_up(deck: Deck, folder: str, post: Callable[[Message], Any]) -> None:
    """Have the folder watched and an engine serve the home, in a thread; an `EngineUp` comes back."""

    def run() -> None:
        problem: str | None = None
        try:
            deck.folders.watch(Path(folder))
            deck.engine.ensure(started_by="tui")
        except FlowdeckError as error:
            problem = str(error)
        post(EngineUp(problem))

    threading.Thread(target=run, name="flowdeck-engine-start", daemon=True).start()
