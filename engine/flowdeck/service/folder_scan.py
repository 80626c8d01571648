"""Which files of a watched folder are flow files: a walk that skips what is not the user's own source."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowdeck.rules.flow_files import candidate, find_flows

SKIPPED_FOLDERS: Final = frozenset({"node_modules", "site-packages", "__pycache__"})
VENV_MARK: Final = "pyvenv.cfg"
GIT_PATIENCE_SECONDS: Final = 10.0
MAXIMUM_FILE_BYTES: Final = 4 << 20
"""Python source larger than this was made by a program, not by a person."""

Stamp = tuple[int, int]
"""Time of the last change in nanoseconds, size in bytes."""


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file that makes flows."""

    file: str
    """Path relative to the folder."""
    sha256: str


class FolderScan:
    """Looks at a folder again and again; what has not changed since the last look is not read again."""

    def __init__(self, folder: str) -> None:
        """Args: folder: absolute path."""
        self.folder = folder
        self._seen: dict[str, tuple[Stamp, FlowFile | None]] = {}

    def scan(self) -> dict[str, FlowFile]:
        """Walk the folder; return its flow files by relative path."""
        ignored = ignored_by_git(self.folder)
        seen: dict[str, tuple[Stamp, FlowFile | None]] = {}
        for file, stamp in _python_files(self.folder, ignored):
            known = self._seen.get(file)
            seen[file] = known if known is not None and known[0] == stamp else (stamp, self._read(file))
        self._seen = seen
        return {file: flow_file for file, (_, flow_file) in seen.items() if flow_file is not None}

    def _read(self, file: str) -> FlowFile | None:
        """Return what a file is; None when it makes no flow."""
        try:
            source = Path(self.folder, file).read_bytes()
        except OSError:
            return None
        if not candidate(source) or not find_flows(source, file).makes_flows:
            return None
        return FlowFile(file, hashlib.sha256(source).hexdigest())


def is_watched(folder: str, path: str) -> bool:
    """Tell by its name alone whether a change of this path can matter."""
    parts = Path(os.path.relpath(path, folder)).parts
    if any(part.startswith(".") and part != ".gitignore" or part in SKIPPED_FOLDERS for part in parts):
        return False
    # A path without an ending may be a folder that came or went, with flow files in it.
    return path.endswith(".py") or parts[-1] == ".gitignore" or "." not in parts[-1]


def ignored_by_git(folder: str) -> frozenset[str]:
    """Return the relative paths that git ignores, folders without a trailing slash; empty outside of a work tree."""
    try:
        answer = subprocess.run(
            ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=GIT_PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(os.fsdecode(path).rstrip("/") for path in answer.stdout.split(b"\0") if path)


def _python_files(folder: str, ignored: frozenset[str], below: str = "") -> Iterator[tuple[str, Stamp]]:
    try:
        entries = sorted(os.scandir(os.path.join(folder, below)), key=lambda entry: entry.name)
    except OSError:
        return  # unreadable, or gone meanwhile
    if below and any(entry.name == VENV_MARK for entry in entries):
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith(".") or path in ignored:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED_FOLDERS:
                yield from _python_files(folder, ignored, path)
        elif entry.name.endswith(".py") and (stamp := _stamp(entry)) is not None:
            yield path, stamp


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    try:
        status = entry.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if status.st_size <= MAXIMUM_FILE_BYTES else None
