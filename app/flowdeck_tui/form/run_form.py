"""The run form: a field for each parameter of a flow; enter runs it with what stands there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.form.form_controls import ChoiceField, LinesField
from flowdeck_tui.form.form_fields import Entry, Filled, FormField, Path, fields_of, read, schema_of_values, strangers
from flowdeck_tui.text.present import Glyphs, Tone, is_broken
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.dialog import Dialog
from flowdeck_tui.widgets.field import Field
from flowdeck_tui.widgets.footer import Footer
from flowdeck_tui.widgets.note import Note

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun

DESCRIPTION_LINES: Final = 3
LOW_LINES: Final = 20
"""Below this height no line is spent on the space between fields."""
_HOW: Final = {Entry.ITEMS: ", one item a line or JSON", Entry.JSON: ", as JSON"}


def _optional(name: str, kind: str, initial: str, note: str) -> FormField:
    """Make a field of the run itself, which is no parameter of its flow."""
    return FormField((name,), kind, initial, False, Entry.LINE, {"type": "string"}, note=note)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form starts with.

    Attributes:
        verb: what submitting does: `run`, `rerun`.
        name: of the flow, or of the run that is run once more.
        place: where the flow is defined.
        schema: of the parameters.
        given: parameters of an earlier run; None for the flow's defaults.
        tags: of the earlier run.
        warning: what is to be known before; empty for nothing.
    """

    verb: str
    name: str
    place: str
    schema: Mapping[str, Any]
    given: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    warning: str = ""


def draft_of_flow(entry: FlowEntry) -> Draft:
    """Start with the defaults of a flow."""
    warning = f"{entry.file} cannot be imported as it is now; a run may fail." if is_broken(entry) else ""
    name = entry.name or entry.entrypoint
    return Draft("run", name, entry.entrypoint, entry.parameter_schema or {}, warning=warning)


def draft_of_run(run: FlowRun, entry: FlowEntry | None) -> Draft:
    """Start with the parameters of a run; without its flow in the catalogue, any value is taken for them."""
    known = entry is not None and entry.parameter_schema is not None
    schema = entry.parameter_schema or {} if entry is not None and known else schema_of_values(run.parameters)
    gone = strangers(schema, run.parameters)
    warning = f"The flow takes no {', '.join(gone)} any more; left out." if gone else ""
    if entry is not None and is_broken(entry):
        warning = f"{entry.file} cannot be imported as it is now; a run may fail."
    elif not known and run.parameters:
        warning = "The flow is not in this folder: parameters as the run had them."
    return Draft("rerun", run.name, run.entrypoint or run.flow_name, schema, run.parameters, run.tags, warning)


class _RunButton(Bar, can_focus=True):
    """The row that starts the flow."""

    async def on_click(self, event: events.Click) -> None:
        """Start it with the mouse."""
        event.stop()
        await self.run_action("screen.form_submit")


class _FieldRow(Vertical):
    """Name, type and description of a parameter, its field, and what is wrong with it."""

    def __init__(self, field: FormField, glyphs: Glyphs) -> None:
        super().__init__(classes="form-field")
        self.parameter = field
        self.input = _widget_of(field, glyphs)
        self.styles.padding = (0, 0, 0, 2 * (len(field.path) - 1))
        self._label = Bar(glyphs=glyphs)
        need = "  required" if field.is_required and field.entry is not Entry.HEADING else ""
        about = f"  {field.kind}{_HOW.get(field.entry, '')}{need}"
        self._label.show(((inert_line(field.name), Tone.STRONG), (about, Tone.MUTED)))
        self._description = Note(DESCRIPTION_LINES, glyphs=glyphs)
        self._problem = Note(DESCRIPTION_LINES, glyphs=glyphs)

    def compose(self) -> ComposeResult:
        """Label, description, field, problem."""
        yield self._label
        if self.parameter.description:
            yield self._description
        if self.input is not None:
            yield self.input
        yield self._problem

    def on_mount(self) -> None:
        """Show the description."""
        if self.parameter.description:
            self._description.show(self.parameter.description, Tone.MUTED)

    @property
    def text(self) -> str:
        """What stands in the field."""
        if isinstance(self.input, LinesField):
            return self.input.text
        return self.input.value if self.input is not None else ""

    def tell(self, problem: str | None) -> None:
        """Show what is wrong, or that nothing is."""
        self._problem.show(inert_line(problem or ""), Tone.BAD)


def _widget_of(field: FormField, glyphs: Glyphs) -> Field | LinesField | ChoiceField | None:
    if field.entry is Entry.HEADING:
        return None
    if field.entry is Entry.CHOICE:
        texts = [text for text, _ in field.choices]
        return ChoiceField(texts, field.initial, note=field.note or "space chooses", glyphs=glyphs)
    if field.entry in (Entry.LINE, Entry.SECRET):
        is_secret = field.entry is Entry.SECRET
        return Field(field.initial, placeholder=field.note, replaces=True, is_secret=is_secret)
    return LinesField(field.initial, placeholder=field.note)


