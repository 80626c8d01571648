"""What fails once, so that a later attempt has something to replay."""

from __future__ import annotations


class Once:
    """Fails at its first use, of each name."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, name: str = "") -> None:
        if name not in self._seen:
            self._seen.add(name)
            raise RuntimeError(f"first time {name}")
