"""Which files of a folder count, on real folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from flowdeck.service.folder_scan import FolderScan

FLOW = "from flowdeck import flow\n@flow\ndef one(): pass\n"


def write(folder: Path, *files: str, source: str = FLOW) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(source, encoding="utf-8")


def found(folder: Path) -> list[str]:
    return sorted(FolderScan(str(folder)).scan().flow_files)


def git(folder: Path, *arguments: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env=environment)


def test_only_files_that_make_flows_are_found(tmp_path: Path) -> None:
    """Mentioning flowdeck, importing it for a task alone, or not being Python is not enough."""
    write(tmp_path, "a.py", "deep/er/b.py", "notes.txt")
    write(tmp_path, "mention.py", source="'flowdeck and @flow'")
    write(tmp_path, "steps.py", source="from flowdeck import task\n@task\ndef one(): pass\n")
    assert found(tmp_path) == ["a.py", "deep/er/b.py"]


def test_what_is_not_the_users_source_is_skipped(tmp_path: Path) -> None:
    """Hidden folders, virtual environments of any name, and what package managers fill."""
    write(
        tmp_path, "a.py", ".hidden/b.py", "node_modules/x/b.py", "lib/site-packages/b.py", "__pycache__/b.py", ".c.py"
    )
    write(tmp_path, "environment/lib/b.py")
    (tmp_path / "environment" / "pyvenv.cfg").touch()
    assert found(tmp_path) == ["a.py"]


def test_a_folder_that_is_itself_an_environment_or_hidden_is_looked_into(tmp_path: Path) -> None:
    """The rules are for what lies below the folder that was named."""
    folder = tmp_path / ".flows"
    write(folder, "a.py", "pyvenv.cfg")
    assert found(folder) == ["a.py"]


def test_links_lead_to_files_but_not_into_folders(tmp_path: Path) -> None:
    """A link to a folder could lead in a circle; one to nothing, and a pipe, are no files."""
    write(tmp_path, "real/a.py")
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "linked.py").symlink_to(tmp_path / "real" / "a.py")
    (folder / "circle").symlink_to(folder)
    (folder / "dangling.py").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.py")
    assert found(folder) == ["linked.py"]


def test_what_git_ignores_is_skipped(tmp_path: Path) -> None:
    """Ignored folders and files are left out, tracked ones that match a rule are not."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("build/\nscratch_*.py\n", encoding="utf-8")
    write(tmp_path, "a.py", "build/b.py", "scratch_1.py", "sub/scratch_2.py", "scratch_tracked.py")
    git(tmp_path, "add", "-f", "scratch_tracked.py")
    assert found(tmp_path) == ["a.py", "scratch_tracked.py"]
    assert found(tmp_path / "sub") == []


def test_an_ignored_folder_that_was_named_is_looked_into(tmp_path: Path) -> None:
    """Whoever opens a folder that git ignores wants what is in it."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("out/\n", encoding="utf-8")
    write(tmp_path, "out/a.py")
    assert found(tmp_path / "out") == ["a.py"]


def test_git_pointed_elsewhere_by_the_environment_is_not_misled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from a git hook, its variables do not say what is ignored here."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("b.py\n", encoding="utf-8")
    write(tmp_path, "a.py", "b.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert found(tmp_path) == ["a.py"]


def test_a_second_look_tells_whether_anything_changed(tmp_path: Path) -> None:
    """Also for Python files that make no flows: a flow file may import them."""
    write(tmp_path, "a.py")
    write(tmp_path, "steps.py", source="x = 1")
    scan = FolderScan(str(tmp_path))
    assert scan.scan().changed
    assert not scan.scan().changed
    write(tmp_path, "steps.py", source="x = 22")
    assert scan.scan().changed
    (tmp_path / "steps.py").unlink()
    assert scan.scan().changed
    assert not scan.scan().changed


def test_a_file_replaced_within_one_tick_of_the_clock_is_read_again(tmp_path: Path) -> None:
    """Same size, same time: the new inode tells."""
    write(tmp_path, "a.py")
    scan = FolderScan(str(tmp_path))
    before = scan.scan().flow_files["a.py"]
    times = (tmp_path / "a.py").stat()
    write(tmp_path, "beside.tmp", source=FLOW.replace("one", "two"))
    os.utime(tmp_path / "beside.tmp", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "beside.tmp").replace(tmp_path / "a.py")
    after = scan.scan().flow_files["a.py"]
    assert (after.mtime_ns, after.size) == (before.mtime_ns, before.size)
    assert after.sha256 != before.sha256


def test_a_broken_file_counts_when_it_was_known_or_looks_like_one(tmp_path: Path) -> None:
    """A file that cannot be parsed is not forgotten for that; one that never was of flows is not listed as broken."""
    write(tmp_path, "guessed.py", source=FLOW + "def (")
    write(tmp_path, "known.py", source="from flowdeck import flow as f\n@f\ndef (")
    scan = FolderScan(str(tmp_path))
    assert set(scan.scan().flow_files) == {"guessed.py"}
    assert set(FolderScan(str(tmp_path)).scan({"known.py"}).flow_files) == {"guessed.py", "known.py"}


def test_a_folder_that_is_gone_is_not_an_empty_one(tmp_path: Path) -> None:
    """Otherwise a disk that is away for a moment would clear the list of flows."""
    with pytest.raises(FileNotFoundError):
        FolderScan(str(tmp_path / "gone")).scan()


def test_changes_that_cannot_matter_are_told_by_their_path(tmp_path: Path) -> None:
    """A flow that writes data into its folder does not keep the engine busy."""
    write(tmp_path, "a.py", "sub/b.py", "environment/pyvenv.cfg")
    scan = FolderScan(str(tmp_path))
    scan.scan()
    matters = {
        file: scan.matters(str(tmp_path / file))
        for file in ("a.py", "new.py", "sub", ".gitignore", "data.csv", "out/data", ".git/index", "node_modules/x.py",
                     "sub/__pycache__/b.cpython-311.pyc", "environment/lib/x.py", "gone")
    }  # fmt: skip
    assert [file for file, does in matters.items() if does] == ["a.py", "new.py", "sub", ".gitignore"]


def test_two_thousand_files_are_looked_at_in_a_moment(tmp_path: Path) -> None:
    """The first look at a large folder reads each file once; later ones read none."""
    for number in range(2_000):
        write(tmp_path, f"part_{number % 40}/module_{number}.py", source=f"x = {number}\n" * 100)
    scan = FolderScan(str(tmp_path))
    seconds: list[float] = []
    for _ in range(2):
        begun = time.process_time()
        scan.scan()
        seconds.append(time.process_time() - begun)
    assert seconds[0] < 3.0, seconds  # ten times what it takes on an idle machine
    assert seconds[1] < seconds[0], seconds
