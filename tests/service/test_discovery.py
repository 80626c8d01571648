"""Discovery with real folders, real saves and real describing processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from flowdeck.deck import FlowEntry
from flowdeck.service.describing import TIME_LIMIT_SECONDS, Describer, Description
from flowdeck.service.discovery import Discovery
from flowdeck.store import processes
from flowdeck.store.catalogue import Catalogue
from flowdeck.store.database import Database
from flowdeck.store.feed import ChangeFeed
from flowdeck.store.home import locate

pytestmark = pytest.mark.asyncio

PATIENCE_SECONDS = 30.0
"""How long to wait for something that takes a second, on a machine that is busy with other things."""

ONE_FLOW = """
    from flowdeck import flow
    @flow
    def first(count: int = 1):
        "Do the first thing."
    """

Entries = list[FlowEntry]


class CountingDescriber(Describer):
    """Notes which files were looked at."""

    def __init__(self, time_limit_seconds: float = 30.0) -> None:
        super().__init__(time_limit_seconds)
        self.looks: list[str] = []

    async def describe(self, folder: str, file: str, interpreter: str) -> Description:
        self.looks.append(file)
        return await super().describe(folder, file, interpreter)


class Watched:
    """A home that watches one folder, and a discovery that serves it."""

    def __init__(self, place: Path, time_limit_seconds: float = 30.0) -> None:
        self.folder = place / "flows"
        self.folder.mkdir()
        self.database = Database(locate(place / "home"))
        self.catalogue = Catalogue(self.database)
        self.catalogue.watch_folder(str(self.folder))
        self.feed = ChangeFeed(self.database)
        self.describer = CountingDescriber(time_limit_seconds)
        self._serving: asyncio.Task[None] | None = None

    def save(self, file: str, source: str) -> None:
        """Write as editors do: beside, then in place."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".tmp")
        beside.write_text(textwrap.dedent(source), encoding="utf-8")
        beside.replace(path)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Discovery]:
        discovery = Discovery(self.database, self.describer)
        self._serving = asyncio.create_task(discovery.serve())
        try:
            yield discovery
        finally:
            self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving

    async def until(self, holds: Callable[[Entries], bool], folder: Path | None = None) -> Entries:
        """Wait on the change feed until the catalogue is as wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            entries = self.catalogue.entries(str(folder or self.folder))
            if holds(entries):
                return entries
            assert time.monotonic() < deadline, self._listed()
            if self._serving is not None and self._serving.done():
                self._serving.result()
            await asyncio.to_thread(self.feed.wait, 1.0)

    async def until_there(self, path: Path) -> None:
        """Wait until a file that an import writes is there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await asyncio.to_thread(path.exists):
            assert time.monotonic() < deadline, self._listed()
            await asyncio.to_thread(self.feed.wait, 0.02)

    def _listed(self) -> list[tuple[object, ...]]:
        return [(entry.entrypoint, entry.status, entry.error) for entry in self.catalogue.entries()]

    def close(self) -> None:
        self.feed.close()
        self.database.close()


@pytest_asyncio.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    home = Watched(tmp_path)
    yield home
    home.close()


def functions(entries: Entries) -> list[str | None]:
    return [entry.function for entry in entries]


async def test_what_is_there_is_described_at_the_start(watched: Watched) -> None:
    """A flow is listed with its name, line, description and parameters; other files are not even imported."""
    watched.save("etl.py", ONE_FLOW)
    watched.save("other.py", "raise SystemExit('prefect and flowdeck are only mentioned')")
    watched.save("deep/down.py", ONE_FLOW.replace("first", "second"))
    async with watched.served():
        entries = await watched.until(lambda found: len(found) == 2)
    assert [entry.entrypoint for entry in entries] == ["deep/down.py:second", "etl.py:first"]
    assert (entries[1].name, entries[1].line, entries[1].description) == ("first", 4, "Do the first thing.")
    assert entries[1].parameter_schema is not None
    assert entries[1].parameter_schema["properties"] == {"count": {"type": "integer", "default": 1}}
    assert sorted(watched.describer.looks) == ["deep/down.py", "etl.py"]


async def test_a_save_is_seen_within_seconds(watched: Watched) -> None:
    """A new file, a changed one, one that loses a flow, and one that is deleted, without anybody asking."""
    async with watched.served():
        watched.save("etl.py", ONE_FLOW)
        await watched.until(lambda found: functions(found) == ["first"])
        watched.save("etl.py", ONE_FLOW + ONE_FLOW.replace("first", "second"))
        await watched.until(lambda found: functions(found) == ["first", "second"])
        watched.save("etl.py", ONE_FLOW.replace("first", "second"))
        await watched.until(lambda found: functions(found) == ["second"])
        (watched.folder / "etl.py").unlink()
        await watched.until(lambda found: found == [])
    assert watched.catalogue.files(str(watched.folder)) == {}


