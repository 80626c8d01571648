"""Flow runs, as authors act on them: from a flow, or from any other Python."""

from __future__ import annotations

from contextlib import closing

from flowdeck.execution.calls import context
from flowdeck.rules.exceptions import CancelledRun
from flowdeck.rules.states import State

__all__ = ["cancel_flow_run"]


def cancel_flow_run(run: str, *, force: bool = False) -> State:
    """Ask for a flow run to be cancelled, with its subflow runs and all processes that it has started.

    It returns when the wish is recorded. A run that has not started is Cancelled by then. One that goes on is
    Cancelling: it ends at its next task call, or by SIGTERM, and by SIGKILL after a grace of 10 seconds.

    Args:
        run: its id, 4 or more characters from the start or end of the id, or its name.
        force: do not wait for the run to tidy up.

    Returns:
        The state that the run is in now.

    Raises:
        NotFoundError: there is no such run.
        AmbiguousError: there are several; the sentence lists them.
        RefusedError: it is over already; or it is a subflow run, which shares the process of its parent.
        CancelledRun: it is the run that this call is made in, which ends here.
    """
    # Here: loading it costs 9 ms, which `from flowdeck import *` in a script shall not.
    from flowdeck.deck import Deck  # noqa: PLC0415

    with closing(Deck()) as deck:
        cancelled = deck.flow_runs.cancel(run, force=force)
    own = context.flow_run.get()
    if own is not None and own.identity.root_run_id == cancelled.id:
        raise CancelledRun("The run has cancelled itself.")
    return State(cancelled.state_type, cancelled.state_name, cancelled.state_message)
