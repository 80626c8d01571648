"""What stands above a log: which run it is of, where in it one is, and why the run is where it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.log.log_marks import Found, LogStatus
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Spans

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun


def title_of(run: FlowRun, glyphs: Glyphs, *, subflow_runs: int = 0, call_name: str = "") -> Spans:
    """Write which log this is.

    Args:
        run: whose log.
        glyphs: signs that the terminal can show.
        subflow_runs: how many runs that it started have their lines in it.
        call_name: the task call whose lines alone are shown; empty for all.
    """
    spans = [
        (f"{glyphs.rule * 2} ", Tone.MUTED),
        (inert_line(run.name), Tone.STRONG),
        (f"  {inert_line(run.flow_name)}  ", Tone.MUTED),
        (
            present.state_text(run.state_type, run.state_name, glyphs),
            present.state_tone(run.state_type, run.state_name),
        ),
    ]
    if run.attempt > 1:
        spans.append((f"  attempt {run.attempt}", Tone.MUTED))
    if subflow_runs:
        spans.append((f"  +{present.count_of(subflow_runs, 'subflow run')}", Tone.MUTED))
    if call_name:
        spans.append((f"  only {inert_line(call_name)}", Tone.WARN))
    return (*spans, (" ", Tone.MUTED))


def status_of(status: LogStatus, glyphs: Glyphs, *, is_over: bool = False) -> Spans:
    """Write where in the log the view is; whether it follows is of interest as long as there is more to come."""
    problem = status.filter.problem or status.search.problem
    words = list(_words(status, is_over=is_over))
    joint = f" {glyphs.rule * 2} "
    rest = (f" {joint.join(words)} {glyphs.rule * 2}", Tone.MUTED)
    return ((f" {inert_line(problem)} {glyphs.rule * 2}", Tone.BAD), rest) if problem else (rest,)


def _words(status: LogStatus, *, is_over: bool) -> Iterator[str]:
    if status.search.text:
        yield f"/{inert_line(status.search.text)} {_found(status.search)}"
    if status.errors.text:
        yield f"error {_found(status.errors)}"
    if status.filter.text:
        yield f"& {inert_line(status.filter.text)}"
    if status.least_level:
        yield f"{status.least_level} and above"
    if status.selected:
        yield f"{status.selected:,} selected"
    if status.marked:
        yield f"{status.marked:,} marked"
    if status.wraps:
        yield "wrapped"
    if status.below or not is_over:
        yield "follows" if status.follows else "paused"
    count = present.count_of(status.count, "line")
    if status.shown != status.count:
        count = f"{status.shown:,}{'+' if status.filter.is_searching else ''} of {count}"
    yield count


def _found(found: Found) -> str:
    searching = "+" if found.is_searching else ""
    return f"{found.match:,} of {found.matches:,}{searching}" if found.matches else f"none{searching}"


def reason_of(run: FlowRun, call: CallLine | None, *, waiting: str | None) -> tuple[str, Tone] | None:
    """Say why a run, or the call under the cursor, is where it is; None when its state says all.

    Args:
        run: the run.
        call: the call under the cursor; None when there is none.
        waiting: why the run does not move; None when it does.
    """
    if call is not None and call.state_message and call.state_name != "Completed":
        message = inert_line(call.state_message.strip().split("\n", 1)[0])
        return f"{inert_line(call.name)}: {message}", present.state_tone(call.state_type, call.state_name)
    if run.is_final and run.error is not None:
        return present.error_text(run.error), Tone.BAD
    if words := "; ".join(filter(None, (waiting, present.retry_note(run)))):
        return inert_line(words), Tone.WARN
    if run.state_message and run.state_name not in ("Completed", "Running"):
        return present.run_message(run), present.state_tone(run.state_type, run.state_name)
    return None