class RunForm(Dialog[None]):
    """Asks for the parameters of a flow and hands them over when all of them are well."""

    AUTO_FOCUS: ClassVar[str | None] = ""  # on_mount does it, without scrolling a form that is not laid out yet
    BINDINGS: ClassVar = bindings(Context.FORM)
    action_context: ClassVar[Context] = Context.FORM

    def __init__(self, draft: Draft, glyphs: Glyphs, on_submit: Callable[[Filled], None]) -> None:
        """Make the form.

        Args:
            draft: what it starts with.
            glyphs: signs that the terminal can show.
            on_submit: called with the parameters; closes the form once the run exists.
        """
        super().__init__()
        self._draft = draft
        self._glyphs = glyphs
        self._on_submit = on_submit
        self._rows = [_FieldRow(field, glyphs) for field in fields_of(draft.schema, draft.given)]
        name = _optional("run name", "optional", "", "two random words")
        tags = _optional("run tags", "optional, with commas between them", ", ".join(draft.tags), "none")
        self._about = [_FieldRow(name, glyphs), _FieldRow(tags, glyphs)]
        self._message = Note(2, glyphs=glyphs, id="form-message")
        self._footer = Footer(glyphs)
        self._run = _RunButton(glyphs=glyphs, id="form-run")
        self._run.show(((" Run ", Tone.STRONG), (" enter", Tone.MUTED)))
        self._has_submitted = False

    def compose(self) -> ComposeResult:
        """Title, fields, Run, keys."""
        draft = self._draft
        title = Bar(glyphs=self._glyphs, fill=self._glyphs.rule, id="form-title")
        name, place = inert_line(draft.name), inert_line(draft.place)
        title.show(((f" {draft.verb} {name} ", Tone.STRONG), (f"{place} ", Tone.MUTED)))
        with Vertical(id="form"):
            yield title
            with VerticalScroll(id="form-fields", can_focus=False):
                yield from self._rows
                yield self._run
                yield from self._about
            yield self._message
            yield self._footer

    def on_mount(self) -> None:
        """Start in the first field of one line, so that enter runs the flow; on Run when there is none."""
        self._footer.show_chain((Context.FORM,))
        if self._draft.warning:
            self._message.show(inert_line(self._draft.warning), Tone.WARN)
        elif not self._rows:
            self._message.show("This flow takes no parameters.", Tone.MUTED)
        first = next((row.input for row in self._rows if row.input is not None), None)
        can_begin = first is not None and not isinstance(first, LinesField)
        self.set_focus(first if can_begin else self._run, scroll_visible=False)

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen fields stand close."""
        self.set_class(event.size.height < LOW_LINES, "-low")

    # -- what stands there ---------------------------------------------------------------------------------------

    def _read(self) -> Filled:
        fields = [row.parameter for row in self._rows]
        typed: dict[Path, str] = {row.parameter.path: row.text for row in self._rows if row.input is not None}
        return read(self._draft.schema, fields, typed)

    def action_form_submit(self) -> None:
        """Check all fields; run the flow, or show what is wrong where it is."""
        filled = self._read()
        self._has_submitted = True
        for row in self._rows:
            row.tell(filled.problems.get(row.parameter.path))
        if not filled.problems:
            self._message.show("Starting.", Tone.MUTED)
            name, tags = (row.text for row in self._about)
            words = tuple(word.strip() for word in tags.split(",") if word.strip())
            self._on_submit(Filled(filled.values, filled.texts, {}, name.strip() or None, words))
            return
        shown = [row for row in self._rows if row.parameter.path in filled.problems]
        if not shown:
            self.tell(" ".join(filled.problems.values()))
            return
        what = "a value does not fit" if len(shown) == 1 else f"{len(shown)} values do not fit"
        self.tell(f"Not started: {what}.")
        self._go_to(shown[0])

    def _go_to(self, row: _FieldRow) -> None:
        """Put the keyboard into a row's field, or into the first one below a heading."""
        at = self._rows.index(row)
        target = next((one.input for one in self._rows[at:] if one.input is not None), self._run)
        self.set_focus(target)

    def tell(self, problem: str) -> None:
        """Show why the flow was not started."""
        self._message.show(inert_line(problem), Tone.BAD)

    # -- moving --------------------------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the whole row of a field, and the keys that act in it."""
        is_choice = isinstance(event.widget, ChoiceField)
        self._footer.show_chain((Context.CHOICE, Context.FORM) if is_choice else (Context.FORM,))
        row = event.widget.parent
        if isinstance(row, _FieldRow) and row.region.height:  # none yet: the form has just opened, at its top
            self.call_after_refresh(row.scroll_visible, animate=False)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Say what is wrong with a field that is left, if somebody changed it."""
        row = _row_of(event.widget)
        if row is not None and row in self._rows and row.text != row.parameter.initial:
            row.tell(self._read().problems.get(row.parameter.path))

    def on_input_changed(self) -> None:
        """What was wrong may be well now."""
        self._look_again()

    def on_text_area_changed(self) -> None:
        """What was wrong may be well now."""
        self._look_again()

    def on_choice_field_changed(self) -> None:
        """What was wrong may be well now."""
        self._look_again()

    def _look_again(self) -> None:
        """Once a form was refused, follow each change; before, nobody is told off while typing."""
        if self._has_submitted and self.focused is not None and (row := _row_of(self.focused)) in self._rows:
            row.tell(self._read().problems.get(row.parameter.path))

    def action_form_next(self) -> None:
        """To the next field."""
        self.focus_next()

    def action_form_previous(self) -> None:
        """To the field before."""
        self.focus_previous()

    def action_form_leave(self) -> None:
        """Close the form."""
        self.dismiss(None)


def _row_of(widget: Widget) -> _FieldRow | None:
    return widget.parent if isinstance(widget.parent, _FieldRow) else None
