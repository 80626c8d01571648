"""A run that ends while the disk of its home is full."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from flowdeck.rules.states import StateType
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
        (live.folder / "filler").unlink()
        assert host.wait(30) == 0
        ended = live.now(run)
        assert (ended.state_type, ended.exit_code) == (StateType.CRASHED, 3)
