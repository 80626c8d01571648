"""Transactions: task calls that stand or fall together.

A transaction is a tree: the author's `with transaction()`, the task calls in it, the transactions and calls in those.
What is over is staged; the outermost one commits all of it, or rolls it back, the last call first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from flowdeck.execution.calls import caching, context
from flowdeck.execution.drivers.drivers import AsyncDriver, Driver, SyncDriver, finish
from flowdeck.execution.hooks import hooks
from flowdeck.execution.logs.run_logs import engine_line
from flowdeck.execution.recording.facts import TransactionCommitted
from flowdeck.execution.recording.failures import sentence
from flowdeck.execution.recording.loggers import RUN_LOGGER
from flowdeck.execution.transactions import transaction_keys
from flowdeck.rules.exceptions import MissingContextError, StoreError, UsageError
from flowdeck.rules.options.hooks import Hook
from flowdeck.rules.options.transactions import CommitMode, IsolationLevel, TransactionState

if TYPE_CHECKING:
    from flowdeck.execution.calls.context import FlowRunContext
    from flowdeck.execution.calls.futures import TaskFuture
    from flowdeck.execution.recording.recorder import Recorder
    from flowdeck.execution.recording.result_records import ResultRecords
    from flowdeck.execution.transactions.transaction_keys import KeysOutsideOfRuns
    from flowdeck.store.calls.transactions import CommittedKey
    from flowdeck.store.results.key_locks import KeyLock

_SYNC: Final = SyncDriver()
_ASYNC: Final = AsyncDriver()
_MISSING: Final = object()
_OVER: Final = frozenset({TransactionState.COMMITTED, TransactionState.ROLLED_BACK})
_lock: Final = threading.Lock()
"""One lock for all transactions: it is held for a few instructions."""

current: Final[ContextVar[Transaction | None]] = ContextVar("flowdeck_transaction", default=None)
"""The innermost transaction that the current code is in."""


class Transaction:
    """Task calls that stand or fall together; made by `transaction()`, one for each task call below that.

    Attributes:
        key: under which its value is recorded when it is committed; None for none.
        commit_mode: when it is committed.
        isolation_level: whether others with its key wait for it.
        state: what has become of it.
        children: those that are over and wait for this one, in order.
        is_open: the code inside of it runs.
        is_closing: it fails: calls in it that have not begun do not begin any more.
    """

    def __init__(
        self,
        key: str | None = None,
        *,
        commit_mode: CommitMode | None = None,
        isolation_level: IsolationLevel | None = None,
        overwrite: bool = False,
        write_on_commit: bool = True,
        logger: Any = None,
        keys_outside_of_runs: KeysOutsideOfRuns | None = None,
    ) -> None:
        """See `transaction`; `keys_outside_of_runs` records the key where no flow run does."""
        self.key = key
        self.commit_mode = commit_mode
        self.isolation_level = isolation_level
        self.overwrite = overwrite
        self.write_on_commit = write_on_commit
        self.logger = logger
        self.state = TransactionState.PENDING
        self.children: list[Transaction] = []
        self.on_commit_hooks: list[Hook] = []
        self.on_rollback_hooks: list[Hook] = []
        self.is_open = False
        self.is_closing = False
        self.parent: Transaction | None = None
        self.submitted: list[TaskFuture[Any]] = []
        """Calls submitted in it, which its end waits for."""
        self.made: list[tuple[FlowRunContext, tuple[Any, ...]]] = []
        """Which calls were made in it: rolled back, they count as not made."""
        self.values: dict[str, Any] = {}
        self.staged_value: Any = None
        self._run = context.flow_run.get()
        self._outside = keys_outside_of_runs
        self._locks: dict[str, KeyLock] = {}
        self._token: Token[Transaction | None] | None = None

    # -- for authors ---------------------------------------------------------------------------------------------------

    def set(self, name: str, value: Any) -> None:
        """Leave a value for hooks, and for transactions inside of this one."""
        self.values[name] = value

    def get(self, name: str, default: Any = _MISSING) -> Any:
        """Return a value that was set here, or in a transaction around this one.

        Raises:
            ValueError: there is none, and no default is given.
        """
        scope: Transaction | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        if default is _MISSING:
            raise ValueError(f"Nothing was set as '{name}' in this transaction, or in those around it.")
        return default

    def stage(
        self,
        value: Any,
        on_rollback_hooks: Iterable[Hook] | None = None,
        on_commit_hooks: Iterable[Hook] | None = None,
    ) -> None:
        """Give the value that is recorded under the key at the commit, and hooks for either end."""
        if self.state is TransactionState.COMMITTED:
            return
        self.staged_value = value
        self.on_rollback_hooks.extend(on_rollback_hooks or ())
        self.on_commit_hooks.extend(on_commit_hooks or ())
        self.state = TransactionState.STAGED

    def read(self) -> Any:
        """Return the value that was staged, or else the one that is recorded under the key; None without either."""
        if self.staged_value is not None or self.key is None:
            return self.staged_value
        records = self._records()
        return None if records is None else transaction_keys.read(self.key, records)

    def is_pending(self) -> bool:
        """Tell whether it has not begun."""
        return self.state is TransactionState.PENDING

    def is_active(self) -> bool:
        """Tell whether it has begun, and nothing is staged."""
        return self.state is TransactionState.ACTIVE

    def is_staged(self) -> bool:
        """Tell whether a value is staged and waits for the commit."""
        return self.state is TransactionState.STAGED

    def is_committed(self) -> bool:
        """Tell whether it is committed; at its beginning: whether its key was committed before."""
        return self.state is TransactionState.COMMITTED

    def is_rolled_back(self) -> bool:
        """Tell whether it is rolled back."""
        return self.state is TransactionState.ROLLED_BACK

    def commit(self) -> bool:
        """Commit now; False when it was committed or rolled back before."""
        return finish(self.commit_by(_SYNC))

    def rollback(self) -> bool:
        """Roll back now; False when it was committed or rolled back before."""
        return finish(self.roll_back_by(_SYNC, "Its code asks for that."))

    # -- its life, once for every driver -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        finish(self._begin(_SYNC))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        finish(self._leave(_SYNC, error))

    async def __aenter__(self) -> Self:
        await self._begin(_ASYNC)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        # A coroutine that is thrown away may await nothing.
        await self._leave(_SYNC if isinstance(error, GeneratorExit) else _ASYNC, error)

    async def _begin(self, driver: Driver) -> None:
        if self.state is not TransactionState.PENDING:
            raise UsageError("A transaction can be entered once; call transaction() again for another one.")
        records = self._records()
        if self.key is not None and records is None:
            raise MissingContextError(
                f"Transaction(key='{self.key}') was entered outside of a flow. Call transaction(key=...) there."
            )
        self.inherit(current.get())
        if self.key is not None and records is not None:
            if self.isolation_level is IsolationLevel.SERIALIZABLE:
                await self.hold(self.key, records.lock(self.key), driver)
            if not self.overwrite and transaction_keys.is_committed(self.key, records):
                self.state = TransactionState.COMMITTED
                self._say(logging.INFO, f"{self._words()} was committed before.")
        self._token = current.set(self)

    def inherit(self, around: Transaction | None) -> None:
        """Begin inside of another transaction, and take from it what was not given."""
        self.parent = around
        self.commit_mode = self.commit_mode or (around.commit_mode if around else CommitMode.LAZY)
        self.isolation_level = self.isolation_level or (
            around.isolation_level if around else IsolationLevel.READ_COMMITTED
        )
        self.state = TransactionState.ACTIVE
        self.is_open = True

    async def _leave(self, driver: Driver, error: BaseException | None) -> None:
        """Commit, stage or roll back, once all calls that were submitted inside are over."""
        assert self._token is not None
        context.leave(current, self._token)
        if self._run is not None and self._run.is_forked_copy():
            return  # the original sees to it
        try:
            reason = await self._reason_to_fail(driver, error)
            self.is_open = False
            if reason is not None:
                await self.roll_back_by(driver, reason)
            else:
                await self.end(driver)
        finally:
            if self.parent is None:
                self._release_locks()

    async def _reason_to_fail(self, driver: Driver, error: BaseException | None) -> str | None:
        """Wait for the calls that were submitted inside; return why it is to be rolled back, or None."""
        self.is_closing = error is not None
        try:
            await driver.wait(self.submitted)
        except GeneratorExit:
            raise
        except BaseException as interrupt:
            self.is_closing = True
            await self.roll_back_by(driver, sentence(interrupt))
            raise
        if error is not None:
            return sentence(error)
        for future in self.submitted:
            if not future.asked and not future.final_state().is_completed():
                return f"{future.name} is {future.final_state().name}, and nobody has asked for its result."
        return None

    async def end(self, driver: Driver) -> None:
        """Commit, or hand over to the transaction around this one, as the commit mode says."""
        if self.parent is not None and self.commit_mode is not CommitMode.EAGER:
            await self.parent.adopt(self, driver)
        elif self.commit_mode is CommitMode.OFF:
            await self.roll_back_by(driver, "Nothing has committed it (commit mode OFF).")
        else:
            await self.commit_by(driver)

    async def adopt(self, child: Transaction, driver: Driver) -> None:
        """Take over what a child that is over has staged: it ends as this one does."""
        with _lock:
            taken = not self.is_rolled_back() and (self.is_open or not self.is_committed())
            if taken:
                self.children.append(child)
        if taken:
            return
        if self.is_committed():
            await child.commit_by(driver)
        else:
            await child.roll_back_by(driver, "The transaction around it is rolled back.")

    async def commit_by(self, driver: Driver) -> bool:
        """Call the commit hooks, inner ones first, then record the commit of all; see `commit`."""
        was_over = self.is_over()
        facts: dict[Recorder, TransactionCommitted] = {}
        at = driver.clock.now_microseconds()
        for member in await self._come_to_commit(driver):
            member.add_to(facts, at)
        for recorder, fact in facts.items():
            if not await driver.record(recorder, fact):
                self._say(logging.WARNING, f"A commit is not recorded. {recorder.refusal()}")
        return not was_over

    async def _come_to_commit(self, driver: Driver) -> list[Transaction]:
        """Call the commit hooks of this one and of those in it; return all that they were called for."""
        if self.is_rolled_back():
            return []
        members: list[Transaction] = []
        for child in self.children:  # grows when a call ends meanwhile
            members.extend(await child._come_to_commit(driver))
        if self.is_committed():
            return members
        await self.run_hooks("commit", self.on_commit_hooks, driver)
        with _lock:
            self.state = TransactionState.COMMITTED
        return [*members, self]

    def add_to(self, facts: dict[Recorder, TransactionCommitted], at: int) -> None:
        """Add what is to be recorded of this one's commit."""
        records = self._records()
        if self.key is None or records is None or not self.write_on_commit:
            return
        kept = transaction_keys.keep(self.key, self.staged_value, records)
        if kept.problem is not None:
            self._say(logging.WARNING, kept.problem)
        if kept.key is None:
            return
        if self._run is None:
            self._commit_outside(kept.key, at)
        else:
            facts.setdefault(self._run.recorder, TransactionCommitted([], at)).keys.append(kept.key)

    def _commit_outside(self, key: CommittedKey, at: int) -> None:
        try:
            if self._outside is not None:
                self._outside.commit(key, at)
        except StoreError as error:
            self._say(logging.WARNING, f"A commit is not recorded. {error}")

    def _records(self) -> ResultRecords | None:
        """Return where its key is looked for."""
        owner = self._outside if self._run is None else self._run.recorder
        return None if owner is None else owner.results

    async def roll_back_by(self, driver: Driver, reason: str) -> bool:
        """Undo what is staged, the last first; see `rollback`."""
        if self.has_something_to_undo():
            self._say(logging.WARNING, f"{self._words()} is rolled back: {reason}")
        return await self._undo(driver, reason)

    def has_something_to_undo(self) -> bool:
        """Tell whether a rollback is worth a line."""
        return not self.is_over()

    async def _undo(self, driver: Driver, reason: str) -> bool:
        with _lock:
            is_mine = not self.is_over()
            if is_mine:
                self.state = TransactionState.ROLLED_BACK
        if is_mine:
            for run, call in self.made:
                run.give_back(call)
            await self.take_back(driver, reason)
            await self.run_hooks("rollback", reversed(self.on_rollback_hooks), driver)
        # Also of one whose key was committed before: what was done in it nevertheless is undone.
        for child in reversed(self.children):
            await child._undo(driver, reason)
        return is_mine

    async def take_back(self, driver: Driver, reason: str) -> None:
        """Record that what this one stands for counts as not made."""

    async def run_hooks(self, kind: str, chosen: Iterable[Hook], driver: Driver) -> None:
        """Call hooks with this transaction."""
        listed = list(chosen)
        if listed:
            await hooks.run_hooks(kind, listed, (self,), self._run, driver)

    def is_over(self) -> bool:
        """Tell whether it is committed or rolled back."""
        return self.state in _OVER

    def is_failing(self) -> bool:
        """Tell whether this one or one around it fails: nothing begins in it any more."""
        return self.is_closing or (self.parent is not None and self.parent.is_failing())

    def _words(self) -> str:
        return "A transaction" if self.key is None else f"Transaction '{self.key}'"

    def _say(self, level_number: int, text: str) -> None:
        """A line of the engine about it."""
        if self.logger is not None or self._run is None:
            (self.logger or RUN_LOGGER).log(level_number, text)
        else:
            engine_line(self._run, level_number, text)

    # -- locks of keys -------------------------------------------------------------------------------------------------

    def holds(self, key: str) -> bool:
        """Tell whether the outermost transaction around this one holds the lock of a key."""
        return key in self._outermost()._locks

    async def hold(self, key: str, lock: KeyLock, driver: Driver) -> None:
        """Wait for the lock of a key, and hold it until the outermost transaction is over."""
        while not self.holds(key) and not (self._run is not None and self._run.closing):
            if lock.try_acquire():
                self._outermost()._locks[key] = lock
                return
            await driver.sleep(caching.LOCK_INTERVAL_SECONDS)

    def _outermost(self) -> Transaction:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def _release_locks(self) -> None:
        locks, self._locks = self._locks, {}
        for lock in locks.values():
            lock.release()
