"""The recorder of a run: keeps its facts, in the store or, from another process, over a stream to the run's own."""

from __future__ import annotations

from typing import Protocol

from flowdeck.execution.recording.facts import Fact
from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.store.runs.flow_runs import NewFlowRun


class Recorder(Protocol):
    """Keeps the facts of one flow run, in order. Thread-safe."""

    run_id: str
    first_task_id: int
    """Number 0 of the run's calls; a call's id is this plus its number."""
    incarnation: int
    results: ResultRecords

    def record(self, fact: Fact) -> bool:
        """Keep a fact; return once it is safe from any kill. False: the run is not ours to change any more."""
        ...

    def try_record(self, fact: Fact) -> bool:
        """Like `record`, but raise `Busy` rather than wait for another process: for event loops."""
        ...

    def note(self, fact: Fact) -> None:
        """Keep a fact with the next one that is recorded, or soon: one whose loss would cost nothing."""
        ...

    def log(
        self, at: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
    ) -> None:
        """Append a record to the run's log; return once it is safe from any kill."""
        ...

    def start_subflow(self, new: NewFlowRun, *, patient: bool) -> Recorder | None:
        """Make a flow run below this one; None when this run may not start anything any more.

        Args:
            new: the run, as its row is made.
            patient: True to wait for another process; False to raise `Busy` instead.
        """
        ...

    def resume_subflow(self, key: int, new: NewFlowRun, *, patient: bool) -> tuple[Recorder, int] | None:
        """Begin the next attempt of a subflow run that is over; None when that cannot be done.

        Args:
            key: the integer key of the subflow run.
            new: the run that would be made if there was none.
            patient: the same as in `start_subflow`.

        Returns:
            Its recorder, and the attempt's number.
        """
        ...

    def last_call_number(self) -> int:
        """Return the highest call number used so far, over all attempts."""
        ...

    def may_go_on(self) -> bool:
        """Tell whether the run is still ours, and nobody wants it to end."""
        ...

    def refusal(self) -> str:
        """Say in a sentence why a fact was refused."""
        ...

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` from a signal handler, without tearing a commit."""
        ...
