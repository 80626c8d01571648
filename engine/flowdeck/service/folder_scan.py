"""Which files of a watched folder are flow files: a walk that skips what is not the user's own source."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowdeck.rules.flow_files import candidate, find_flows

SKIPPED_FOLDERS: Final = frozenset({"node_modules", "site-packages", "__pycache__"})
ENVIRONMENT_MARK: Final = "pyvenv.cfg"
GIT_PATIENCE_SECONDS: Final = 10.0
MAXIMUM_FILE_BYTES: Final = 4 << 20
"""Python source larger than this was made by a program, not by a person."""

Stamp = tuple[int, int, int]
"""Time of the last change in nanoseconds, size in bytes, inode: an editor may put a new file in the old one's place."""


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file that makes flows.

    Attributes:
        file: path relative to the folder.
        mtime_ns: time of the last change.
        size: in bytes.
        sha256: SHA-256 of its content.
        broken: it cannot be parsed; whether it makes flows is a guess by its text.
    """

    file: str
    mtime_ns: int
    size: int
    sha256: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a look at a folder found.

    Attributes:
        flow_files: the flow files by relative path.
        changed: a Python file, of flows or not, is new, changed or gone since the look before.
    """

    flow_files: dict[str, FlowFile]
    changed: bool


class FolderScan:
    """Looks at a folder again and again; what has not changed since the last look is not read again."""

    def __init__(self, folder: str) -> None:
        """Args: folder: absolute path."""
        self.folder = folder
        self._seen: dict[str, tuple[Stamp, FlowFile | None]] = {}
        self._folders: frozenset[str] = frozenset()
        self._skipped: frozenset[str] = frozenset()

    def scan(self, known: Collection[str] = ()) -> Snapshot:
        """Walk the folder.

        Args:
            known: relative paths of files that held flows: one of them that cannot be parsed now counts as a flow file
                that is broken, whatever its text looks like.

        Raises:
            FileNotFoundError: the folder is not there at the moment.
            NotADirectoryError: it is no folder any more.
        """
        os.scandir(self.folder).close()
        walk = _Walk(self.folder, ignored_by_git(self.folder))
        seen: dict[str, tuple[Stamp, FlowFile | None]] = {}
        changed = False
        for file, stamp in walk.python_files():
            before = self._seen.get(file)
            if before is not None and before[0] == stamp:
                seen[file] = before
            else:
                changed = True
                seen[file] = (stamp, self._read(file, stamp, file in known))
        changed = changed or self._seen.keys() != seen.keys()
        self._seen, self._folders, self._skipped = seen, frozenset(walk.folders), frozenset(walk.skipped)
        found = {file: flow_file for file, (_, flow_file) in seen.items() if flow_file is not None}
        return Snapshot(found, changed)

    def matters(self, path: str) -> bool:
        """Tell whether a change of this absolute path can be one of flows, without a look at the folder."""
        file = os.path.relpath(path, self.folder)
        if file == ".":
            return True
        parts = Path(file).parts
        if any(is_skipped_name(part) for part in parts[:-1]) or self._lies_in_skipped(file):
            return False
        if path.endswith(".py") or parts[-1] in {".gitignore", ENVIRONMENT_MARK}:
            return True
        if is_skipped_name(parts[-1]):
            return False
        # A folder that came or went, with flow files in it.
        return file in self._folders or os.path.isdir(path)

    def _lies_in_skipped(self, file: str) -> bool:
        return any(file.startswith(f"{skipped}/") for skipped in self._skipped)

    def _read(self, file: str, stamp: Stamp, known: bool) -> FlowFile | None:
        """Return what a file is; None when it makes no flow."""
        mtime_ns, size, _ = stamp
        if size > MAXIMUM_FILE_BYTES:
            return None
        try:
            source = Path(self.folder, file).read_bytes()
        except OSError:
            return None
        if not candidate(source):
            return None
        outline = find_flows(source, file)
        broken = outline.problem is not None
        if not outline.makes_flows and not (broken and known):
            return None
        return FlowFile(file, mtime_ns, size, hashlib.sha256(source).hexdigest(), broken)


def is_skipped_name(name: str) -> bool:
    """Tell whether a folder of this name is never looked into."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def ignored_by_git(folder: str) -> frozenset[str]:
    """Return the relative paths that git ignores, folders without a trailing slash; empty outside of a work tree."""
    if not any(os.path.exists(os.path.join(place, ".git")) for place in (folder, *map(str, Path(folder).parents))):
        return frozenset()
    # Variables that point git elsewhere are those of a hook that started us; a file monitor could be any program.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            [
                *("git", "-c", "core.fsmonitor=false", "ls-files"),
                *("--others", "--ignored", "--exclude-standard", "--directory", "-z"),
            ],
            cwd=folder,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            check=True,
            timeout=GIT_PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    # "./" says that the folder itself is ignored. Whoever has it watched wants what is in it.
    return frozenset(os.fsdecode(path).rstrip("/") for path in answer.stdout.split(b"\0") if path) - {"", "."}


class _Walk:
    """One walk over a folder: what it found, went into, and left out."""

    def __init__(self, root: str, ignored: frozenset[str]) -> None:
        self._root = root
        self._ignored = ignored
        self.folders: list[str] = []
        self.skipped: list[str] = []

    def python_files(self, below: str = "") -> Iterator[tuple[str, Stamp]]:
        """Yield relative paths of Python files with their stamps, those of a folder before those in folders below."""
        try:
            with os.scandir(os.path.join(self._root, below)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            return  # unreadable, or gone meanwhile
        if below and any(entry.name == ENVIRONMENT_MARK for entry in entries):
            self.skipped.append(below)
            return
        self.folders.append(below)
        inner: list[str] = []
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if path in self._ignored or not _is_text(entry.name):
                self.skipped.append(path)
            elif entry.is_dir(follow_symlinks=False):
                if not is_skipped_name(entry.name):
                    inner.append(path)
            elif entry.name.endswith(".py") and not entry.name.startswith(".") and (stamp := _stamp(entry)):
                yield path, stamp
        for path in inner:
            yield from self.python_files(path)


def _is_text(name: str) -> bool:
    """Tell whether a file's name is text: any bytes may be a name, but not what stores and screens can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    """Return the stamp of a regular file, or of one that a link leads to; None for a pipe, or a link to nothing."""
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
