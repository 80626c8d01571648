"""What a task call is in the transaction around it: a child of it, that is staged when the call has completed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import FlowRunContext, TaskRunContext
from flowdeck.execution.calls.task_calls import TaskCall
from flowdeck.execution.logs.run_logs import call_line
from flowdeck.execution.recording.facts import TaskRunsRolledBack, TransactionCommitted
from flowdeck.execution.recording.failures import sentence
from flowdeck.execution.transactions import transactions
from flowdeck.execution.transactions.transactions import Transaction
from flowdeck.rules.options.serializers import PICKLE, from_bytes, to_bytes
from flowdeck.rules.states import named
from flowdeck.store.calls.transactions import CommittedCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowdeck.execution.drivers.drivers import Driver
    from flowdeck.execution.recording.recorder import Recorder
    from flowdeck.rules.options.hooks import Hook
    from flowdeck.store.calls.task_runs import NewTaskRun
    from flowdeck.store.results.recorded_results import RecordedResult

VALUES_MAX_BYTES: Final = 65_536
"""So much of what a call sets in its transaction is recorded for the hooks of a later attempt."""


class TaskTransaction(Transaction):
    """One attempt of a task call. Without a transaction around it, it is committed when the call has completed."""

    def __init__(self, run: FlowRunContext, task: TaskRunContext, around: Transaction | None) -> None:
        super().__init__()
        self.inherit(around)
        if around is not None:
            self.submitted = around.submitted
        self._run = run
        self._task = task
        self._rows = [task.task_run_id]
        """The call's, and that of the earlier attempt which its result was taken from."""
        self._has_completed = False
        self._to_cache = False
        self._expires_at: int | None = None

    def put_off(self, call: TaskCall) -> bytes | None:
        """Leave it to the commit to put the call's result into the cache.

        Returns:
            What the body has set, to be recorded for hooks: this process may be killed before the commit.
        """
        note = call.cache
        if self.parent is None:
            return None
        if note is not None and note.to_store:
            self._to_cache, self._expires_at = True, note.expires_at
            call.cache = replace(note, to_store=False)
        if not self.values:
            return None
        try:
            return to_bytes(self.values, PICKLE, VALUES_MAX_BYTES)
        except Exception as error:  # noqa: BLE001 - too large, or no bytes can be made of it: only a kill would tell
            reason = sentence(error) or f"they are larger than {VALUES_MAX_BYTES} bytes"
            call_line(call, logging.WARNING, f"What it set in its transaction would not outlive this process: {reason}")
            return None

    async def complete(self, call: TaskCall, value: Any, driver: Driver) -> None:
        """Stage the call, whose completion is recorded, with the hooks of its task."""
        self.is_open = False
        self._has_completed = True
        if self.is_rolled_back():
            await self.take_back(driver, "Its own code has rolled it back.")
            return
        hooks = call.spec.hooks
        kept = value if hooks else None  # else nobody reads it, and it may be large
        self.stage(kept, hooks.get("rollback"), hooks.get("commit"))
        await self.end(driver)

    async def fail(self, driver: Driver, reason: str) -> None:
        """Undo what an attempt that failed has staged in itself."""
        self.is_open, self.is_closing = False, True
        await self.roll_back_by(driver, reason)

    async def take_over(
        self, call: TaskCall, value: Any, origin_id: int, found: RecordedResult, driver: Driver
    ) -> None:
        """Stage a call whose result an earlier attempt recorded, in a transaction that was never committed."""
        self._rows.append(origin_id)
        if found.transaction_values is not None:
            names = getattr(call.function, "__globals__", {})
            try:
                self.values = from_bytes(found.transaction_values, PICKLE, names)
            except Exception as error:  # noqa: BLE001 - of the author's class: its hooks must do without
                call_line(
                    call, logging.WARNING, f"What it had set in its transaction cannot be read: {sentence(error)}"
                )
        expiration_seconds = call.spec.cache.expiration_seconds
        self._to_cache = call.spec.cache.is_on()
        if expiration_seconds is not None:
            self._expires_at = driver.clock.now_microseconds() + int(expiration_seconds * 1e6)
        await self.complete(call, value, driver)

    def add_to(self, facts: dict[Recorder, TransactionCommitted], at: int) -> None:
        """See `Transaction`."""
        if self.parent is None or not self._has_completed or self._run is None:
            return
        committed = CommittedCall(self._rows[-1], self._to_cache, self._expires_at)
        facts.setdefault(self._run.recorder, TransactionCommitted([], at)).calls.append(committed)

    async def take_back(self, driver: Driver, reason: str) -> None:
        """See `Transaction`. Before its hooks: a call that is half undone must not be taken for a recorded one."""
        if self._has_completed and self._run is not None:
            state = named("RolledBack", f"Undone by its transaction. {reason}")
            at = driver.clock.now_microseconds()
            await driver.record(self._run.recorder, TaskRunsRolledBack(self._rows, state, at))

    async def run_hooks(self, kind: str, chosen: Iterable[Hook], driver: Driver) -> None:
        """See `Transaction`. They run as part of the task."""
        listed = list(chosen)
        if not listed:
            return
        tokens = context.flow_run.set(self._run), context.task_run.set(self._task)
        try:
            await super().run_hooks(kind, listed, driver)
        finally:
            context.leave(context.flow_run, tokens[0])
            context.leave(context.task_run, tokens[1])

    def has_something_to_undo(self) -> bool:
        """See `Transaction`."""
        return bool(self.children or self.on_rollback_hooks) and not self.is_over()

    def _words(self) -> str:
        return f"What was done in '{self._task.name}'"


