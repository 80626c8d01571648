"""A home whose state.db is gone or empty although it has had runs, and one whose state.db is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.deck import Deck, RunQuery
from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home


@pytest.fixture
def used(tmp_path: Path) -> Home:
    """A home that has had two runs."""
    home = Home(tmp_path / "used")
    Database(home).close()
    for name in ("one", "two"):
        home.log_file(name).write_text("")
    return home


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_home_that_lost_its_database_is_not_shown_as_one_without_runs(used: Home, state: str) -> None:
    """One sentence: what was found, where backups are, what to do; nothing is made anew."""
    used.database.unlink()
    if state == "empty":
        used.database.touch()
    with pytest.raises(StoreError) as raised:
        Deck(used.path)
    told = str(raised.value)
    assert told.startswith(f"{used.database} is {state}, but {used.logs} has the logs of 2 run(s)")
    assert "(no backup is here)" in told
    (used.path / "state.db.schema-3.backup").touch()
    with pytest.raises(StoreError, match=r"here are state\.db\.schema-3\.backup"):
        Deck(used.path)
    assert not used.database.exists() or used.database.stat().st_size == 0
    for log in used.logs.iterdir():
        log.unlink()
    Deck(used.path).close()
    assert used.database.stat().st_size > 0


def test_empty_home_is_made_anew(used: Home) -> None:
    """Without logs nothing was lost."""
    used.database.write_bytes(b"")
    for log in used.logs.iterdir():
        log.unlink()
    with closing(Deck(used.path)) as deck:
        assert deck.flow_runs.select(RunQuery()) == []


@pytest.mark.parametrize(
    "words", [["flow-run", "ls"], ["flow", "ls"], ["flow-run", "create", "main"], ["server", "status"]], ids=" ".join
)
def test_damaged_database_is_explained(tmp_path: Path, words: list[str]) -> None:
    """Whoever reads is told as whoever writes."""
    home = Home(tmp_path / "home")
    Database(home).close()
    damage(home.database)
    told = command(home, *words)
    (line,) = told.stderr.splitlines()
    assert (told.returncode, told.stdout) == (1, "")
    assert f"{home.database} is damaged (" in line
    assert "`flowdeck doctor`" in line
    assert "(no backup is here)" in line
    checks = json.loads(command(home, "doctor", "--json").stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "store"]
    assert check["status"] == "error"
    assert "(no backup is here)" in check["fix"]


def command(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a home."""
    environment = {**os.environ, "FLOWDECK_HOME": str(home.path)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-m", "flowdeck", *words], env=environment, cwd=home.path.parent, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def damage(database: Path) -> None:
    """Overwrite all pages but the first, which tells the size and the schema's place."""
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
