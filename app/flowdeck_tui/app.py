"""The app: panes, threads and dialogs put together. What a key does stands in `actions`, how in the pane it acts on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.message import Message

from flowdeck.rules.terminal_text import inert_line
from flowdeck_tui import actions, commands, present
from flowdeck_tui.actions import Context, bindings
from flowdeck_tui.commands import Command, CommandThread
from flowdeck_tui.dialogs import Dialogs
from flowdeck_tui.messages import CommandDone, DeckFailed, DeckOpened, Delivered, EngineUp, News, ReadFailed
from flowdeck_tui.panes.flows import FlowsPane
from flowdeck_tui.panes.runs import LOG_ONLY, SHARED, RunsPane
from flowdeck_tui.present import Glyphs, Tone
from flowdeck_tui.pump import Pace, Pump, pace_for
from flowdeck_tui.quiet_app import QuietApp
from flowdeck_tui.run_tree import Look
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.header import Header, HeaderFacts
from flowdeck_tui.widgets.status_area import StatusArea

if TYPE_CHECKING:
    from flowdeck.deck import Deck, EngineStatus, FlowEntry, FlowRun, LogReader
    from flowdeck.rules.states import StateType

RUNS, FLOWS = "1", "3"
READING, ENGINE = "reading", "engine"
"""What a sentence on the status line may speak of beside a run: trouble that lasts."""


def system_now() -> datetime:
    """Return the wall time."""
    return datetime.now(UTC)


class FlowdeckApp(QuietApp):
    """Flows and runs of a home, at the keyboard."""

    CSS_PATH: ClassVar = "styles/app.tcss"
    BINDINGS: ClassVar = bindings(Context.EVERYWHERE)

    def __init__(
        self,
        folder: str,
        open_deck: Callable[[], Deck],
        *,
        now: Callable[[], datetime] = system_now,
        zone: tzinfo | None = None,
        glyphs: Glyphs | None = None,
        environment: Mapping[str, str] = os.environ,
        bring_engine_up: Callable[[Deck, str, Callable[[Message], Any]], None] = commands.bring_engine_up,
    ) -> None:
        """Prepare the app; nothing is opened before it is on the screen.

        Args:
            folder: real path of the folder of flows.
            open_deck: opens the home; called in a thread.
            now: tells the time.
            zone: time zone of the reader; None for that of the machine.
            glyphs: signs that the terminal can show; None to find out.
            environment: tells whether this is an SSH session, and which terminal.
            bring_engine_up: has an engine serve the home and posts an `EngineUp`; returns at once.
        """
        super().__init__()
        self._folder = folder
        self._environment = environment
        self.look = Look(now, zone, glyphs or present.glyphs_for(environment, sys.stdout.encoding))
        self.pump = Pump(open_deck, folder, self.post, self.pace)
        self._bring_engine_up = bring_engine_up
        self._deck: Deck | None = None
        self._commands: CommandThread | None = None
        self.active_pane = ""
        """Number of the pane that is shown; empty before the first rows have come."""
        self._counts: Mapping[StateType, int] = {}
        self._engine: EngineStatus | None = None
        self._is_engine_starting = True
        self.runs_pane = RunsPane(self)
        self.flows_pane = FlowsPane(self, folder)
        self._header = Header(self.look.glyphs)
        self._footer = Footer(self.look.glyphs)
        self.status = StatusArea(self.look.glyphs)
        self.last_words = ""
        """What is to be said on the terminal after leaving; empty for nothing."""
        self._dialogs = Dialogs(self, self.status, self.look.glyphs, self.submit)

    # -- what panes may ask (Desk) -------------------------------------------------------------------------------

    @property
    def pace(self) -> Pace:
        """How often the screen may change."""
        return pace_for(self._environment, is_focused=self.app_focus)

    @property
    def has_engine(self) -> bool:
        """Whether an engine serves the home, or is being brought up."""
        return self._is_engine_starting or (self._engine is not None and self._engine.running)

    def submit(self, command: Command) -> None:
        """Give a command to Deck."""
        if self._commands is None:
            self.status.say("The home is still being opened; try again in a moment.")
        else:
            self._commands.submit(command)

    def open_log(self, run: FlowRun) -> LogReader | None:
        """Open the log of a run; None while the home is not open."""
        return None if self._deck is None else self._deck.log(run)

    async def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow."""
        await self._dialogs.open_form(entry)

    def flow_of(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow that made a run, if it is in the folder."""
        return self.flows_pane.rows.flow_of(run)

    def show_runs_of(self, flow_name: str) -> None:
        """Show the runs of one flow."""
        self.runs_pane.show_flow(flow_name)
        self._show_pane(RUNS)

    def show_flows(self) -> None:
        """Show the flows again."""
        self._show_pane(FLOWS)

    # -- the screen ----------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Header, panes (none shown yet), status, footer."""
        yield self._header
        yield self.runs_pane
        yield self.flows_pane
        yield self.status
        yield self._footer

    def on_mount(self) -> None:
        """Paint first, then read: the home is opened once something is on the screen."""
        self.runs_pane.display = self.flows_pane.display = False
        self._show_header()
        self._footer.show_chain((Context.EVERYWHERE,))
        self.call_after_refresh(self.pump.start)

    def _show_pane(self, number: str) -> None:
        self.active_pane = number
        self.runs_pane.display = number == RUNS
        self.flows_pane.display = number == FLOWS
        self.pump.set_wants_flows(number == FLOWS)
        pane = self.runs_pane if number == RUNS else self.flows_pane
        self.status.say("")
        pane.refresh_rows()
        pane.focus_default()
        self._show_header()

    def _show_header(self) -> None:
        facts = HeaderFacts(
            panes=((RUNS, "Runs"), (FLOWS, "Flows")),
            active=self.active_pane,
            counts=self._counts,
            broken_files=self.flows_pane.rows.broken_files,
            engine=present.engine_text(self._engine, is_starting=self._is_engine_starting),
            is_engine_well=self.has_engine,
        )
        self._header.show_facts(facts)

    def on_descendant_focus(self) -> None:
        """The footer shows the keys of what has the focus; dialogs have footers of their own."""
        if len(self.screen_stack) == 1:
            self._footer.show_chain(self.chain())

    def on_app_blur(self, event: events.AppBlur) -> None:
        """Another window has the keyboard: change the screen less often."""
        self.pump.set_pace(pace_for(self._environment, is_focused=False))

    def on_app_focus(self, event: events.AppFocus) -> None:
        """The keyboard is back."""
        self.pump.set_pace(pace_for(self._environment, is_focused=True))

    async def act_on_key(self, key: str) -> bool:
        """What was said of the last thing done goes with the next, unless that says something itself."""
        times_said = self.status.times_said
        has_acted = await super().act_on_key(key)
        if has_acted:
            self._leave_unsaid(times_said)
        return has_acted

    async def on_event(self, event: events.Event) -> None:
        """A click is the next thing done as well."""
        times_said = self.status.times_said
        await super().on_event(event)
        if isinstance(event, events.MouseDown):
            self._leave_unsaid(times_said)

    def _leave_unsaid(self, times_said: int) -> None:
        about = self.status.about
        is_trouble = about is not None and about[0] in (READING, ENGINE)  # stays until it is over
        if self.status.times_said == times_said and not is_trouble:
            self.status.say("")

    def on_unbound_key(self, key: str) -> None:
        """Say where a key acts that does not act here."""
        action = actions.elsewhere(key)
        if action is not None:
            self.status.say(f"{action.shown_key} {action.label} acts in {' and '.join(action.contexts)}.")

    # -- what comes in -------------------------------------------------------------------------------------------

    def on_deck_opened(self, message: DeckOpened) -> None:
        """Commands can be given now; have an engine serve the folder."""
        self._deck = message.deck
        self._commands = CommandThread(message.deck, self.post)
        self._bring_engine_up(message.deck, self._folder, self.post)

    def on_deck_failed(self, message: DeckFailed) -> None:
        """Without a home there is nothing to show."""
        self.last_words = inert_line(message.text)
        self.exit(return_code=1)

    def on_engine_up(self, message: EngineUp) -> None:
        """The engine is there, or is said not to be."""
        self._is_engine_starting = False
        self.pump.refresh_engine()
        self._show_header()
        if message.problem is not None:
            text = inert_line(message.problem)
            self.status.say(text, tone=Tone.BAD, echo="flowdeck server start", about=(ENGINE, None))

    def on_read_failed(self, message: ReadFailed) -> None:
        """Say what is wrong; the pump tries again."""
        self.status.say(inert_line(message.text), tone=Tone.BAD, about=(READING, None))

    def on_delivered(self, message: Delivered) -> None:
        """Hand rows to the panes, all in one frame."""
        news = message.news
        with self.batch_update():
            if news.flows is not None:
                self.flows_pane.take(list(news.flows))
            self.runs_pane.take(news)
            if news.counts is not None:
                self._counts = news.counts
            if news.engine is not None:
                self._engine = news.engine
            if not self.active_pane and news.pages:
                # A new home has no runs to look at: begin where one can be started.
                self._show_pane(RUNS if news.pages[0].runs else FLOWS)
            self._show_header()
            self._drop_what_is_over(news)
        self.call_later(self.pump.drawn)

    def _drop_what_is_over(self, news: News) -> None:
        """Take a sentence back that speaks of a state which is no more."""
        if self.status.about is None:
            return
        subject, state_name = self.status.about
        has_engine = self._engine is not None and self._engine.running
        is_over = any(run.id == subject and run.is_final and run.state_name != state_name for run in news.runs)
        if is_over:
            self.status.drop_sentence()
        elif subject == READING or (subject == ENGINE and has_engine):
            self.status.say("")

    def on_command_done(self, message: CommandDone) -> None:
        """Say how it went; a new run is gone to."""
        if message.error is not None:
            text = inert_line(message.error)
            self.status.say(text, tone=Tone.BAD, echo=message.echo)
            if message.action_id == "flow.run":
                self._dialogs.tell_form(text)
            return
        if message.action_id == "flow.run":
            self._dialogs.close_form()
            self._go_to_run(message.result)
        elif message.action_id == "log.full":
            self._go_to_run(message.result, is_log_full=True)
        # Of these the sentence tells a state that the run will leave.
        is_passing = message.action_id in ("run.cancel", "run.retry")
        about = (message.result.id, message.result.state_name) if is_passing else None
        self.status.say(message.text, echo=message.echo, about=about)

    def _go_to_run(self, run: FlowRun, *, is_log_full: bool = False) -> None:
        self.runs_pane.reveal(run, is_open=not is_log_full)
        self._show_pane(RUNS)
        if is_log_full:
            self.runs_pane.set_layout(LOG_ONLY)

    # -- actions -------------------------------------------------------------------------------------------------

    def action_pane_runs(self) -> None:
        """Show the runs; among them, the list beside the log."""
        if self.active_pane == RUNS:
            self.runs_pane.set_layout(SHARED)
        self._show_pane(RUNS)

    def action_pane_flows(self) -> None:
        """Show the flows."""
        self._show_pane(FLOWS)

    def action_screen_repaint(self) -> None:
        """Draw everything again, in case something else wrote to the terminal."""
        self.refresh(layout=True)
        self.screen.refresh(layout=True)

    async def action_palette_open(self) -> None:
        """List what acts here."""
        await self._dialogs.open_commands(self.chain())

    async def action_help_open(self) -> None:
        """List all keys."""
        await self._dialogs.open_help(self.chain())

    def action_help_quit(self) -> None:
        """Ctrl+c leaves nothing behind by mistake: say how to leave."""
        self.status.say("q quits; runs go on without the screen.")

    def action_app_leave(self) -> None:
        """Leave, and say what goes on."""
        self.last_words = present.last_words(self._engine, self._counts)
        self.exit()

    def action_app_quit(self) -> None:
        """Leave."""
        self.action_app_leave()

    def on_unmount(self) -> None:
        """Let the threads go; the home is closed only when nobody reads it any more."""
        is_quiet = self.pump.stop() and not self._is_engine_starting
        if self._commands is not None and self._commands.stop() and is_quiet and self._deck is not None:
            self._deck.close()
