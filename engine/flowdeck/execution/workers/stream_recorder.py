"""The recorder and the run in the process of an attempt: what is recorded or asked goes over a stream to the flow.

Everything goes through one function, `Asker`: the name of a question and its arguments (see `stream_questions`). They
are answered by `stream_answers` on the side that owns the run, once and in order; how they get there is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from flowdeck.execution.calls.context import CallRunners, FlowRunContext
from flowdeck.execution.recording.facts import Fact
from flowdeck.execution.recording.replay import Replay
from flowdeck.execution.recording.result_records import ResultRecords
from flowdeck.execution.recording.run_identity import RunIdentity, RunSettings
from flowdeck.execution.workers.stream_questions import Asker, RunAddress
from flowdeck.store.results.cached_results import CachedResult
from flowdeck.store.results.key_locks import KeyLock
from flowdeck.store.results.recorded_results import RecordedCall, RecordedResult, RecordedSubflow
from flowdeck.store.results.result_files import StoredResult
from flowdeck.store.runs.flow_runs import NewFlowRun


class RunOfAttempt(NamedTuple):
    """What the process of an attempt is told of the flow run; the rest it asks for."""

    identity: RunIdentity
    settings: RunSettings
    started_at: int | None
    """When this attempt of the run began, in microseconds since 1970 UTC."""
    result_max_bytes: int
    caching: str
    """`on`, `refresh` or `off`: the setting."""


def run_of_attempt(run: FlowRunContext) -> RunOfAttempt:
    """Return what another process needs to know of a run."""
    results = run.recorder.results
    return RunOfAttempt(run.identity, run.settings, run.started_at, results.max_bytes, results.caching)


class StreamRecorder:
    """Keeps the facts of a flow run by handing them over to the side that owns it."""

    def __init__(self, ask: Asker, address: RunAddress, results: StreamResults, interrupt: Callable[..., None]) -> None:
        """Make the recorder of one run.

        Args:
            ask: the function that asks, see `Asker`.
            address: the run.
            results: the results of the same run.
            interrupt: the function that raises an exception in the main thread, not in the middle of a frame.
        """
        self.run_id, self.first_task_id, self.incarnation = address
        self.results: ResultRecords = results
        self.interrupt = interrupt
        self._ask: Final = ask

    def record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._ask(self.first_task_id, "record", fact)

    def try_record(self, fact: Fact) -> bool:
        """See `Recorder`."""
        return self._ask(self.first_task_id, "try_record", fact)

    def note(self, fact: Fact) -> None:
        """See `Recorder`."""
        self._ask(self.first_task_id, "note", fact)

    def log(
        self, at: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
    ) -> None:
        """See `Recorder`."""
        self._ask(self.first_task_id, "log", at, level_number, source, task_number, task_name, text)

    def start_subflow(self, new: NewFlowRun, *, patient: bool) -> StreamRecorder | None:
        """See `Recorder`."""
        address = self._ask(self.first_task_id, "start_subflow", new, patient)
        return None if address is None else self._below(address)

    def resume_subflow(self, key: int, new: NewFlowRun, *, patient: bool) -> tuple[StreamRecorder, int] | None:
        """See `Recorder`."""
        resumed = self._ask(self.first_task_id, "resume_subflow", key, new, patient)
        return None if resumed is None else (self._below(resumed[0]), resumed[1])

    def last_call_number(self) -> int:
        """See `Recorder`."""
        return self._ask(self.first_task_id, "last_call_number")

    def may_go_on(self) -> bool:
        """See `Recorder`."""
        return self._ask(self.first_task_id, "may_go_on")

    def refusal(self) -> str:
        """See `Recorder`."""
        return self._ask(self.first_task_id, "refusal")

    def _below(self, address: RunAddress) -> StreamRecorder:
        results = StreamResults(self._ask, address.first_task_id, self.results.max_bytes, self.results.caching)
        return StreamRecorder(self._ask, address, results, self.interrupt)


class StreamResults:
    """Results that are kept and found by the side that owns the run."""

    def __init__(self, ask: Asker, first_task_id: int, max_bytes: int, caching: str) -> None:
        """Args: ask: the `Asker`. first_task_id: number 0 of the run's calls. max_bytes, caching: the settings."""
        self.max_bytes = max_bytes
        self.caching = caching
        self._ask = ask
        self._run = first_task_id

    def calls(self) -> dict[bytes, RecordedCall]:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.calls")

    def subflows(self) -> dict[bytes, RecordedSubflow]:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.subflows")

    def of_call(self, task_run_id: int) -> RecordedResult | None:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.of_call", task_run_id)

    def names(self, task_run_ids: list[int]) -> list[str]:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.names", task_run_ids)

    def cached(self, cache_key: str) -> CachedResult | None:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.cached", cache_key)

    def lock(self, cache_key: str) -> StreamLock:
        """See `ResultRecords`."""
        return StreamLock(self._ask, self._run, cache_key)

    def size_of(self, file_hash: str | None) -> int:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.size_of", file_hash)

    def keep(self, content: bytes, name: str | None = None) -> StoredResult:
        """See `ResultRecords`."""
        return self._ask(self._run, "results.keep", content, name)

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """See `ResultRecords`."""
        return inline if inline is not None else self._ask(self._run, "results.read", file_hash)


