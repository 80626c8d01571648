"""The columns of the list of runs, and what its orders are called."""

from __future__ import annotations

from typing import Final

from flowdeck.rules.runs.run_order import RunOrder
from flowdeck_tui.widgets.columns import Column

COLUMNS: Final = (
    Column("name", "RUN", 36, minimum=32, grows=3, cut="middle"),
    Column("id", "ID", 8, drop_order=5),
    Column("flow", "FLOW / TASK", 18, minimum=14, grows=2),
    Column("attempt", "TRY", 3, drop_order=6, align="right"),
    Column("start", "START", 8),
    Column("duration", "TIME", 6, align="right"),
    Column("tasks", "TASKS", 7, drop_order=3, align="right"),
    Column("trouble", "E/W", 5, drop_order=4, align="right"),
    Column("message", "MESSAGE", 30, minimum=24, drop_order=7, grows=6),
)
ORDER_WORDS: Final = {
    RunOrder.NEWEST: "newest first",
    RunOrder.OLDEST: "oldest first",
    RunOrder.DURATION: "longest first",
    RunOrder.NAME: "by name",
    RunOrder.STATE: "by state",
}
