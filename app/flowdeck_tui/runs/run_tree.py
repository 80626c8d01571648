"""The rows of the Runs pane: flow runs in their order, below an open one its task calls and subflow runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.states import NOT_READY, TERMINAL, StateType
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.runs.run_window import RunWindow
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Tone
from flowdeck_tui.text.render_context import RenderContext
from flowdeck_tui.text.row_source import Cell, Row, RowKey

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun

    Child = CallLine | FlowRun

RUN: Final = "run"
CALL: Final = "call"
FOLD: Final = "fold"
CALLS_SHOWN: Final = 8
"""Calls that are over and of which there is nothing to tell; what a run has more of stands in one line."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The earlier calls of a run, as one line that can be opened."""

    flow_run_key: int
    count: int
    started_at: None = None
    ended_at: None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One row below a root run, with the lines of the tree that lead to it."""

    key: RowKey
    record: Child | Fold
    guides: str


def as_run(child: Child | Fold | None) -> FlowRun | None:
    """Return a flow run as such, None for anything else."""
    # Told by what it has: the classes themselves lie behind an import that the first paint must not wait for.
    return cast("FlowRun", child) if hasattr(child, "flow_name") else None


def as_call(child: Child | Fold | None) -> CallLine | None:
    """Return a line of calls as such, None for anything else."""
    return cast("CallLine", child) if hasattr(child, "first_id") else None


def merge(calls: Sequence[CallLine], subflows: Sequence[FlowRun]) -> tuple[Child, ...]:
    """Put calls and subflow runs of one run in the order in which they began; both keep their own order."""
    merged: list[Child] = []
    waiting = list(subflows)
    for call in calls:
        while waiting and call.started_at is not None and waiting[0].created_at < call.started_at:
            merged.append(waiting.pop(0))
        merged.append(call)
    return (*merged, *waiting)


def fold(children: Sequence[Child], held: int | None = None) -> tuple[int, list[Child]]:
    """Leave out all but the last calls that are over; what runs, waits or has failed stays, and so do subflow runs.

    Args:
        children: what lies below a run, in order.
        held: id of a call that stays whatever it is: the one under the cursor.

    Returns:
        How many are left out, and the others.
    """
    quiet = [index for index, child in enumerate(children) if _is_quiet(child)]
    earlier = {index for index in quiet[:-CALLS_SHOWN] if getattr(children[index], "first_id", None) != held}
    if len(earlier) < 2:  # one line in place of one line says less
        return 0, list(children)
    return len(earlier), [child for index, child in enumerate(children) if index not in earlier]


def _is_quiet(child: Child) -> bool:
    if (call := as_call(child)) is None:
        return False
    is_over = call.state_type in TERMINAL or call.state_name == NOT_READY
    return is_over and call.state_type not in (StateType.FAILED, StateType.CRASHED)


class RunTree:
    """Flow runs and their open branches as a sequence of rows.

    The runs of the list itself, called roots here, are those of a `RunWindow`. A position is found by bisection and a
    walk over the open roots only: many rows cost no more than ten.
    """

    def __init__(self, context: RenderContext) -> None:
        self._context = context
        self.window = RunWindow()
        """Which runs of the list are here."""
        self.marks: frozenset[int] = frozenset()
        """Keys of the runs that are marked."""
        self.reason_of: Callable[[FlowRun], str | None] = lambda _: None
        """Says why a run does not move; None when it does."""
        self.hidden: frozenset[int] = frozenset()
        """Keys of runs that are kept out of the list."""
        self._runs: dict[int, FlowRun] = {}
        self._children: dict[int, tuple[Child, ...]] = {}
        self._open: set[int] = set()
        self._unfolded: set[int] = set()
        self._held: int | None = None
        self._branches: list[tuple[int, list[_Line]]] | None = None
        """Open roots by place on the screen: (position among the roots, lines below it). None: to be made again."""

    # -- what there is -------------------------------------------------------------------------------------------

    def extend(self, runs: Iterable[FlowRun]) -> None:
        """Take runs that were read next to the roots that are here."""
        shown = [run for run in runs if run.key not in self.hidden]
        self.window.extend(shown)
        self._runs.update((run.key, run) for run in shown)
        self._branches = None

    def put(self, run: FlowRun) -> None:
        """Take a run of the list in, or bring it up to date and to its place, if that is here."""
        if run.key not in self.hidden and self.window.put(run):
            self._runs[run.key] = run
        self._branches = None

    def drop(self, keys: Iterable[int]) -> None:
        """Take roots out that no longer belong to the list; below their parents they stay."""
        for key in keys:
            self.window.discard(key)
        self._branches = None

    def trim(self, *, keep_start: bool) -> None:
        """Let roots go that are too many, at the end or at the start, and what nobody shows any more."""
        if self.window.trim(keep_start=keep_start):
            self.forget()

    def forget(self) -> None:
        """Let the records of runs go that stand neither in the list nor below one that does."""
        below: set[int] = set()
        wanted = [*self.window, *self._open]
        while wanted:
            below.update(wanted)
            children = [child for key in wanted for child in self._children.get(key, ())]
            wanted = [run.key for run in map(as_run, children) if run is not None and run.key not in below]
        self._runs = {key: run for key, run in self._runs.items() if key in below}
        self._children = {key: children for key, children in self._children.items() if key in below}
        self._branches = None

    def hide(self, keys: frozenset[int]) -> None:
        """From now on show none of these runs in the list; others that were hidden may come again."""
        self.hidden = keys
        self.drop(keys)

    def update(self, runs: Iterable[FlowRun]) -> None:
        """Bring runs that are shown somewhere up to date; others are left out."""
        for run in runs:
            if run.key in self._runs:
                self._runs[run.key] = run
        self._branches = None

    def remove(self, keys: Iterable[int]) -> None:
        """Take deleted runs away."""
        gone = set(keys)
        for key in gone:
            self.window.discard(key)
            self._runs.pop(key, None)
            self._children.pop(key, None)
            self._open.discard(key)
            self._unfolded.discard(key)
        self._branches = None

    def set_children(self, key: int, children: Sequence[Child]) -> None:
        """Note what lies below a run."""
        self._children[key] = tuple(children)
        for run in filter(None, map(as_run, children)):
            self._runs[run.key] = run
        self._branches = None

    def run(self, key: int) -> FlowRun | None:
        """Return a run by key, if it is known here."""
        return self._runs.get(key)

    # -- open and closed -----------------------------------------------------------------------------------------

    @property
    def open_keys(self) -> frozenset[int]:
        """Runs whose branches are open."""
        return frozenset(self._open)

    def is_open(self, key: int) -> bool:
        """Tell whether the branch of a run is open."""
        return key in self._open

    def set_open(self, key: int, is_open: bool) -> None:
        """Open or close the branch of a run; opened again, its earlier calls stand in one line again."""
        if is_open:
            self._open.add(key)
        else:
            self._open.discard(key)
            self._unfolded.discard(key)
        self._branches = None

    def unfold(self, key: int) -> None:
        """Show all calls of a run for as long as it is open."""
        self._unfolded.add(key)
        self._branches = None

    def hold(self, key: RowKey | None) -> None:
        """From the next change on, keep the row under the cursor among those that are shown."""
        self._held = int(key[1]) if key is not None and key[0] == CALL else None

    def record(self, key: RowKey) -> Child | Fold | None:
        """Return what a row shows."""
        if key[0] == RUN:
            return self._runs.get(int(key[1]))
        index = self.index(key)
        return None if index is None else self._locate(index)[1]

    def run_of(self, key: RowKey) -> FlowRun | None:
        """Return the flow run of a row: itself, or the run that made the call."""
        record = self.record(key)
        owner = getattr(record, "flow_run_key", None)
        return as_run(record) if owner is None else self._runs.get(owner)

    def parent_of(self, key: RowKey) -> RowKey | None:
        """Return the row above in the tree; None at the top level."""
        if key[0] == RUN and int(key[1]) in self.window:
            return None
        record = self.record(key)
        run = as_run(record)
        parent = getattr(record, "flow_run_key", None) if run is None else run.parent_key
        return None if parent is None else (RUN, parent)

    # -- rows by position ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.window) + sum(len(lines) for _, lines in self._open_branches())

    def key(self, index: int) -> RowKey:
        """Return the key of the row at a position."""
        return self._locate(index)[0]

    def index(self, key: RowKey) -> int | None:
        """Return where a row stands; None when it is not shown."""
        shift = 0
        root = int(key[1]) if key[0] == RUN else -1
        position = self.window.position(root)
        for branch_position, lines in self._open_branches():
            if position is not None and position <= branch_position:
                break
            if position is None:
                for offset, line in enumerate(lines):
                    if line.key == key:
                        return branch_position + shift + 1 + offset
            shift += len(lines)
        return None if position is None else position + shift

    def row(self, index: int) -> Row:
        """Return the row at a position, ready to be drawn."""
        _, record, guides = self._locate(index)
        if (run := as_run(record)) is not None:
            is_open = run.key in self._open
            row = run_row(run, self._context, guides=guides, is_open=is_open, reason=self.reason_of(run))
            return replace(row, is_marked=True) if run.key in self.marks else row
        if isinstance(record, Fold):
            return fold_row(record, self._context, guides)
        return call_row(cast("CallLine", record), self._context, guides)

    def is_any_running(self, first: int, stop: int) -> bool:
        """Tell whether a row in [first, stop) shows a time that still grows."""
        for index in range(max(0, first), min(stop, len(self))):
            record = self._locate(index)[1]
            if record.started_at is not None and record.ended_at is None:
                return True
        return False

    def _locate(self, index: int) -> tuple[RowKey, Child | Fold, str]:
        shift = 0
        for position, lines in self._open_branches():
            if index <= position + shift:
                break
            if index <= position + shift + len(lines):
                line = lines[index - position - shift - 1]
                return line.key, line.record, line.guides
            shift += len(lines)
        key = self.window.key(index - shift)
        return (RUN, key), self._runs[key], ""

    def _open_branches(self) -> list[tuple[int, list[_Line]]]:
        if self._branches is None:
            places = sorted(
                (position, key) for key in self._open if (position := self.window.position(key)) is not None
            )
            self._branches = [(position, self._lines_below(key, "")) for position, key in places]
        return self._branches

    def _lines_below(self, key: int, guides: str) -> list[_Line]:
        glyphs = self._context.glyphs
        lines: list[_Line] = []
        children: Sequence[Child] = self._children.get(key, ())
        earlier = 0
        if key not in self._unfolded:
            earlier, children = fold(children, self._held)
        if earlier:
            lines.append(_Line((FOLD, key), Fold(key, earlier), guides + glyphs.branch))
        for number, child in enumerate(children, 1):
            is_last = number == len(children)
            lead = guides + (glyphs.last_branch if is_last else glyphs.branch)
            if (call := as_call(child)) is not None:
                lines.append(_Line((CALL, call.first_id), call, lead))
            elif (run := as_run(child)) is not None:
                lines.append(_Line((RUN, run.key), self._runs.get(run.key, run), lead))
                if run.key in self._open:
                    lines.extend(self._lines_below(run.key, guides + ("  " if is_last else glyphs.trunk)))
        return lines


# -- records as rows ---------------------------------------------------------------------------------------------------


def run_row(
    run: FlowRun, context: RenderContext, *, guides: str = "", is_open: bool = False, reason: str | None = None
) -> Row:
    """Write a flow run as a row; `reason` is why it does not move, None when it does."""
    now = context.now()
    tone = present.state_tone(run.state_type, run.state_name)
    message = inert_line(reason) if reason else present.run_message(run)
    cells = {
        "name": Cell(inert_line(run.name)),
        "flow": Cell(inert_line(run.flow_name)),
        "start": Cell(present.clock_text(run.started_at or run.scheduled_at, now, context.zone), Tone.MUTED),
        "duration": Cell(present.duration_text(run.duration_seconds(now), is_over=run.is_final)),
        "tasks": Cell(present.counts_text(run.task_counts)),
        "trouble": _trouble(run),
        "id": Cell(short_id(run.id), Tone.MUTED),
        "attempt": Cell(str(run.attempt) if run.attempt > 1 else "", Tone.MUTED),
        "message": Cell(message, tone if tone is Tone.BAD else Tone.MUTED),
    }
    lead = Cell(present.state_text(run.state_type, run.state_name, context.glyphs), tone)
    return Row((RUN, run.key), cells, guides, is_open, lead)


def call_row(call: CallLine, context: RenderContext, guides: str) -> Row:
    """Write a task call, or all items of a map, as a row."""
    now = context.now()
    tone = present.state_tone(call.state_type, call.state_name)
    seconds = None
    if call.started_at is not None:
        seconds = max(0.0, ((call.ended_at or now) - call.started_at).total_seconds())
    kind = "task" if call.group is None else "map"
    message = inert_line((call.state_message or "").strip().split("\n", 1)[0])
    cells = {
        "name": Cell(inert_line(call.name)),
        "flow": Cell(f"{kind}, try {call.attempt}" if call.attempt > 1 else kind, Tone.MUTED),
        "start": Cell(present.clock_text(call.started_at, now, context.zone), Tone.MUTED),
        "duration": Cell(present.duration_text(seconds, is_over=call.ended_at is not None)),
        "tasks": Cell(present.counts_text(call.counts) if call.group is not None else ""),
        "attempt": Cell(str(call.attempt) if call.attempt > 1 else "", Tone.MUTED),
        "message": Cell(message, tone if tone is Tone.BAD else Tone.MUTED),
    }
    return Row(
        (CALL, call.first_id),
        cells,
        guides,
        None if call.group is None else False,
        Cell(present.state_text(call.state_type, call.state_name, context.glyphs), tone),
    )


def fold_row(line: Fold, context: RenderContext, guides: str) -> Row:
    """Write the earlier calls of a run as a row."""
    text = f"{context.glyphs.ellipsis} {present.count_of(line.count, 'earlier call')}"
    return Row((FOLD, line.flow_run_key), {"name": Cell(text, Tone.MUTED)}, guides, False)


def _trouble(run: FlowRun) -> Cell:
    tone = Tone.BAD if run.error_count else Tone.WARN
    return Cell(present.trouble_text(run.error_count, run.warning_count), tone)