class StreamLock(KeyLock):
    """The lock of a cache key, held on the other side: it is given back there if this process dies."""

    def __init__(self, ask: Asker, first_task_id: int, cache_key: str) -> None:
        """Args: ask: the `Asker`. first_task_id: number 0 of the run's calls. cache_key: the key that is locked."""
        self._ask = ask
        self._run = first_task_id
        self._cache_key = cache_key

    def try_acquire(self) -> bool:
        """Take it if nobody has it."""
        return self._ask(self._run, "lock.try_acquire", self._cache_key)

    def release(self) -> None:
        """Give it back, if it is held."""
        self._ask(self._run, "lock.release", self._cache_key)


class StreamReplay(Replay):
    """What earlier attempts have recorded, counted and taken on the side that owns the run."""

    def __init__(self, recorder: StreamRecorder, ask: Asker) -> None:
        """Args: recorder: the recorder of the run. ask: the `Asker`."""
        super().__init__(recorder.results, 1)
        self._ask = ask
        self._run = recorder.first_task_id

    def take(self, call_key: bytes) -> RecordedCall | None:
        """See `Replay`."""
        return self._ask(self._run, "replay.take", call_key)

    def take_subflow(self, call_key: bytes) -> RecordedSubflow | None:
        """See `Replay`."""
        return self._ask(self._run, "replay.take_subflow", call_key)


class StreamedRun(FlowRunContext):
    """The flow run of another process, for the time of one attempt of a task call: its calls are numbered there."""

    def __init__(self, told: RunOfAttempt, ask: Asker, interrupt: Callable[..., None], runners: CallRunners) -> None:
        """Make the run as this process sees it.

        Args:
            told: values of the run, as the process that owns it has them.
            ask: the function that asks, see `Asker`.
            interrupt: the function that `StreamRecorder` is given.
            runners: the runners of the calls that the attempt submits.
        """
        identity = told.identity
        results = StreamResults(ask, identity.first_task_id, told.result_max_bytes, told.caching)
        address = RunAddress(identity.id, identity.first_task_id, identity.incarnation)
        recorder = StreamRecorder(ask, address, results, interrupt)
        self._ask = ask
        self._parameters: dict[str, Any] | None = None
        super().__init__(identity, told.settings, recorder, runners, {}, StreamReplay(recorder, ask))
        self.started_at = told.started_at

    @property
    def parameters(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] - asked for when needed
        """Bound and coerced; they may be large, and few tasks look at them."""
        if self._parameters is None:
            self._parameters = cast("dict[str, Any]", self._ask(self.recorder.first_task_id, "parameters"))
        return self._parameters

    @parameters.setter
    def parameters(self, given: Mapping[str, Any]) -> None:
        del given  # they are the other side's

    def number_call(self, task_name: str) -> tuple[int, int]:
        """See `FlowRunContext`."""
        task_run_id, index, self.closing = self._ask(self.recorder.first_task_id, "number_call", task_name)
        return task_run_id, index

    def number_group(self) -> int:
        """See `FlowRunContext`."""
        return self._ask(self.recorder.first_task_id, "number_group")

    def give_back(self, call: tuple[int | None, str, bytes, int]) -> None:
        """See `FlowRunContext`."""
        self._ask(self.recorder.first_task_id, "give_back", call)

    def occurrence(self, parent_id: int | None, task_key: str, input_key: bytes) -> int:
        """See `FlowRunContext`."""
        return self._ask(self.recorder.first_task_id, "occurrence", parent_id, task_key, input_key)