def is_failing() -> bool:
    """Tell whether the transaction around the calling code fails, so that nothing begins in it any more."""
    around = transactions.current.get()
    return around is not None and around.is_failing()


def of_attempt(task: TaskRunContext) -> TaskTransaction | None:
    """Return the transaction of the attempt that a task is in; None where nothing has asked for one."""
    return task.transaction if isinstance(task.transaction, TaskTransaction) else None


def own(run: FlowRunContext, task: TaskRunContext) -> TaskTransaction:
    """Give an attempt a transaction of its own, with none around it."""
    scope = task.transaction = TaskTransaction(run, task, None)
    return scope


def begin(call: TaskCall, task: TaskRunContext) -> TaskTransaction | None:
    """Make the transaction of an attempt; None where nothing asks for one."""
    around = transactions.current.get()
    if around is None and "commit" not in call.spec.hooks:
        task.transaction = None
        return None
    scope = TaskTransaction(call.run, task, around)
    if around is not None and task.attempt == 1:
        around.made.append((call.run, identity_of(call.row)))
    task.transaction = scope
    return scope


async def reuse(call: TaskCall, value: Any, origin_id: int, found: RecordedResult, driver: Driver) -> None:
    """Let a call that was taken from an earlier attempt stand or fall with the transaction around it."""
    around, row = transactions.current.get(), call.row
    if around is None or found.committed_at is not None:
        return
    around.made.append((call.run, identity_of(row)))
    task = TaskRunContext(row.id, call.spec.name, call.name, bool(call.spec.log_prints), row.call_key or b"")
    await TaskTransaction(call.run, task, around).take_over(call, value, origin_id, found, driver)


def values_set() -> dict[str, Any]:
    """Return what the calling code has set in the transaction of its task: a process hands it back with its result."""
    task = context.task_run.get()
    return {} if task is None or task.transaction is None else task.transaction.values


def identity_of(row: NewTaskRun) -> tuple[Any, ...]:
    """Return the identity of a call as `FlowRunContext.give_back` takes it: parent, task, inputs, occurrence index."""
    return (row.parent_id, row.task_key, row.input_key, row.occurrence)
