"""Exceptions, by the names under which authors import them."""

from flowdeck.rules.exceptions import (
    AmbiguousError,
    CancelledRun,
    CrashedRun,
    DefinitionError,
    FailedRun,
    FlowdeckError,
    MappingLengthMismatch,
    MappingMissingIterable,
    MissingContextError,
    NotFoundError,
    ParameterError,
    RefusedError,
    StoreError,
    UnfinishedRun,
    UsageError,
    WorkerError,
)

__all__ = [
    "AmbiguousError",
    "CancelledRun",
    "CrashedRun",
    "DefinitionError",
    "FailedRun",
    "FlowdeckError",
    "MappingLengthMismatch",
    "MappingMissingIterable",
    "MissingContextError",
    "NotFoundError",
    "ParameterError",
    "RefusedError",
    "StoreError",
    "UnfinishedRun",
    "UsageError",
    "WorkerError",
]
