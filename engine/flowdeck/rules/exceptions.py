"""Every exception that a user of flowdeck can catch.

FlowdeckError
├── UsageError             what was asked cannot be understood (exit code 2)
│   ├── ParameterError     a flow's parameters are missing, unknown or of the wrong type; a ValueError
│   │   └── ParameterBindError     they do not fit its signature; a TypeError too
│   ├── DefinitionError    @flow or @task was given something it cannot take; a ValueError
│   │   ├── InvalidNameError       a name with characters that are not allowed
│   │   ├── InvalidHookError       a hook that cannot be called; a TypeError too
│   │   └── ReservedArgumentError  a parameter has the name of one of flowdeck's keywords; a TypeError too
│   └── AmbiguousError     a name stands for more than one thing
├── NotFoundError          what was named does not exist (exit code 3)
├── RefusedError           it exists, but may not be done now (exit code 1)
├── StoreError             the home or its database cannot be used
│   └── FilesRemovedError  its files were removed while they were in use
├── MissingContextError    called outside a flow or task run; a RuntimeError
├── FailedRun              the result of a failed run was asked for and its exception is gone
├── CrashedRun             the result of a crashed run was asked for
├── WorkerError            the process of a task's attempt died, or could not exchange a value with the flow's
├── UnfinishedRun          the result of a run that has none (NotReady, or still running)
├── MappingLengthMismatch  .map() was given sequences of different lengths
└── MappingMissingIterable .map() was given nothing to map over
CancelledRun (BaseException)  raised inside a run that is being cancelled
└── CancelledResult (an Exception too)  the result of another run was asked for, which was cancelled
"""

from __future__ import annotations


class FlowdeckError(Exception):
    """Base of every error that flowdeck raises; its text is one sentence for the user."""


class UsageError(FlowdeckError):
    """What was asked cannot be understood."""


class ParameterError(UsageError, ValueError):
    """A flow's parameters are missing, unknown or of the wrong type."""


class ParameterBindError(ParameterError, TypeError):
    """A flow's arguments do not fit its signature: one is missing, unknown or given twice."""


class DefinitionError(UsageError, ValueError):
    """A decorator was given something that it cannot take."""


class InvalidNameError(DefinitionError):
    """A name has characters that are not allowed."""


class InvalidHookError(DefinitionError, TypeError):
    """A hook cannot be called."""


class ReservedArgumentError(DefinitionError, TypeError):
    """A parameter of a flow or task has the name of one of flowdeck's own keywords."""


class AmbiguousError(UsageError):
    """A name stands for more than one thing; the text lists them."""


class NotFoundError(FlowdeckError):
    """What was named does not exist."""


class RefusedError(FlowdeckError):
    """The thing exists, but what was asked may not be done to it now."""


class StoreError(FlowdeckError):
    """The home folder or its database cannot be used."""


class FilesRemovedError(StoreError):
    """Files of the home's database were removed under this process; no later try can do better."""


class MissingContextError(FlowdeckError, RuntimeError):
    """Called outside of a flow or task run."""


class FailedRun(FlowdeckError):  # noqa: N818 - the name that users of Prefect know
    """The result of a failed run was asked for, and its own exception is not at hand."""


class CrashedRun(FlowdeckError):  # noqa: N818 - the name that users of Prefect know
    """The result of a crashed run was asked for."""


class UnfinishedRun(FlowdeckError):  # noqa: N818 - the name that users of Prefect know
    """The result of a run that never finished was asked for."""


class WorkerError(FlowdeckError):
    """The process of a task's attempt could not begin, died, or could not exchange a value with the flow's process."""


class MappingLengthMismatch(FlowdeckError):  # noqa: N818 - the name that users of Prefect know
    """`.map()` was given sequences of different lengths."""


class MappingMissingIterable(FlowdeckError):  # noqa: N818 - the name that users of Prefect know
    """`.map()` was given nothing that can be mapped over."""


class CancelledRun(BaseException):
    """Raised inside a run that is being cancelled; not an Exception, so that `except Exception` lets it pass."""


class CancelledResult(CancelledRun, Exception):  # noqa: N818 - beside the name that users of Prefect know
    """The result of a run that was cancelled was asked for by one that was not, which may catch this and go on."""
