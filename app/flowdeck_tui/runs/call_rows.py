"""The calls of a run as rows of a table, of which only a stretch is in memory; and its parameters as rows. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.runs.run_tree import CALL, RUN, call_row, run_row
from flowdeck_tui.text.present import Tone
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.text.row_source import Cell, Row, RowKey
from flowdeck_tui.widgets.columns import Column

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun
    from flowdeck_tui.live.detail_reading import Detail

CALL_COLUMNS: Final = (
    Column("name", "TASK", 36, minimum=30, grows=3, cut="middle"),
    Column("flow", "KIND", 10, drop_order=4),
    Column("start", "START", 8, drop_order=3),
    Column("duration", "TIME", 6, align="right"),
    Column("tasks", "TASKS", 9, drop_order=2, align="right"),
    Column("message", "MESSAGE", 24, minimum=16, drop_order=5, grows=6),
)
PARAMETER_COLUMNS: Final = (
    Column("name", "PARAMETER", 20, minimum=12, grows=1),
    Column("kind", "KIND", 14, drop_order=2),
    Column("value", "VALUE", 30, minimum=16, grows=6),
)

PLACE: Final = "place"
"""Kind of the key of a row that is not in memory: its number is its position."""
PARAMETER: Final = "parameter"
STRETCH: Final = 400
"""Lines that are in memory at once."""


class CallRows:
    """The lines of calls of one run, then the runs that it started. `want` is called when a row is missing."""

    def __init__(self, context: RenderContext, want: Callable[[int], None]) -> None:
        """Start with no rows.

        Args:
            context: clock, time zone and signs with which rows are written.
            want: asked for the stretch around a position that is looked at and not in memory.
        """
        self._context = context
        self._want = want
        self._total = 0
        self._first = 0
        self._lines: tuple[CallLine, ...] = ()
        self._places: Mapping[int, int] = {}
        self._runs: tuple[FlowRun, ...] = ()

    def take(self, detail: Detail) -> None:
        """Show what was read."""
        page = detail.calls
        if page is None:
            return
        self._total, self._first, self._lines = page.total, page.query.offset, page.lines
        self._places = {line.first_id: self._first + number for number, line in enumerate(page.lines)}
        self._runs = tuple(detail.subflows)

    def clear(self) -> None:
        """Forget all rows."""
        self._total, self._first, self._lines, self._places, self._runs = 0, 0, (), {}, ()

    def __len__(self) -> int:
        return self._total + len(self._runs)

    def key(self, index: int) -> RowKey:
        """Return the key of a row: of a call, of a run, or of a place whose row is not in memory."""
        if index >= self._total:
            return RUN, self._runs[index - self._total].key
        line = self._line(index)
        return (PLACE, index) if line is None else (CALL, line.first_id)

    def index(self, key: RowKey) -> int | None:
        """Return where a row stands, as far as it is in memory."""
        kind, number = key
        if kind == RUN:
            return next((self._total + at for at, run in enumerate(self._runs) if run.key == number), None)
        if kind == PLACE:
            return int(number) if int(number) < self._total else None
        return self._places.get(int(number))

    def line(self, key: RowKey | None) -> CallLine | None:
        """Return the line of calls of a row; None for any other."""
        place = self._places.get(int(key[1])) if key is not None and key[0] == CALL else None
        return None if place is None else self._line(place)

    def run(self, key: RowKey | None) -> FlowRun | None:
        """Return the run of a row; None for any other."""
        return next((run for run in self._runs if key == (RUN, run.key)), None)

    def row(self, index: int) -> Row:
        """Return a row; one that is not in memory is asked for, and says so meanwhile."""
        if index >= self._total:
            return run_row(self._runs[index - self._total], self._context)
        line = self._line(index)
        if line is None:
            self._want(index)
            return Row((PLACE, index), {"name": Cell(self._context.glyphs.ellipsis, Tone.MUTED)})
        return call_row(line, self._context, "")

    def is_any_running(self, first: int, stop: int) -> bool:
        """Tell whether a row in [first, stop) shows a time that still grows."""
        shown = [self._line(index) for index in range(first, min(stop, self._total))]
        running = [line for line in shown if line is not None and line.started_at is not None and line.ended_at is None]
        return bool(running) or (stop > self._total and any(not run.is_final for run in self._runs))

    def _line(self, index: int) -> CallLine | None:
        at = index - self._first
        return self._lines[at] if 0 <= at < len(self._lines) else None


class ParameterRows:
    """A run's parameters, each on one line."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def replace(self, values: Mapping[str, Any]) -> None:
        """Show these."""
        self._values = dict(values)
        self._texts = {}

    def value(self, name: str) -> Any:
        """Return the value of a parameter; None when there is none."""
        return self._values.get(name)

    def __len__(self) -> int:
        return len(self._values)

    def key(self, index: int) -> RowKey:
        """Return the key of a row."""
        return PARAMETER, list(self._values)[index]

    def index(self, key: RowKey) -> int | None:
        """Return where a parameter stands."""
        names = list(self._values)
        return names.index(str(key[1])) if key[1] in self._values else None

    def row(self, index: int) -> Row:
        """Return a row."""
        name = list(self._values)[index]
        if name not in self._texts:
            self._texts[name] = preview(self._values[name])
        kind = Cell(_json_kind(self._values[name]), Tone.MUTED)
        return Row((PARAMETER, name), {"name": Cell(inert_line(name)), "kind": kind, "value": Cell(self._texts[name])})


_PREVIEW_CHARACTERS: Final = 500
_KINDS: Final = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    list: "list",
    dict: "table",
    type(None): "null",
}


def preview(value: Any) -> str:
    """Write a value in one line, harmless for a terminal, without walking more of it than a line shows."""
    if isinstance(value, str):
        return inert_line(value[:_PREVIEW_CHARACTERS])
    pieces: list[str] = []
    length = 0
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        pieces.append(piece[:_PREVIEW_CHARACTERS])
        length += len(piece)
        if length > _PREVIEW_CHARACTERS:
            break
    return inert_line("".join(pieces))


def _json_kind(value: Any) -> str:
    kind = _KINDS.get(type(value), "")
    return f"{kind} of {len(value):,}" if isinstance(value, list | dict) else kind
