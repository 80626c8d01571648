"""The app: panes, threads and dialogs put together. What a key does stands in `actions`, how in the pane it acts on."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.message import Message

from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import Action, Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.flows.flows import FLOWS, FlowsPane
from flowdeck_tui.form.dialogs import Dialogs
from flowdeck_tui.keyed_app import ENGINE, READING, KeyedApp
from flowdeck_tui.live import commands
from flowdeck_tui.live.commands import CommandThread
from flowdeck_tui.live.messages import CommandDone, DeckFailed, DeckOpened, Delivered, EngineUp, News, ReadFailed
from flowdeck_tui.live.pane import PaneKind
from flowdeck_tui.live.pane_set import PaneSet
from flowdeck_tui.live.pump import Pace, Pump, pace_for
from flowdeck_tui.live.shared_deck import SharedDeck
from flowdeck_tui.menus.jumper import MOST_RUNS, Jumper
from flowdeck_tui.panes import PANES, RUNS
from flowdeck_tui.runs.runs import LOG_ONLY, SHARED, RunsPane
from flowdeck_tui.terminal.editor import Place
from flowdeck_tui.terminal.external_programs import edit, page
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.text.render_context import RenderContext, system_now
from flowdeck_tui.widgets.header import BROKEN, Header, HeaderFacts

if TYPE_CHECKING:
    from flowdeck.deck import Deck, EngineStatus, FlowEntry, FlowRun, MergedLog, Waits
    from flowdeck.rules.states import StateType
    from flowdeck_tui.live.messages import Command
    from flowdeck_tui.menus.jump_rows import Target

HOW_TO_GET_AN_ENGINE: Final = "`flowdeck server start`"
NONE_BROKEN: Final = "Every flow file can be imported."


class FlowdeckApp(KeyedApp):
    """Flows and runs of a home, at the keyboard."""

    CSS_PATH: ClassVar = "app.tcss"
    BINDINGS: ClassVar = bindings(Context.EVERYWHERE)
    PANE_KINDS: ClassVar[Sequence[PaneKind]] = PANES

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
        self.render_context = RenderContext(now, zone, glyphs or present.glyphs_for(environment, sys.stdout.encoding))
        super().__init__(self.render_context.glyphs, environment, now)
        self._folder = folder
        self._environment = environment
        self._panes = PaneSet(self.PANE_KINDS, self, folder)
        self._panes.bind_keys(self.bind)
        self.pump = Pump(open_deck, self.post, self.pace, self._panes.readers)
        self._bring_engine_up = bring_engine_up
        self._shared_deck: SharedDeck | None = None
        self._commands: CommandThread | None = None
        self._counts: Mapping[StateType, int] = {}
        self._engine: EngineStatus | None = None
        self._is_engine_starting = True
        self._waits: Waits | None = None
        self.runs_pane = self._panes.of(RunsPane)
        self.flows_pane = self._panes.of(FlowsPane)
        self._header = Header(self.render_context.glyphs)
        self._dialogs = Dialogs(self, self.render_context.glyphs, self.submit, self._go_to_run)
        self._jumper = Jumper(self, self.render_context.glyphs, self._panes.titles, self._jump_to)

    # -- what panes may ask (PaneServices) ---------------------------------------------------------------------------

    @property
    def active_pane(self) -> str:
        """Number of the pane that is shown; empty before the first rows have come."""
        return self._panes.shown

    @property
    def pace(self) -> Pace:
        """How often the screen may change."""
        return pace_for(self._environment, is_focused=self.app_focus)

    @property
    def has_engine(self) -> bool:
        """Whether an engine serves the home, or is being brought up."""
        return self._is_engine_starting or (self._engine is not None and self._engine.running)

    @property
    def flow_names(self) -> tuple[str, ...]:
        """Names of the flows that there are."""
        return tuple(entry.name for entry in self.flows_pane.rows.entries if entry.name)

    def waiting_reason(self, run: FlowRun) -> str | None:
        """Say why a run does not move, and what would move it; None when it does."""
        now, zone, is_starting = self.render_context.now(), self.render_context.zone, self._is_engine_starting
        if (waits := self._waits) is None:
            return None
        return waits.reason(run, now, zone, engine_starting=is_starting, remedy=HOW_TO_GET_AN_ENGINE)

    def submit(self, command: Command) -> None:
        """Give a command to Deck."""
        if self._commands is None:
            self.status.say("The home is still being opened; try again in a moment.")
        else:
            self._commands.submit(command)

    def open_log(self, run: FlowRun, *, subflows: bool = True) -> MergedLog | None:
        """Open the log of a run, with those of its subflow runs or without; None while the home is not open."""
        return None if self._shared_deck is None else self._shared_deck.deck.logs.merged(run, subflows=subflows)

    async def open_form(self, entry: FlowEntry) -> None:
        """Show the form that runs a flow."""
        await self._dialogs.open_form(entry)

    async def open_rerun(self, run: FlowRun) -> None:
        """Show the form that runs the flow of a run once more."""
        await self._dialogs.open_rerun(run, self.flow_of(run))

    def read(self, text: str) -> None:
        """Show a text in the user's pager; the screen stands aside until it ends."""
        self._say_problem(page(self, self._environment, text))

    def edit(self, place: Place) -> None:
        """Open a line of source in the user's editor; the screen stands aside until it ends."""
        self._say_problem(edit(self, self._environment, place))

    def _say_problem(self, problem: str | None) -> None:
        if problem is not None:
            self.status.say(inert_line(problem), tone=Tone.WARN)

    async def open_copy(self) -> None:
        """Ask what to copy of what has the focus."""
        await self.copy_menu.open()

    def flow_of(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow that made a run, if it is in the folder."""
        return self.flows_pane.rows.flow_of(run)

    def show_runs_of(self, flow_name: str) -> None:
        """Show the runs of one flow."""
        self.runs_pane.show_flow(flow_name)
        self.action_show_pane(RUNS)

    def show_log_of(self, run_id: str) -> None:
        """Show the log of a run, by its id, over the whole screen."""
        echo = actions.echo("log.full", run=short_id(run_id))
        self.submit(commands.find_run(run_id, lambda run: self._go_to_run(run, is_log_full=True), echo))

    def show_flows(self) -> None:
        """Show the flows again."""
        self.action_show_pane(FLOWS)

    # -- the screen ----------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Header, panes (none shown yet), status, footer."""
        yield self._header
        yield from self._panes.widgets
        yield self.status
        yield self.footer

    def on_mount(self) -> None:
        """Paint first, then read: the home is opened once something is on the screen."""
        self._panes.show("")
        self._show_header()
        self.footer.show_chain((Context.EVERYWHERE,))
        self.call_after_refresh(self.pump.start)

    def action_show_pane(self, number: str) -> None:
        """Show the pane of a number."""
        pane = self._panes.show(number)
        self.pump.set_shown(number)
        self.status.say("")
        if pane is not None:
            pane.refresh_rows()
            pane.focus_default()
        self._show_header()

    def _show_header(self) -> None:
        facts = HeaderFacts(
            panes=self._panes.titles,
            active=self.active_pane,
            counts=self._counts,
            broken_files=self.flows_pane.rows.broken_files,
            engine=present.engine_text(self._engine, is_starting=self._is_engine_starting),
            is_engine_well=self.has_engine,
            is_still=self.pace.is_still,
        )
        self._header.show_facts(facts)

    def on_app_blur(self, event: events.AppBlur) -> None:
        """Another window has the keyboard: say so, and draw nothing more."""
        self.app_focus = False  # Textual sets it after this, and the pace depends on it
        self.pump.set_pace(self.pace)
        if self.active_pane:
            self._show_header()
            self.call_after_refresh(self.hold)

    def on_app_focus(self, event: events.AppFocus) -> None:
        """The keyboard is back: draw what has changed meanwhile."""
        self.app_focus = True
        self.pump.set_pace(self.pace)
        self._show_header()
        self.release()

    # -- what comes in -------------------------------------------------------------------------------------------

    def on_deck_opened(self, message: DeckOpened) -> None:
        """Commands can be given now; have an engine serve the folder."""
        if not message.shared.use():  # the pump was told to stop already
            return
        self._shared_deck = message.shared
        self._commands = CommandThread(message.shared, self.post)
        self._start_engine(message.shared)

    def _start_engine(self, shared: SharedDeck) -> None:
        self._is_engine_starting = True
        self._bring_engine_up(shared.deck, self._folder, shared.used_until(self.post))
        self._show_header()

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
            about = (ENGINE, None)
            self.status.say(inert_line(message.problem), tone=Tone.BAD, echo="flowdeck server start", about=about)

    def on_read_failed(self, message: ReadFailed) -> None:
        """Say what is wrong; the pump tries again."""
        self.status.say(inert_line(message.text), tone=Tone.BAD, about=(READING, None))

    def on_delivered(self, message: Delivered) -> None:
        """Hand rows to the panes, all in one frame."""
        with self.batch_update():
            news = message.news
            if news.waits is not None:
                self._waits = news.waits
            self._panes.take(news)
            if news.counts is not None:
                self._counts = news.counts
            if news.engine is not None:
                self._engine = news.engine
            if not self.active_pane and news.page is not None:
                # A new home has no runs to look at: begin where one can be started.
                self.action_show_pane(RUNS if news.page.runs else FLOWS)
            self._show_header()
            self._drop_what_is_over(news)
        self.call_later(self.pump.drawn)

    def _drop_what_is_over(self, news: News) -> None:
        """Take a sentence back that speaks of a state which is no more."""
        if self.status.about is None:
            return
        subject, state_name = self.status.about
        if any(run.id == subject and run.is_final and run.state_name != state_name for run in news.runs):
            self.status.drop_sentence()
        elif subject == READING or (subject == ENGINE and self._engine is not None and self._engine.running):
            self.status.say("")

    def on_command_done(self, message: CommandDone) -> None:
        """Do what follows, and say how it went."""
        command = message.command
        if message.error is not None:
            text = inert_line(message.error)
            if command.otherwise is not None:
                command.otherwise(text)
            self.status.say(text, tone=Tone.BAD, echo=command.echo)
            return
        if command.then is not None:
            command.then(message.result)
        if message.lacks_engine and self._shared_deck is not None and not self._is_engine_starting:
            self._start_engine(self._shared_deck)
        if message.text or command.echo or command.then is None:
            about = (message.result.id, message.result.state_name) if command.tells_state else None
            self.status.say(message.text, echo=command.echo, about=about)

    def _go_to_run(self, run: FlowRun, *, is_log_full: bool = False) -> None:
        self.runs_pane.reveal(run, is_open=not is_log_full)
        self.action_show_pane(RUNS)
        if is_log_full:
            self.runs_pane.set_layout(LOG_ONLY)

    def on_header_pressed(self, message: Header.Pressed) -> None:
        """Go where a click on the first line leads."""
        if message.key == BROKEN:
            self.action_flows_broken()
        else:
            self.action_show_pane(message.key)

    # -- what keys and clicks have in common asks (KeyedApp) -----------------------------------------------------

    def why_not(self, action_id: str) -> str | None:
        """Say why an action cannot be done to what is under the cursor."""
        if action_id == "flows.broken" and not self.flows_pane.rows.broken_files:
            return NONE_BROKEN
        return self._panes.why_not(action_id)

    def perform_on(self, action: Action, reference: str) -> None:
        """Go to a run, then do the action there."""

        def then(run: FlowRun) -> None:
            self._go_to_run(run)
            self.call_after_refresh(self.palette.perform, action)

        self.submit(commands.find_run(reference, then))

    def _jump_to(self, target: Target) -> None:
        if target.kind == "pane":
            self.action_show_pane(target.key)
        elif target.kind == "flow":
            self.action_show_pane(FLOWS)
            self.flows_pane.reveal(target.key)
        else:
            self.submit(commands.find_run(target.key, self._go_to_run))

    # -- actions -------------------------------------------------------------------------------------------------

    async def action_jump_open(self) -> None:
        """Ask where to go."""
        rows = self.runs_pane.tree_rows
        runs = (rows.run(key) for key in itertools.islice(rows.window, MOST_RUNS))
        await self._jumper.open(self.flows_pane.rows.entries, (run for run in runs if run is not None))

    def action_flows_broken(self) -> None:
        """Show the next flow file that cannot be imported, and why."""
        if not self.flows_pane.rows.broken_files:
            self.status.say(NONE_BROKEN)
            return
        self.action_show_pane(FLOWS)
        self.flows_pane.reveal_broken()

    def action_pane_runs(self) -> None:
        """Show the runs; among them, the list beside the log."""
        if self.active_pane == RUNS:
            self.runs_pane.set_layout(SHARED)
        self.action_show_pane(RUNS)

    def action_pane_flows(self) -> None:
        """Show the flows."""
        self.action_show_pane(FLOWS)

    def action_app_leave(self) -> None:
        """Leave, and say what goes on."""
        self.runs_pane.deletions.flush()
        self.last_words = present.last_words(self._engine, self._counts)
        self.exit()

    def action_app_quit(self) -> None:
        """Leave."""
        self.action_app_leave()

    def on_unmount(self) -> None:
        """Let the threads go; the home is closed only when nobody reads it any more."""
        self.pump.stop()
        if self._commands is not None:
            self._commands.stop()
        if self._shared_deck is not None:
            self._shared_deck.let_go()
