"""A run that ends while the disk of its home is full."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest

from flowdeck.cli import engine_checks
from flowdeck.host.crash_recording import end_run
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.states import StateType
from flowdeck.store.logs.log_writer import LogWriter
from flowdeck.store.runs.process_claims import Holder
from tests.support.live_home import LiveHome, is_running

PATIENCE_SECONDS = 1.5
"""More than the first tries of a host take."""


def test_host_waits_for_room_although_nobody_can_be_told(small_disk: Path, empty_home: Path) -> None:
    """What it says goes to engine.log, on the same disk; that it cannot say it is no reason to leave the run."""
    shutil.copytree(empty_home, small_disk / "home")
    with closing(LiveHome(small_disk)) as live:
        run = live.create("""
            @flow
            def main():
                told = os.environ["FLOWDECK_HOME"] + "/stderr.txt"  # the rest of its last block is room, too
                files = [open(name, "ab", buffering=0) for name in ("filler", told)]
                for size in (65536, 4096, 1):
                    for file in files:
                        try:
                            while file.write(b"x" * size): pass
                        except OSError: continue
                os._exit(3)
            """)
        host = live.start_host(run)
        live.until(lambda: (pid := live.now(run).pid) is not None and not is_running(pid))
        with pytest.raises(subprocess.TimeoutExpired):
            host.wait(PATIENCE_SECONDS)
        assert not live.now(run).is_final
        reason = engine_checks.reason_of(live.deck, live.now(run), engine_checks.now())
        assert reason is not None
        assert reason.startswith("the disk of the home is full; its process is gone")
        (live.folder / "filler").unlink()
        assert host.wait(30) == 0
        ended = live.now(run)
        assert (ended.state_type, ended.exit_code) == (StateType.CRASHED, 3)
        assert engine_checks.reason_of(live.deck, ended, engine_checks.now()) is None


def test_end_is_said_once_however_often_it_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has room while the database has none; an engine begins with a new writer each time."""
    with closing(LiveHome(tmp_path)) as live:
        run = live.create("@flow\ndef main(): os._exit(3)")
        holder = Holder(run.key, live.claim(), None, None)

        def full(_: object) -> None:
            raise StoreError("The disk is full.")

        for number in range(4):
            log = LogWriter(live.database.home.log_file(run.id))
            with monkeypatch.context() as patched:
                if number < 3:
                    patched.setattr(live.database, "write", full)
                with suppress(StoreError):
                    end_run(live.database, run.id, holder, "It is gone.", {}, log)
            log.close()
        assert live.now(run).is_final
        assert live.messages(run, "engine").count("Crashed: It is gone.") == 1
