"""Recorded results as bytes: small ones in their row, larger ones in files named by the hash of their content."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAMED: Final = "named"
"""Folder of the names that authors gave to results."""
INLINE_MAX_BYTES: Final = 4096
"""Results up to this size lie in the row of their call."""


class ResultLostError(Exception):
    """A recorded result's file is missing, or is not what was recorded: the call counts as not recorded."""


@dataclass(slots=True)
class StoredResult:
    """Where the bytes of a result are: in the row, or in a file."""

    inline: bytes | None
    file_hash: str | None
    """SHA-256 of the file's content, in hex; also its name."""
    size_bytes: int


class ResultFiles:
    """The results folder of a home. Thread-safe; several processes may write the same result at once."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """Name the folder; it is made when first needed.

        Args:
            folder: folder of the home.
            durable: bring files to the disk before they count, for power loss.
        """
        self._folder = folder
        self._durable = durable

    def keep(self, content: bytes) -> StoredResult:
        """Keep bytes; they are safe from any kill on return.

        Raises:
            OSError: the file cannot be written.
        """
        if len(content) <= INLINE_MAX_BYTES:
            return StoredResult(content, None, len(content))
        file_hash = _sha256(content)
        path = self.path_of(file_hash)
        if not self._is_there(path, len(content)):
            self._write(path, content)
        return StoredResult(None, file_hash, len(content))

    def keep_named(self, content: bytes, name: str) -> StoredResult:
        """Keep bytes in a file that can be found by a name of the author's too: `named/<name>` leads to it.

        Raises:
            OSError: the file cannot be written, or the name leads out of the folder.
        """
        file_hash = _sha256(content)
        path = self.path_of(file_hash)
        if not self._is_there(path, len(content)):
            self._write(path, content)
        named = self._folder / NAMED / name
        if ".." in named.parts or named == self._folder / NAMED or not named.is_relative_to(self._folder / NAMED):
            raise OSError(errno.EINVAL, f"'{name}' is no name for a file")
        named.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = named.with_name(f".{file_hash[:16]}.{os.getpid()}.{threading.get_ident()}")
        draft.symlink_to(os.path.relpath(path, named.parent))
        try:
            draft.replace(named)
        except BaseException:  # the name is too long, or is that of a folder
            with suppress(OSError):
                draft.unlink()
            raise
        return StoredResult(None, file_hash, len(content))

    def read(self, inline: bytes | None, file_hash: str | None) -> bytes:
        """Return the bytes of a result.

        Raises:
            ResultLostError: its file is missing or was changed.
        """
        if inline is not None:
            return inline
        if file_hash is None:
            raise ResultLostError("it was not recorded")
        try:
            content = self.path_of(file_hash).read_bytes()
        except OSError as error:
            raise ResultLostError(f"its file {file_hash[:12]}… cannot be read ({error.strerror})") from None
        if _sha256(content) != file_hash:
            raise ResultLostError(f"its file {file_hash[:12]}… was changed")
        return content

    def path_of(self, file_hash: str) -> Path:
        """Return where the file of a result is."""
        return self._folder / file_hash[:2] / file_hash

    def size_of(self, file_hash: str) -> int:
        """Return the size of a result's file in bytes; 0 when it is gone."""
        try:
            return self.path_of(file_hash).stat().st_size
        except OSError:
            return 0

    def _is_there(self, path: Path, size_bytes: int) -> bool:
        """Tell whether the same result was kept before; its time is renewed, so that no clean-up takes it just now."""
        try:
            if path.stat().st_size != size_bytes:
                return False
            os.utime(path)
        except OSError:
            return False
        return True

    def _write(self, path: Path, content: bytes) -> None:
        for folder in (self._folder, path.parent):
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        draft = path.with_name(f".{path.name[:16]}.{os.getpid()}.{threading.get_ident()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            if self._durable:
                os.fsync(descriptor)
            draft.rename(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        finally:
            os.close(descriptor)


def _sha256(content: bytes) -> str:
    import hashlib  # noqa: PLC0415 - 2 ms at the start of every flow, and few have results that large

    return hashlib.sha256(content).hexdigest()
