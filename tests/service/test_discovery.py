"""Discovery with real folders, real saves and real describing processes."""

from __future__ import annotations

import asyncio
import os
import textwrap
from pathlib import Path

import pytest

from tests.service.watched import ONE_FLOW, Watched, functions

pytestmark = pytest.mark.asyncio


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


async def test_a_large_folder_is_known_from_the_start(watched: Watched) -> None:
    """Twenty flows among two thousand files: listed before an engine has looked, and none of them imported again."""
    for number in range(20):
        watched.save(f"package_{number}/job.py", ONE_FLOW)
        for module in range(99):
            (watched.folder / f"package_{number}" / f"m{module}.py").write_text(f"x = {module}\n", encoding="utf-8")
    async with watched.served():
        await watched.until(lambda found: len(found) == 20)
    watched.describer.looks.clear()
    assert functions(watched.catalogue.entries()) == ["first"] * 20
    watched.save("new.py", ONE_FLOW.replace("first", "new"))
    async with watched.served():
        entries = await watched.until(lambda found: "new" in functions(found))
    assert watched.describer.looks == ["new.py"]
    assert len(entries) == 21


async def test_of_many_saves_the_last_one_counts(watched: Watched) -> None:
    """Fifty saves of one file within a second: what is listed in the end is the last, and not all were imported."""
    async with watched.served():
        for number in range(50):
            watched.save("etl.py", ONE_FLOW.replace("first", f"version_{number}"))
            await asyncio.sleep(0.02)
        await watched.until(lambda found: functions(found) == ["version_49"])
    assert len(watched.describer.looks) < 25
    assert [entry.status for entry in watched.catalogue.entries()] == ["ok"]


async def test_flows_of_one_name_are_all_listed(watched: Watched) -> None:
    """In one file they are named with their lines; in two files each stands under its own."""
    same = ONE_FLOW.replace("@flow", '@flow(name="same")')
    watched.save("etl.py", same + same.replace("first", "second"))
    watched.save("other.py", same)
    async with watched.served():
        entries = await watched.until(lambda found: len(found) == 3)
    assert [entry.entrypoint for entry in entries] == ["etl.py:first", "etl.py:second", "other.py:first"]
    assert {entry.name for entry in entries} == {"same"}
    assert entries[0].error is not None
    assert entries[0].error.message.startswith("Two flows are named 'same': lines 4 and 9.")
    assert [entry.error for entry in entries[2:]] == [None]


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


async def test_a_look_that_ends_after_its_folder_was_forgotten_leaves_nothing(watched: Watched, tmp_path: Path) -> None:
    """A description that comes in between the request and the engine's taking note of it does not stay listed."""
    started, go = tmp_path / "started", tmp_path / "go"
    source = f"""
        import os, time
        open({str(started)!r}, "w")
        while not os.path.exists({str(go)!r}): time.sleep(0.01)
        """
    watched.save("etl.py", textwrap.dedent(source) + textwrap.dedent(ONE_FLOW))
    async with watched.served() as discovery:
        await watched.until_there(started)
        watched.catalogue.forget_folder(str(watched.folder))
        go.touch()
        await watched.until(lambda found: functions(found) == ["first"])
        discovery.wake()
        await watched.until(lambda found: found == [])
    assert watched.catalogue.files(str(watched.folder)) == {}


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


async def test_a_name_that_is_no_text_stops_nothing(watched: Watched) -> None:
    """Files whose names are not UTF-8 are passed over, those there at the start and those that come."""
    watched.save(os.fsdecode(b"old\xff.py"), ONE_FLOW)
    async with watched.served():
        watched.save("etl.py", ONE_FLOW)
        await watched.until(lambda found: functions(found) == ["first"])
        watched.save(os.fsdecode(b"new\xff.txt"), "")
        watched.save("etl.py", ONE_FLOW.replace("first", "second"))
        await watched.until(lambda found: functions(found) == ["second"])