async def test_a_folder_of_flows_that_is_moved_in_or_away_is_seen(watched: Watched, tmp_path: Path) -> None:
    """Moving a folder changes no file in it; its flows come and go all the same."""
    away = tmp_path / "away"
    away.mkdir()
    (away / "etl.py").write_text(textwrap.dedent(ONE_FLOW), encoding="utf-8")
    async with watched.served():
        watched.save("here.py", ONE_FLOW.replace("first", "here"))
        await watched.until(lambda found: functions(found) == ["here"])
        away.rename(watched.folder / "moved")
        await watched.until(lambda found: functions(found) == ["here", "first"])
        (watched.folder / "moved").rename(away)
        await watched.until(lambda found: functions(found) == ["here"])


async def test_a_broken_file_keeps_its_flows_and_says_why(watched: Watched) -> None:
    """Of a file that no longer imports, the last good flows stay listed, with the error and its line."""
    watched.save("etl.py", ONE_FLOW)
    async with watched.served():
        await watched.until(lambda found: functions(found) == ["first"])
        # Its text no longer shows that it makes flows: that it did is known.
        watched.save("etl.py", "from flowdeck import\nx = (")
        (entry,) = await watched.until(lambda found: found[0].status == "import_error")
        assert (entry.function, entry.name) == ("first", "first")
        assert entry.error is not None
        assert (entry.error.type, entry.error.line) == ("SyntaxError", 1)
        watched.save("etl.py", ONE_FLOW)
        (entry,) = await watched.until(lambda found: found[0].status == "ok")
        assert entry.error is None


async def test_a_file_that_never_imported_is_listed_with_its_error(watched: Watched) -> None:
    """A broken file does not hide: it is an entry without a flow."""
    watched.save("etl.py", ONE_FLOW + "\n    1 / 0\n")
    async with watched.served():
        (entry,) = await watched.until(lambda found: len(found) == 1)
    assert (entry.function, entry.status) == (None, "import_error")
    assert entry.error is not None
    assert (entry.error.type, entry.error.line) == ("ZeroDivisionError", 7)


async def test_a_file_mended_by_another_file_is_described_again(watched: Watched) -> None:
    """What fails to import for want of a module is looked at again when that module appears."""
    watched.save("etl.py", "import steps\n" + textwrap.dedent(ONE_FLOW))
    async with watched.served():
        await watched.until(lambda found: [entry.status for entry in found] == ["import_error"])
        watched.save("steps.py", "x = 1")
        await watched.until(lambda found: [entry.status for entry in found] == ["ok"])


async def test_what_is_known_is_not_described_again(watched: Watched) -> None:
    """The next engine imports only what has changed, and what was broken."""
    watched.save("good.py", ONE_FLOW)
    watched.save("bad.py", ONE_FLOW + "\n    1 / 0\n")
    async with watched.served():
        await watched.until(lambda found: len(found) == 2)
    watched.describer.looks.clear()
    watched.save("new.py", ONE_FLOW.replace("first", "third"))
    async with watched.served():
        await watched.until(lambda found: len(found) == 3)
    assert sorted(watched.describer.looks) == ["bad.py", "new.py"]


async def test_a_hanging_file_stops_no_other(tmp_path: Path) -> None:
    """While one file is being imported for ever, a save of another is described; the first ends with a sentence."""
    watched = Watched(tmp_path, time_limit_seconds=2.0)
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
    assert error.message == "hangs.py did not finish importing within 2 s; it was in line 3."
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


async def test_a_folder_that_is_watched_later_is_followed(watched: Watched, tmp_path: Path) -> None:
    """A second folder joins while the engine runs, and leaves again when it is forgotten."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "etl.py").write_text(textwrap.dedent(ONE_FLOW), encoding="utf-8")
    async with watched.served() as discovery:
        watched.catalogue.watch_folder(str(other))
        discovery.wake()
        await watched.until(lambda found: functions(found) == ["first"], other)
        watched.catalogue.forget_folder(str(other))
        discovery.wake()
        watched.save("here.py", ONE_FLOW)
        await watched.until(lambda found: functions(found) == ["first"])
    assert watched.catalogue.entries(str(other)) == []


async def test_flows_of_a_folder_that_is_gone_stay_listed(watched: Watched, tmp_path: Path) -> None:
    """A folder may lie on a disk that comes back."""
    watched.save("etl.py", ONE_FLOW)
    async with watched.served():
        await watched.until(lambda found: functions(found) == ["first"])
    watched.folder.rename(tmp_path / "elsewhere")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "etl.py").write_text(textwrap.dedent(ONE_FLOW), encoding="utf-8")
    async with watched.served():
        watched.catalogue.watch_folder(str(tmp_path / "there"))
        await watched.until(lambda found: functions(found) == ["first"], tmp_path / "there")
    assert functions(watched.catalogue.entries(str(watched.folder))) == ["first"]


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


async def test_a_name_that_is_no_text_stops_nothing(watched: Watched) -> None:
    """Files whose names are not UTF-8 are passed over, those there at the start and those that come."""
    watched.save(os.fsdecode(b"old\xff.py"), ONE_FLOW)
    async with watched.served():
        watched.save("etl.py", ONE_FLOW)
        await watched.until(lambda found: functions(found) == ["first"])
        watched.save(os.fsdecode(b"new\xff.txt"), "")
        watched.save("etl.py", ONE_FLOW.replace("first", "second"))
        await watched.until(lambda found: functions(found) == ["second"])


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
