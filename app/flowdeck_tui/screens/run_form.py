"""The run form: one text field per parameter of a flow, defaults filled in; enter runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from flowdeck.rules.terminal_text import inert_line
from flowdeck_tui.actions import Context, bindings
from flowdeck_tui.flow_list import is_broken
from flowdeck_tui.form_fields import Filled, FormField, fields_of, read
from flowdeck_tui.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.field import Field
from flowdeck_tui.widgets.footer import Footer

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry


class _RunButton(Bar, can_focus=True):
    """The row that starts the flow."""

    async def on_click(self, event: events.Click) -> None:
        """Start it with the mouse."""
        event.stop()
        await self.run_action("screen.form_submit")


class _FieldRow(Vertical):
    """Name and type of a parameter, its field, and what is wrong with it."""

    def __init__(self, field: FormField, glyphs: Glyphs) -> None:
        super().__init__(classes="form-field")
        self.parameter = field
        self.input = Field(field.initial, placeholder="required" if field.is_required else "")
        self._label = Bar(glyphs=glyphs)
        need = "  required" if field.is_required else ""
        self._label.show(((inert_line(field.name), Tone.STRONG), (f"  {field.kind}{need}", Tone.MUTED)))
        self._problem = Bar(glyphs=glyphs)
        self._problem.display = False

    def compose(self) -> ComposeResult:
        """Label, field, problem."""
        yield self._label
        yield self.input
        yield self._problem

    def tell(self, problem: str | None) -> None:
        """Show what is wrong, or that nothing is."""
        self._problem.display = problem is not None
        self._problem.show(((inert_line(problem or ""), Tone.BAD),))


class RunForm(ModalScreen[None]):
    """Asks for the parameters of a flow and hands them over when all of them are well."""

    AUTO_FOCUS: ClassVar[str | None] = ""  # on_mount does it, without scrolling a form that is not laid out yet
    BINDINGS: ClassVar = bindings(Context.FORM)
    action_context: ClassVar[Context] = Context.FORM

    def __init__(self, entry: FlowEntry, glyphs: Glyphs, on_submit: Callable[[Filled], None]) -> None:
        """Make the form.

        Args:
            entry: the flow.
            glyphs: signs that the terminal can show.
            on_submit: called with the parameters; closes the form once the run exists.
        """
        super().__init__()
        self.entry = entry
        self._glyphs = glyphs
        self._on_submit = on_submit
        self._schema = entry.parameter_schema or {}
        self._rows = [_FieldRow(field, glyphs) for field in fields_of(self._schema)]
        self._message = Bar(glyphs=glyphs, id="form-message")
        self._run = _RunButton(glyphs=glyphs, id="form-run")
        self._run.show(((" Run ", Tone.STRONG), (" enter", Tone.MUTED)))

    def compose(self) -> ComposeResult:
        """Title, fields, Run, keys."""
        name = inert_line(self.entry.name or self.entry.entrypoint)
        title = Bar(glyphs=self._glyphs, fill=self._glyphs.rule, id="form-title")
        title.show(((f" run {name} ", Tone.STRONG), (f"{inert_line(self.entry.entrypoint)} ", Tone.MUTED)))
        with Vertical(id="form"):
            yield title
            with VerticalScroll(id="form-fields", can_focus=False):
                yield from self._rows
                yield self._run
            yield self._message
            yield Footer(self._glyphs)

    def on_mount(self) -> None:
        """Start in the first field, or on Run when there is none."""
        self.query_one(Footer).show_chain((Context.FORM,))
        if is_broken(self.entry):
            text = f" {inert_line(self.entry.file)} cannot be imported as it is now; a run may fail."
            self._message.show(((text, Tone.WARN),))
        elif not self._rows:
            self._message.show(((" This flow takes no parameters.", Tone.MUTED),))
        self.set_focus(self._rows[0].input if self._rows else self._run, scroll_visible=False)

    def action_form_submit(self) -> None:
        """Check all fields; run the flow, or show what is wrong where it is."""
        typed = {row.parameter.name: row.input.value for row in self._rows}
        filled = read(self._schema, [row.parameter for row in self._rows], typed)
        for row in self._rows:
            row.tell(filled.problems.get(row.parameter.name))
        if not filled.problems:
            self._message.show(((" Starting.", Tone.MUTED),))
            self._on_submit(filled)
            return
        first = next((row for row in self._rows if row.parameter.name in filled.problems), None)
        if first is None:
            self.tell(" ".join(filled.problems.values()))
        else:
            self.tell("Not started: a value does not fit.")
            self.set_focus(first.input)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the whole row of a field: name, text, problem."""
        row = event.widget.parent
        if isinstance(row, _FieldRow) and row.region.height:  # none yet: the form has just opened, at its top
            self.call_after_refresh(row.scroll_visible, animate=False)

    def tell(self, problem: str) -> None:
        """Show why the flow was not started."""
        self._message.show(((f" {inert_line(problem)}", Tone.BAD),))

    def action_form_next(self) -> None:
        """To the next field."""
        self.focus_next()

    def action_form_previous(self) -> None:
        """To the field before."""
        self.focus_previous()

    def action_form_leave(self) -> None:
        """Close the form."""
        self.dismiss(None)
