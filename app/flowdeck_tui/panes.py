"""The table of panes: a new one is a folder of its own and one line here."""

from __future__ import annotations

from typing import Final

from flowdeck_tui.flows.flow_reading import READER
from flowdeck_tui.flows.flows import FLOWS, FlowsPane
from flowdeck_tui.live.pane import PaneKind
from flowdeck_tui.runs.runs import RunsPane

RUNS: Final = "1"

PANES: Final = (
    PaneKind(RUNS, "Runs", lambda services, _: RunsPane(services)),
    PaneKind(FLOWS, "Flows", FlowsPane, READER),
)
