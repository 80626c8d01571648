"""What discovery makes of files that do more than define flows when they are imported."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path

import pytest

from flowdeck.service.describing import TIME_LIMIT_SECONDS
from flowdeck.store import processes
from tests.service.watched import ONE_FLOW, PATIENCE_SECONDS, Watched, functions

pytestmark = pytest.mark.asyncio


def has_ended(pid: int) -> bool:
    """Wait until a killed process, that nobody here can wait for, is gone or a zombie."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


async def test_a_hanging_file_stops_no_other(tmp_path: Path) -> None:
    """While one file is being imported for ever, a save of another is described; the first ends with a sentence."""
    watched = Watched(tmp_path, time_limit_seconds=3.0)
    source = f"import os\nprint(os.getpid(), file=open({str(tmp_path / 'pid')!r}, 'w'))\nwhile True: pass\n"
    watched.save("hangs.py", source + textwrap.dedent(ONE_FLOW))
    try:
        async with watched.served():
            watched.save("quick.py", ONE_FLOW)
            assert functions(await watched.until(lambda found: len(found) == 1)) == ["first"]
            entries = await watched.until(lambda found: len(found) == 2)
    finally:
        watched.close()
    error = entries[0].error
    assert error is not None
    assert error.message == "hangs.py did not finish importing within 3 s; it was in line 3."
    assert error.line == 3
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_saving_a_hanging_file_anew_ends_the_look_at_the_old_one(watched: Watched, tmp_path: Path) -> None:
    """Nobody waits for the time limit once the mistake is put right."""
    started = tmp_path / "started"
    source = f"open({str(started)!r}, 'w')\nwhile True: pass\n"
    async with watched.served():
        watched.save("etl.py", source + textwrap.dedent(ONE_FLOW))
        await watched.until_there(started)
        begun = time.monotonic()
        watched.save("etl.py", ONE_FLOW)
        await watched.until(lambda found: functions(found) == ["first"])
    assert time.monotonic() - begun < TIME_LIMIT_SECONDS


async def test_an_import_that_ends_the_process_is_told(watched: Watched) -> None:
    """`os._exit` leaves nothing to read; the entry says how it ended and what it said last."""
    watched.save("etl.py", "import os, sys\nsys.stderr.write('no licence')\nos._exit(7)\n" + textwrap.dedent(ONE_FLOW))
    async with watched.served():
        (entry,) = await watched.until(lambda found: len(found) == 1)
    assert entry.error is not None
    assert entry.error.message == "Importing it ended the process (exit code 7)."
    assert entry.error.traceback == "no licence"


async def test_a_file_that_forks_is_described_once(watched: Watched) -> None:
    """Its flows are listed with the line that forks, and the copy is ended with the look."""
    pid_file = watched.folder / "pid.txt"
    source = f"""
        import os, time
        if os.fork() == 0:
            open({str(pid_file)!r}, "w").write(str(os.getpid()))
            time.sleep(600)
        while not os.path.exists({str(pid_file)!r}): time.sleep(0.01)
        """
    watched.save("etl.py", textwrap.dedent(source) + textwrap.dedent(ONE_FLOW))
    async with watched.served():
        (entry,) = await watched.until(lambda found: functions(found) == ["first"])
    assert entry.error is not None
    assert entry.error.message.startswith("etl.py, line 3: the process is copied (fork)")
    assert has_ended(int(pid_file.read_text()))


async def test_what_an_import_starts_does_not_outlive_it(watched: Watched, tmp_path: Path) -> None:
    """A process, and a thread that waits for ever, neither hold up the description nor stay behind."""
    pid_file = tmp_path / "pid"
    source = f"""
        import subprocess, threading
        child = subprocess.Popen(["sleep", "600"])
        open({str(pid_file)!r}, "w").write(str(child.pid))
        threading.Thread(target=threading.Event().wait).start()
        """
    watched.save("etl.py", textwrap.dedent(source) + textwrap.dedent(ONE_FLOW))
    begun = time.monotonic()
    async with watched.served():
        await watched.until(lambda found: functions(found) == ["first"])
    assert time.monotonic() - begun < 30.0
    assert has_ended(int(pid_file.read_text()))


async def test_what_an_import_starts_does_not_outlive_the_look(watched: Watched) -> None:
    """Also a process that was moved to a session of its own is ended."""
    pid_file = watched.folder / "pid.txt"
    start = f"""
        import subprocess
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        open({str(pid_file)!r}, "w").write(str(child.pid))
        """
    watched.save("etl.py", textwrap.dedent(start) + textwrap.dedent(ONE_FLOW))
    async with watched.served():
        await watched.until(lambda found: functions(found) == ["first"])
    assert processes.token(int(pid_file.read_text())) is None


async def test_at_most_two_files_are_imported_at_once(watched: Watched, tmp_path: Path) -> None:
    """Starting in a folder of many flows leaves the machine usable."""
    marks = tmp_path / "marks"
    marks.mkdir()
    source = f"""
        import os, time
        marks = {str(marks)!r}
        mine = os.path.join(marks, str(os.getpid()))
        open(mine, "w").close()
        time.sleep(0.1)
        together = len(os.listdir(marks))
        os.unlink(mine)
        assert together <= 2, f"{{together}} at once"
        """
    for number in range(5):
        watched.save(f"flow_{number}.py", textwrap.dedent(source) + textwrap.dedent(ONE_FLOW))
    async with watched.served():
        entries = await watched.until(lambda found: len(found) == 5)
    assert {entry.status for entry in entries} == {"ok"}, [entry.error for entry in entries]
