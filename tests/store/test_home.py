"""The home: where it is, and where it must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.rules.exceptions import StoreError
from flowdeck.store import home as home_module
from flowdeck.store.home import Home, filesystem, locate, prepare


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The table of mounted file systems, to be filled by a test."""
    lines: list[str] = []
    read_text = Path.read_text

    def read(path: Path, *arguments: str, **options: str) -> str:
        if str(path) == "/proc/self/mounts":
            return "".join(f"{line} rw 0 0\n" for line in lines)
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read)
    return lines


def test_home_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is named counts most, then FLOWDECK_HOME, then ~/.flowdeck; an empty variable is none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLOWDECK_HOME", "~/elsewhere")
    assert locate("/named").path == Path("/named")
    assert locate().path == tmp_path / "elsewhere"
    monkeypatch.setenv("FLOWDECK_HOME", "")
    assert locate().path == tmp_path / ".flowdeck"


def test_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that changes its folder later keeps its home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDECK_HOME", "here")
    assert locate().path == tmp_path / "here"


def test_home_of_nobody() -> None:
    """One sentence, naming what cannot be found."""
    with pytest.raises(StoreError, match="~nobody-of-this-name/x cannot be found"):
        locate("~nobody-of-this-name/x")


def test_locating_makes_nothing(tmp_path: Path) -> None:
    """Asking where the home is leaves no folder behind."""
    locate(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_home_that_others_may_enter_is_narrowed(tmp_path: Path) -> None:
    """Also its folders; what the owner may do stays."""
    home = Home(tmp_path / "home")
    for folder in (home.path, home.logs, home.bells):
        folder.mkdir()
        folder.chmod(0o755)
    prepare(home)
    assert [folder.stat().st_mode & 0o777 for folder in (home.path, home.logs, home.bells)] == [0o700] * 3


def test_prepare_makes_the_folders_again_and_again(tmp_path: Path) -> None:
    """The first time as well as the second."""
    home = Home(tmp_path / "deep" / "home")
    for _ in range(2):
        prepare(home)
    assert home.logs.is_dir()
    assert home.bells.is_dir()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_file_in_the_place_of_the_home(tmp_path: Path, place: str) -> None:
    """One sentence, with the path and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=rf"{tmp_path}/{place} cannot be created: .*Set FLOWDECK_HOME"):
        prepare(Home(tmp_path / place))


def test_home_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same; root may write anywhere, so that the answer of the system is feigned."""
    monkeypatch.setattr(home_module.os, "access", lambda *_: False)
    with pytest.raises(StoreError, match="is not writable"):
        prepare(Home(tmp_path / "home"))


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_network_file_system_is_refused(tmp_path: Path, mounts: list[str], kind: str) -> None:
    """SQLite's locks are not to be relied on there."""
    mounts.extend(["/dev/sda / ext4", f"server:/x {tmp_path} {kind}"])
    with pytest.raises(StoreError, match=f"network file system \\({kind}\\)"):
        prepare(Home(tmp_path / "home"))


def test_innermost_mount_counts(mounts: list[str], tmp_path: Path) -> None:
    """A local disk below a network one is local; a neighbour with the same beginning is another folder."""
    spaced = str(tmp_path / "with space").replace(" ", "\\040")
    mounts.extend([
        "/dev/sda / ext4", f"server:/x {tmp_path} nfs", f"/dev/sdb {tmp_path}/local xfs", f"server:/y {spaced} cifs",
    ])  # fmt: skip
    assert filesystem(tmp_path / "a") == "nfs"
    assert filesystem(tmp_path / "local" / "home") == "xfs"
    assert filesystem(tmp_path / "locality") == "nfs"
    assert filesystem(tmp_path / "with space" / "x") == "cifs"
    assert filesystem(Path("/usr")) == "ext4"


def test_link_is_followed(mounts: list[str], tmp_path: Path) -> None:
    """The file system of the place counts, not that of the link to it."""
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far")
    mounts.extend(["/dev/sda / ext4", f"server:/x {tmp_path}/far nfs"])
    assert filesystem(tmp_path / "link" / "home") == "nfs"


def test_log_file_is_named_after_its_run(tmp_path: Path) -> None:
    """So that less and grep find it."""
    assert Home(tmp_path).log_file("0191") == tmp_path / "logs" / "0191.log"
