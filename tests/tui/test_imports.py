"""What the screen may import, and what it must not pay for before its first paint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app" / "flowdeck_tui"
PROBE = """
import sys
import flowdeck_tui.app
print(*sorted(name for name in sys.modules))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    root = APP.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={"PYTHONPATH": f"{root / 'engine'}:{root / 'app'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_of_ours_the_app_names_only_deck_and_rules() -> None:
    """The screen sees the engine through Deck and pure values, whatever else exists."""
    foreign = []
    for file in APP.rglob("*.py"):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split()
            names_ours = len(words) > 1 and words[0] in ("import", "from") and words[1].split(".")[0] == "flowdeck"
            if names_ours and not words[1].startswith(("flowdeck.deck", "flowdeck.rules")):
                foreign.append(f"{file.name}:{number}: {line.strip()}")
    assert not foreign


@pytest.mark.parametrize(
    "module", ["flowdeck.store", "flowdeck.deck", "sqlite3", "sqlite_utils", "pysqlite3", "pydantic"]
)
def test_nothing_slow_is_imported_before_the_first_paint(loaded: set[str], module: str) -> None:
    """The database comes in a thread, once something is on the screen."""
    assert module not in loaded


def test_user_code_machinery_is_never_imported(loaded: set[str]) -> None:
    """No flow process, no service, no execution in the process of the screen."""
    assert not {name for name in loaded if name.startswith(("flowdeck.host", "flowdeck.service", "flowdeck.execution"))}
