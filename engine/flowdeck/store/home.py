"""The home folder: where it is, what lies in it, and where it must not be."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowdeck.rules.exceptions import StoreError

NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "lustre"}
)
"""File systems on which SQLite's locks and shared memory cannot be relied on."""
_ROOM_BYTES: Final = 64 << 10
_ELSEWHERE: Final = "Set FLOWDECK_HOME to a folder you own."


@dataclass(frozen=True, slots=True)
class Home:
    """The one folder that the processes of flowdeck share."""

    path: Path

    @property
    def database(self) -> Path:
        """SQLite file with everything but logs and large results."""
        return self.path / "state.db"

    @property
    def logs(self) -> Path:
        """Folder with one file per flow run."""
        return self.path / "logs"

    @property
    def results(self) -> Path:
        """Folder of results that are too large for the database: `<2 hex>/<sha256>`."""
        return self.path / "results"

    @property
    def locks(self) -> Path:
        """Folder of the locks that calls with the same cache key take, where the author asks for that."""
        return self.path / "locks"

    @property
    def bells(self) -> Path:
        """Folder with one datagram socket per reader that wants to be told of changes."""
        return self.path / "bells"

    @property
    def engine_lock(self) -> Path:
        """File whose lock the engine of this home holds as long as it lives."""
        return self.path / "engine.lock"

    @property
    def engine_log(self) -> Path:
        """What a background engine says about itself."""
        return self.path / "engine.log"

    @property
    def migration_lock(self) -> Path:
        """File that is locked while the schema is made or changed."""
        return self.path / "migration.lock"

    @property
    def config(self) -> Path:
        """Settings file, optional."""
        return self.path / "config.toml"

    def log_file(self, flow_run_id: str) -> Path:
        """Return the log file of a flow run."""
        return self.logs / f"{flow_run_id}.log"


def locate(path: Path | str | None = None) -> Home:
    """Return the home at `path`, else at $FLOWDECK_HOME, else at ~/.flowdeck; nothing is created.

    Raises:
        StoreError: `~` stands for no folder.
    """
    chosen = path or os.environ.get("FLOWDECK_HOME") or "~/.flowdeck"
    try:
        return Home(Path(chosen).expanduser().absolute())
    except RuntimeError:  # no such user, or no HOME
        raise StoreError(f"The home folder {chosen} cannot be found. Set FLOWDECK_HOME to a folder you own.") from None


def prepare(home: Home) -> None:
    """Create the home with its folders, private to the user.

    Raises:
        StoreError: it cannot be created or written, or it lies on a network file system.
    """
    try:
        for folder in (home.path, home.logs, home.bells):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_mode & 0o077 and found.st_uid == os.geteuid():
                folder.chmod(stat.S_IMODE(found.st_mode) & 0o700)  # what is recorded is the user's alone
    except OSError as error:
        done = "used" if home.path.is_dir() else "created"
        raise StoreError(
            f"The home folder {home.path} cannot be {done}: {_why_not(home.path) or error.strerror}. {_ELSEWHERE}"
        ) from None
    kind = filesystem(home.path)
    if kind in NETWORK_FILESYSTEMS:
        raise StoreError(
            f"The home folder {home.path} lies on a network file system ({kind}), where SQLite's locks are not safe. "
            "Set FLOWDECK_HOME to a folder on a local disk."
        )
    if not os.access(home.path, os.W_OK | os.X_OK):
        why = _why_not(home.path)
        raise StoreError(f"The home folder {home.path} is not writable{f': {why}' if why else ''}. {_ELSEWHERE}")


def is_full(home: Home) -> bool:
    """Tell whether the disk of the home has no room left for a write of the database."""
    try:
        disk = os.statvfs(home.path)
    except OSError:
        return False
    blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    return blocks * disk.f_frsize < _ROOM_BYTES


def _why_not(path: Path) -> str | None:
    """Say what keeps this user from a folder that is there, where there is more to say than the system's own word."""
    try:
        owner, is_read_only = path.stat().st_uid, bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return None
    if is_read_only:
        return "its file system is mounted read-only"
    return f"it belongs to another user (uid {owner}, this is uid {os.geteuid()})" if owner != os.geteuid() else None


def filesystem(path: Path) -> str:
    """Return the type of the file system that holds `path`, or `unknown` where the system does not tell cheaply."""
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    real = os.path.realpath(path)
    best, kind = "", "unknown"
    for row in table.splitlines():
        _, mount, mount_kind, *_ = row.split(" ")
        point = mount.replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, mount_kind
    return kind
