"""Words of transactions: when one is committed, how it is kept apart from others, and what has become of it."""

from __future__ import annotations

from enum import StrEnum

from flowdeck.rules.keys import cache_policies


class CommitMode(StrEnum):
    """When a transaction is committed."""

    EAGER = "EAGER"
    """At its own end, and each task call in it at the end of that call."""
    LAZY = "LAZY"
    """With the outermost transaction around it."""
    OFF = "OFF"
    """Only if the author's code calls `commit()`; otherwise it is rolled back."""


class IsolationLevel(StrEnum):
    """What happens when a transaction's key is in use by another one."""

    READ_COMMITTED = cache_policies.READ_COMMITTED
    """They know nothing of each other; the last commit stays."""
    SERIALIZABLE = cache_policies.SERIALIZABLE
    """The second one waits for the first, over all processes of a home."""


class TransactionState(StrEnum):
    """What has become of a transaction."""

    PENDING = "PENDING"
    """Not entered."""
    ACTIVE = "ACTIVE"
    STAGED = "STAGED"
    """Over, and to be committed or rolled back with the transaction around it."""
    COMMITTED = "COMMITTED"
    ROLLED_BACK = "ROLLED_BACK"
