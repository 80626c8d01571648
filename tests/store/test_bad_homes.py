"""Homes that cannot be used, as real commands meet them: one sentence, no traceback, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database import database as database_module
from flowdeck.store.database import sqlite
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home
from tests.support.scripts import PATIENCE_SECONDS, Scripts

ANOTHER_USER = 54321
FLOW = "from flowdeck import flow\n@flow\ndef main(): print('ran')\nif __name__ == '__main__': main()\n"
COMMANDS = [
    ["-m", "flowdeck", "flow-run", "ls"],
    ["-m", "flowdeck", "run", "flow.py"],
    ["-m", "flowdeck", "server", "start", "--background"],
    ["-m", "flowdeck.service"],
    ["flow.py"],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow."""
    made = tmp_path / "flows"
    made.mkdir()
    (made / "flow.py").write_text(FLOW)
    return made


Run = Callable[[Sequence[str], Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(folder: Path) -> Run:
    """Run Python with some words in a home, after other words that take rights away."""

    def start(words: Sequence[str], home: Path, wrapped: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLOWDECK_")}
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.run(
            [*wrapped, sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False,
            env={**inherited, "FLOWDECK_HOME": str(home), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip

    return start


def sentence_of(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a command that was refused."""
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    (line,) = ended.stderr.splitlines()
    return line


# -- rights ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def read_only(tmp_path: Path, empty_home: Path) -> Iterator[Path]:
    """A folder that is mounted read-only, with a home in it."""
    place = tmp_path / "read-only"
    place.mkdir()
    shutil.copytree(empty_home, place / "home")
    for words in (["--bind", str(place), str(place)], ["-o", "remount,ro,bind", str(place)]):
        if (
            shutil.which("mount") is None
            or subprocess.run(["mount", *words], capture_output=True, check=False).returncode
        ):
            pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_home_on_a_read_only_file_system(read_only: Path, run: Run, words: list[str]) -> None:
    """Root is kept from it too."""
    line = sentence_of(run(words, read_only / "home"))
    assert f"The home folder {read_only}/home is not writable: its file system is mounted read-only." in line
    assert line.endswith("Set FLOWDECK_HOME to a folder you own.")


def test_new_home_on_a_read_only_file_system(read_only: Path, run: Run) -> None:
    """It cannot even be made."""
    line = sentence_of(run(COMMANDS[0], read_only / "new"))
    assert f"The home folder {read_only}/new cannot be created: Read-only file system." in line


@pytest.fixture
def powerless() -> Sequence[str]:
    """Words before a command that leave it this user's files only, also when this user is root."""
    if os.geteuid() != 0:
        pytest.skip("files cannot be given to another user here")
    words = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("setpriv cannot take rights away here")
    return words


def give_away(path: Path) -> None:
    for place in (path, *path.rglob("*")):
        os.chown(place, ANOTHER_USER, ANOTHER_USER)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_home_of_another_user(
    tmp_path: Path, empty_home: Path, run: Run, powerless: list[str], words: list[str]
) -> None:
    """Private as homes are, nobody else comes in."""
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    give_away(home)
    line = sentence_of(run(words, home, powerless))  # type: ignore[call-arg]
    assert (
        f"The home folder {home} cannot be used: it belongs to another user (uid {ANOTHER_USER}, this is uid 0)."
        in line
    )


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        (0o755, "is not writable: it belongs to another user"),
        (0o777, "state.db may not be written by this user (uid 0)"),
    ],
)
def test_open_home_of_another_user(
    tmp_path: Path, empty_home: Path, run: Run, powerless: list[str], mode: int, sentence: str
) -> None:
    """Whose mode was changed: files in it are private still."""
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    for place in (home, home / "logs", home / "bells"):
        place.chmod(mode)
    give_away(home)
    line = sentence_of(run(COMMANDS[0], home, powerless))  # type: ignore[call-arg]
    assert sentence in line
    assert line.endswith("Set FLOWDECK_HOME to a folder you own.")


def test_folder_of_flows_that_may_not_be_read(tmp_path: Path, folder: Path, run: Run, powerless: list[str]) -> None:
    """`server start` names it; nothing is watched."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    give_away(locked)
    words = ["-m", "flowdeck", "server", "start", str(locked), "--background"]
    line = sentence_of(run(words, tmp_path / "home", powerless))  # type: ignore[call-arg]
    assert f"The folder {locked} may not be read; change its mode or choose another." in line
    del folder


# -- locks and space ---------------------------------------------------------------------------------------------------


def test_store_that_another_program_locks(
    database: Database, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's shell sits in a transaction: one sentence after a while, and all goes on once it has left."""
    holder = scripts.start("""
        import sqlite3
        connection = sqlite3.connect(os.path.join(os.environ["FLOWDECK_HOME"], "state.db"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        sys.stdin.readline()
        """)
    assert holder.line() == "held"
    monkeypatch.setattr(database_module, "LOCK_PATIENCE_SECONDS", 0.1)
    deck = Deck(database.home.path)
    assert deck.flow_runs.select() == []
    path = database.home.database
    with pytest.raises(
        StoreError, match=rf"^{path} was locked by another program for 0 s\. Nothing was written; close"
    ):
        deck.folders.watch(Path("/tmp"))
    holder.tell()
    assert holder.end().code == 0
    deck.folders.watch(Path("/tmp"))
    assert deck.engine.status().folders == (os.path.realpath("/tmp"),)
    deck.close()


def fill(folder: Path) -> None:
    """Leave no room on a small disk."""
    with open(folder / "filler", "wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                continue


FILLED_UP = """
        @task
        def work(number): return number
        @flow
        def main():
            logger = get_run_logger()
            for number in range(5): work(number)
            logger.info("before")
            print("full?", flush=True)
            sys.stdin.readline()
            logger.info("x" * 10_000)
            try:
                for number in range(5, 2000): work(number)
            finally:
                print("room?", flush=True)
                sys.stdin.readline()
                logger.info("after")
        main()
        """


def test_disk_that_fills_up_under_a_flow(small_disk: Path, empty_home: Path, scripts: Scripts) -> None:
    """What was recorded stays, the call that could not be recorded fails the flow, and lost lines are told."""
    home = Home(small_disk / "home")
    shutil.copytree(empty_home, home.path)
    script = scripts.start(FILLED_UP, environment={"FLOWDECK_HOME": str(home.path)})
    assert script.line() == "full?"
    fill(small_disk)
    script.tell()
    assert script.line() == "room?"
    (small_disk / "filler").unlink()
    script.tell()
    ended = script.end()
    assert ended.code == 1
    assert f"The disk that holds {home.path} is full; nothing was written." in ended.err
    deck = Deck(home.path)
    (run,) = deck.flow_runs.select()
    assert run.state_name == "Failed"
    assert run.error is not None
    assert "is full; nothing was written" in run.error.message
    completed = [task for task in deck.task_runs.of_flow_run(run.key) if task.state_name == "Completed"]
    assert [task.index for task in completed[:5]] == list(range(5))
    reader = deck.logs.of_run(run)
    messages = [record.message for record in reader.records()]
    reader.close()
    assert "before" in messages
    assert any("missing here: the file could not be written (No space left on device)" in text for text in messages)
    assert "after" in messages
    deck.close()
    with closing(sqlite.connect(home.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
