"""Pictures of each pane and dialog at both sizes, empty, busy and broken; `make snapshots` draws them anew.

A picture that differs is looked at, in the report that pytest names, before it is taken over.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import flowdeck_tui
from flowdeck_tui.app import FlowdeckApp
from flowdeck_tui.flows import flow_reading
from tests.tui import seeded_home
from tests.tui.busy_home import BROKEN, fill
from tests.tui.harness import LARGE, SMALL, AppPilot, make_app, press, screen_text, until, until_shown
from tests.tui.seeded_home import SeededHome

FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """What is on a home, which keys are pressed, and the text that is there then.

    Attributes:
        seed: fills the home; None for an empty one.
        keys: pressed one after the other, blanks between them.
        shown: is waited for before the picture is taken.
    """

    seed: Callable[[SeededHome], Any] | None
    keys: str
    shown: str


def broken(home: SeededHome) -> None:
    """Nothing but a file that cannot be imported, and a run that failed."""
    home.broken_file("bad.py", BROKEN)
    home.run("calm-heron", "sync", "Crashed", message="the process was killed by SIGKILL", took_seconds=3)


BUSY, FAILED = "j", "j j"
PICTURES = {
    "runs-empty": Picture(None, "1", "No runs yet"),
    "runs-busy": Picture(fill, BUSY, "from the subflow"),
    "runs-open": Picture(fill, f"{BUSY} right", "extract"),
    "runs-failed": Picture(fill, FAILED, "rate limited"),
    "runs-broken": Picture(broken, "1", "killed by SIGKILL"),
    "runs-filtered": Picture(fill, "/ l a z y enter", "1 run"),
    "runs-marked": Picture(fill, "V j j V", "3 marked"),
    "flows-empty": Picture(None, "3", "No flows in this folder"),
    "flows-busy": Picture(fill, "3 j", "Loads orders"),
    "flows-broken": Picture(fill, "!", "SyntaxError"),
    "detail-tasks": Picture(fill, f"{BUSY} enter", "step-3"),
    "detail-log": Picture(fill, f"{BUSY} l", "from the subflow"),
    "detail-parameters": Picture(fill, f"{BUSY} enter ]", "Bergen"),
    "detail-states": Picture(fill, f"{FAILED} enter ] ]", "Failed"),
    "detail-error": Picture(fill, f"{FAILED} enter ] ] ]", "Traceback"),
    "log-searched": Picture(fill, f"{BUSY} tab / b r o k e enter", "of 2"),
    "form": Picture(fill, "3 j t", "whole number"),
    "form-refused": Picture(fill, "3 j t x enter", "Not started"),
    "form-rerun": Picture(fill, f"{BUSY} R", "rerun"),
    "commands": Picture(fill, f"{BUSY} :", "commands"),
    "commands-refused": Picture(fill, f"{BUSY} : r e t r y", "is not over"),
    "help": Picture(fill, f"{BUSY} ?", "◷ Scheduled"),
    "jump": Picture(fill, f"{BUSY} ' f o x", "lazy-fox"),
    "copy": Picture(fill, f"{FAILED} y", "traceback"),
    "question": Picture(fill, f"{BUSY} x", "Cancel brave-otter?"),
    "prompt": Picture(fill, "/ s t a t e : f", "state:f"),
}


@pytest.fixture
def still_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeededHome]:
    """A home whose ids, times and paths are the same wherever it is made."""
    numbers = itertools.count(1)
    monkeypatch.setattr(seeded_home, "new_run_id", lambda: f"01a20000-0000-7000-8000-{next(numbers) * 7919:012x}")
    # A folder that is the same on every machine is on none of them; its flows would be left out.
    monkeypatch.setattr(flow_reading, "_is_there", lambda _folder: True)
    home = SeededHome(tmp_path / "home", Path("/flows"))
    yield home
    home.close()


class _Pictured(FlowdeckApp):
    """The app, whose picture names no font on the network."""

    CSS_PATH: ClassVar = Path(flowdeck_tui.__file__).parent / "app.tcss"

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        return FONTS.sub("", super().export_screenshot(title="flowdeck", simplify=simplify))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_as_it_was(
    still_home: SeededHome, name: str, size: tuple[int, int], snap_compare: Callable[..., bool]
) -> None:
    """Each pane and dialog, drawn to the cell."""
    picture = PICTURES[name]
    if picture.seed is not None:
        picture.seed(still_home)
    app = make_app(still_home, _Pictured)

    async def draw(pilot: AppPilot) -> None:
        await until(pilot, lambda: app.active_pane)
        await _at_rest(app, pilot)
        for key in picture.keys.split():
            await press(pilot, key)
            await until(pilot, lambda: app.runs_pane.log_panel._opening is None)
        await until_shown(pilot, picture.shown)
        await _at_rest(app, pilot)

    before: Callable[[AppPilot], Awaitable[None]] = draw
    assert snap_compare(app, terminal_size=size, run_before=before)


async def _at_rest(app: FlowdeckApp, pilot: AppPilot) -> None:
    """Wait until what the pump, the log and the commands had to bring is drawn."""
    same = 0
    text = ""
    while same < 3:
        await until(pilot, lambda: app.runs_pane.log_panel._opening is None and app.pump._drawn.is_set())
        await pilot.pause(0.03)
        before, text = text, screen_text(pilot)
        same = same + 1 if text == before else 0
