"""A task that writes down what becomes of it."""

from __future__ import annotations

from flowdeck import task
from flowdeck.transactions import Transaction, get_transaction


class Journal:
    """A task that writes down what becomes of it: `run`, `commit` and `undo`, each with its number."""

    def __init__(self) -> None:
        self.lines: list[str] = []

        @task
        def step(number: int, *, fail: bool = False) -> int:
            self.lines.append(f"run {number}")
            current().set("number", number)
            if fail:
                raise ValueError(f"no {number}")
            return number

        @step.on_commit
        def commit(txn: Transaction) -> None:
            self.lines.append(f"commit {txn.get('number')}")

        @step.on_rollback
        def undo(txn: Transaction) -> None:
            self.lines.append(f"undo {txn.get('number')}")

        del commit, undo
        self.step = step


def current() -> Transaction:
    """Return the transaction of the calling code."""
    found = get_transaction()
    assert found is not None
    return found
