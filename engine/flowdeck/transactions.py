"""Transactions, by the names under which authors import them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from flowdeck.execution.calls import context
from flowdeck.execution.starts.keys_outside_of_runs import StoredKeys
from flowdeck.execution.transactions import task_transactions, transactions
from flowdeck.execution.transactions.transactions import Transaction
from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.keys.cache_policies import MAXIMUM_KEY_LENGTH
from flowdeck.rules.options.transactions import CommitMode, IsolationLevel, TransactionState

__all__ = ["CommitMode", "IsolationLevel", "Transaction", "TransactionState", "get_transaction", "transaction"]

_Words = TypeVar("_Words", bound=StrEnum)


def transaction(
    key: str | None = None,
    store: None = None,
    commit_mode: CommitMode | None = None,
    isolation_level: IsolationLevel | None = None,
    overwrite: bool = False,
    write_on_commit: bool = True,
    logger: Any = None,
) -> Transaction:
    """Let the task calls inside a `with` (or `async with`) stand or fall together.

    An exception that leaves it runs the `on_rollback` hooks of the calls that had completed, the last one first; a
    later attempt of the flow runs them again. Otherwise their `on_commit` hooks run, and their results are in the
    cache, at the end of the outermost transaction.

    Args:
        key: under which its value is recorded, inside and outside of flows; a transaction whose key was committed
            before begins as committed.
        store: for Prefect's code; what is committed lies in flowdeck's home.
        commit_mode: when it is committed; as that around it unless given, LAZY at the outside.
        isolation_level: whether it waits for another one with its key; as that around it unless given.
        overwrite: do not look whether the key was committed before.
        write_on_commit: record the key at the commit.
        logger: gets its lines in place of the run's log.

    Raises:
        UsageError: an argument cannot be used.
        StoreError: a key is given outside of flows, and the home cannot be used.
    """
    if store is not None:
        raise UsageError("transaction() takes no store: what is committed lies in flowdeck's home.")
    if key is not None and (not isinstance(key, str) or not 0 < len(key) <= MAXIMUM_KEY_LENGTH):
        raise UsageError(f"key of transaction() must be a text of 1 to {MAXIMUM_KEY_LENGTH} characters, not {key!r}.")
    if context.describing:
        key = None  # the file is only imported: nothing is looked up or recorded
    return Transaction(
        key,
        commit_mode=_member(CommitMode, commit_mode, "commit_mode"),
        isolation_level=_member(IsolationLevel, isolation_level, "isolation_level"),
        overwrite=overwrite,
        write_on_commit=write_on_commit,
        logger=logger,
        keys_outside_of_runs=StoredKeys() if key is not None and context.flow_run.get() is None else None,
    )


def _member(kind: type[_Words], given: Any, name: str) -> _Words | None:
    """Return a member of an enumeration by itself, its name, or a member of that name of Prefect's."""
    if given is None:
        return None
    found = kind.__members__.get(str(getattr(given, "name", given)))
    if found is None:
        raise UsageError(f"{name} of transaction() is {', '.join(kind.__members__)}, not {given!r}.")
    return found


def get_transaction() -> Transaction | None:
    """Return the innermost transaction of the calling code: in a task the task's own; None outside of all."""
    around, task, run = transactions.current.get(), context.task_run.get(), context.flow_run.get()
    if around is not None or task is None or run is None:
        return around
    return task_transactions.of_attempt(task) or task_transactions.own(run, task)
