"""Runs to be listed, and what of them is on the screen."""

from __future__ import annotations

from flowdeck.deck import FlowRun
from tests.tui.harness import AppPilot, screen_text, until
from tests.tui.seeded_home import SeededHome


def seed(home: SeededHome) -> dict[str, FlowRun]:
    """Five roots and a subflow, newest last."""
    runs = {
        "lazy-fox": home.run("lazy-fox", "report", ago_seconds=7000, took_seconds=3),
        "calm-heron": home.run("calm-heron", "sync", "Failed", ago_seconds=3600, took_seconds=182),
        "bold-crab": home.run("bold-crab", "etl", "Crashed", ago_seconds=900, took_seconds=20),
        "brave-otter": home.run("brave-otter", "etl", "Running", ago_seconds=133),
    }
    runs["tidy-dune"] = home.run("tidy-dune", "checks", "Running", ago_seconds=30, parent=runs["brave-otter"])
    runs["quiet-lynx"] = home.run("quiet-lynx", "etl", "Scheduled", ago_seconds=0)
    return runs


NAMES = ("lazy-fox", "calm-heron", "bold-crab", "brave-otter", "tidy-dune", "quiet-lynx")


def listed(pilot: AppPilot) -> list[str]:
    """Return the runs on the screen, from top to bottom; below the list the log is named after one of them."""
    lines = [line for line in screen_text(pilot).splitlines() if line[1:2] in "▸▾"]
    return [name for line in lines for name in NAMES if name in line]


async def until_listed(pilot: AppPilot, *names: str) -> None:
    await until(pilot, lambda: listed(pilot) == list(names))
