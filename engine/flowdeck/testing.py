"""For tests of flows: a home of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flowdeck.execution.starts import run_creation, standalone_tasks
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home

__all__ = ["flowdeck_test_harness"]

_VARIABLE: Final = "FLOWDECK_HOME"
_lock: Final = threading.Lock()
_template: list[Path] = []
"""An empty home: making one takes a tenth of a second, copying it a few milliseconds."""


@contextmanager
def flowdeck_test_harness() -> Generator[Path]:
    """Let flows and tasks run in an empty temporary home, which is removed at the end.

    As a fixture of pytest, for every test or once for all:

        @pytest.fixture(autouse=True)
        def flowdeck_home():
            with flowdeck_test_harness() as home:
                yield home

    Yields:
        The folder of the home; `flowdeck.deck.Deck(folder)` tells what was recorded in it.
    """
    former = os.environ.get(_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="flowdeck-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder).resolve() / "home")
        shutil.copytree(_empty_home(), home.path)
        os.environ[_VARIABLE] = str(home.path)
        try:
            yield home.path
        finally:
            standalone_tasks.wait_for_ends()
            if former is None:
                os.environ.pop(_VARIABLE, None)
            else:
                os.environ[_VARIABLE] = former
            run_creation.close_shared_database(home)


def _empty_home() -> Path:
    with _lock:
        if not _template:
            folder = Path(tempfile.mkdtemp(prefix="flowdeck-")).resolve()
            atexit.register(_remove, folder, os.getpid())
            Database(Home(folder / "home")).close()
            _template.append(folder / "home")
        return _template[0]


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # not in what was forked
        shutil.rmtree(folder, ignore_errors=True)
