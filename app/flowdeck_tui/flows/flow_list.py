"""The rows of the Flows pane and what is said of one flow below them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

from flowdeck.rules.states import StateType
from flowdeck.rules.text.terminal_text import inert, inert_line
from flowdeck_tui.form.form_fields import fields_of
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs, Tone, is_broken
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.text.row_source import Cell, Row, RowKey

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry, FlowRun

FLOW: Final = "flow"

Line = tuple[str, Tone]


@dataclass(frozen=True, slots=True)
class Heading:
    """A row that is no flow: it says what stands, or will stand, where it is."""

    key: RowKey
    title: str
    about: str


NONE_HERE: Final = Heading(("heading", "here"), "(no flow here)", "Save a flow in this folder and it shows up here.")
"""Holds the place of the flows of one's own folder while there are none: the cursor waits there, not on another's."""
OTHER_FOLDERS: Final = Heading(("heading", "others"), "Other folders", "Flows of other watched folders stand below.")


def key_of(entry: FlowEntry) -> RowKey:
    """Return the identity of a flow, or of a broken file: folder, file, function."""
    return (FLOW, "\0".join((entry.folder, entry.file, entry.function or "")))


class FlowList:
    """Flow entries by name, those of one's own folder first, the others below a heading; with a text filter.

    A filtered list has no headings: what matches stands there alone.
    """

    def __init__(self, context: RenderContext, folder: str = "") -> None:
        """Start with none.

        Args:
            context: clock, time zone and signs with which rows are written.
            folder: real path of one's own folder; empty for none, and then no headings.
        """
        self._context = context
        self._folder = folder
        self._entries: tuple[FlowEntry, ...] = ()
        self._shown: list[FlowEntry | Heading] = []
        self._positions: dict[RowKey, int] = {}
        self._text = ""

    def replace(self, entries: Iterable[FlowEntry]) -> None:
        """Take these entries instead of those before; a flow of two watched folders, one inside the other, is one."""
        found: dict[tuple[str, str | None], FlowEntry] = {}
        for entry in entries:
            place = (f"{entry.folder}/{entry.file}", entry.function)
            if place not in found or entry.folder == self._folder:
                found[place] = entry
        self._entries = tuple(found.values())
        self._choose()

    def set_filter(self, text: str) -> None:
        """Keep only rows whose name or file holds the text."""
        self._text = text.lower()
        self._choose()

    @property
    def entries(self) -> Sequence[FlowEntry]:
        """All entries, filtered or not."""
        return self._entries

    @property
    def filter(self) -> str:
        """The text that rows must hold; empty for all."""
        return self._text

    @property
    def has_folders(self) -> bool:
        """Whether the entries are of more than one's own folder."""
        return any(entry.folder != self._folder for entry in self._entries)

    @property
    def broken_files(self) -> int:
        """How many files cannot be imported."""
        return len({(entry.folder, entry.file) for entry in self._entries if is_broken(entry)})

    def entry(self, key: RowKey | None) -> FlowEntry | None:
        """Return the entry of a row; None for a heading and for a row that is not there."""
        index = None if key is None else self._positions.get(key)
        shown = None if index is None else self._shown[index]
        return None if isinstance(shown, Heading) else shown

    def heading(self, key: RowKey | None) -> Heading | None:
        """Return the heading of a row; None when the row is none."""
        return next((heading for heading in (NONE_HERE, OTHER_FOLDERS) if heading.key == key), None)

    def flow_of(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow that made a run; None when it is in no watched folder."""
        for entry in self._entries:
            if f"{entry.folder}/{entry.file}" == run.source_file and entry.function == run.function:
                return entry
        return None

    def __len__(self) -> int:
        return len(self._shown)

    def key(self, index: int) -> RowKey:
        """Return the key of the row at a position."""
        return _key_of(self._shown[index])

    def index(self, key: RowKey) -> int | None:
        """Return where a row stands."""
        return self._positions.get(key)

    def row(self, index: int) -> Row:
        """Return the row at a position."""
        shown = self._shown[index]
        if isinstance(shown, Heading):
            return Row(shown.key, {"name": Cell(shown.title, Tone.MUTED), "about": Cell(shown.about, Tone.MUTED)})
        return flow_row(shown, self._context.glyphs, self._context.now(), self._context.zone)

    def _choose(self) -> None:
        found = sorted(
            (entry for entry in self._entries if self._text in f"{entry.name or ''} {entry.entrypoint}".lower()),
            key=lambda entry: (
                entry.folder != self._folder,
                entry.name or entry.file,
                entry.folder,
                entry.file,
                entry.function or "",
            ),
        )
        own = [entry for entry in found if entry.folder == self._folder]
        others = found[len(own) :]
        if others and not self._text and self._folder:
            self._shown = [*(own or [NONE_HERE]), OTHER_FOLDERS, *others]
        else:
            self._shown = [*found]
        self._positions = {_key_of(shown): index for index, shown in enumerate(self._shown)}


def _key_of(shown: FlowEntry | Heading) -> RowKey:
    return shown.key if isinstance(shown, Heading) else key_of(shown)


def flow_row(entry: FlowEntry, glyphs: Glyphs, now: datetime, zone: tzinfo | None) -> Row:
    """Write a flow, or a broken file, as a row."""
    name = inert_line(entry.name) if entry.name else "(no flow known)"
    place = inert_line(entry.file) + (f":{entry.line}" if entry.line else "")
    cells = {
        "name": Cell(name, Tone.BAD if is_broken(entry) else Tone.PLAIN),
        "file": Cell(place, Tone.MUTED),
        "folder": Cell(inert_line(entry.folder), Tone.MUTED),
        "last": _last_run(entry, glyphs),
        "ended": Cell(present.clock_text(entry.last_run_ended_at, now, zone), Tone.MUTED),
        "about": _about(entry),
    }
    return Row(key_of(entry), cells)


def _last_run(entry: FlowEntry, glyphs: Glyphs) -> Cell:
    if is_broken(entry):
        return Cell(f"{glyphs.states[StateType.FAILED]} import error", Tone.BAD)
    if entry.last_run_state is None:
        return Cell("not run yet", Tone.MUTED)
    name = entry.last_run_state.value.capitalize()
    tone = present.state_tone(entry.last_run_state, name)
    return Cell(present.state_text(entry.last_run_state, name, glyphs), tone)


def _about(entry: FlowEntry) -> Cell:
    if is_broken(entry):
        return Cell(present.error_text(entry.error) if entry.error else "", Tone.BAD)
    first_line = (entry.description or "").strip().split("\n", 1)[0]
    return Cell(inert_line(first_line), Tone.MUTED)


def flow_detail(entry: FlowEntry) -> list[Line]:
    """Write what is known of one flow, line by line."""
    lines: list[Line] = []
    if is_broken(entry):
        lines.extend(_broken_lines(entry))
    if entry.name is None:
        return lines
    if entry.description:
        lines.extend((line.rstrip(), Tone.PLAIN) for line in inert(entry.description).strip().splitlines())
        lines.append(("", Tone.PLAIN))
    lines.append((f"{inert_line(entry.entrypoint)}  line {entry.line}", Tone.MUTED))
    lines.append((inert_line(entry.folder), Tone.MUTED))
    lines.append(("", Tone.PLAIN))
    lines.extend(_parameter_lines(entry))
    return lines


def _broken_lines(entry: FlowEntry) -> list[Line]:
    error = entry.error
    if error is None:
        return [("The file cannot be imported.", Tone.BAD), ("", Tone.PLAIN)]
    lines = [(present.error_text(error), Tone.BAD)]
    if entry.name is not None:
        lines.append(("The file cannot be imported as it is now; what is known of the flow is older.", Tone.WARN))
    lines.append(("", Tone.PLAIN))
    lines.extend((line.rstrip(), Tone.PLAIN) for line in inert(error.traceback).strip().splitlines())
    lines.append(("", Tone.PLAIN))
    return lines


def _parameter_lines(entry: FlowEntry) -> list[Line]:
    fields = fields_of(entry.parameter_schema or {})
    if not fields:
        return [("No parameters.", Tone.MUTED)]
    lines: list[Line] = [("Parameters", Tone.MUTED)]
    for field in fields:
        default = "required" if field.is_required else f"= {inert_line(field.initial)}" if field.initial else ""
        indent = "  " * len(field.path)
        lines.append((f"{indent}{inert_line(field.name)}  {field.kind}  {default}".rstrip(), Tone.PLAIN))
        if field.description:
            lines.append((f"{indent}  {field.description}", Tone.MUTED))
    return lines
