"""Items that a generator has yielded so far, copied as they were then: their list is its recorded result."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from flowdeck.execution.recording.generator_results import ReturnedItems
from flowdeck.rules.keys.bounded_bytes import TooLargeError
from flowdeck.rules.options.serializers import PICKLE

_FIXED: Final = frozenset({type(None), bool, int, float, str, bytes})
_ITEM_BYTES: Final = 9
"""What an item of a fixed size counts; only a bound is needed."""
_NO_NAMES: Final[dict[str, Any]] = {}


class YieldedItems:
    """Keeps a copy of each item: whoever got it may change it. Holds `limit` bytes at most."""

    def __init__(self, *, wanted: bool, limit: int) -> None:
        """Make it empty.

        Args:
            wanted: True to keep the items; False to count them only.
            limit: the size of all kept items, in bytes; beyond it none is kept, not even those before.
        """
        self.count = 0
        self._left = limit if wanted else -1
        self._kept: list[Any] = []

    def add(self, item: Any) -> None:
        """Keep an item that is about to be given away."""
        self.count += 1
        if self._left < 0:
            return
        kind = type(item)
        if kind in _FIXED:
            self._left -= len(item) if kind in {str, bytes} else _ITEM_BYTES
            self._kept.append(item)
        else:
            self._keep_copy(item)
        if self._left < 0:
            self._kept.clear()

    def value(self, returned: Any = None) -> Any:
        """Return the list of all items, or what says that they are not there.

        Args:
            returned: what the generator returned at its end.
        """
        if self._left < 0:
            return UnkeptItems(self.count, returned)
        kept = [PICKLE.loads(item.content, _NO_NAMES) if isinstance(item, _Copy) else item for item in self._kept]
        return kept if returned is None else ReturnedItems(kept, returned)

    def _keep_copy(self, item: Any) -> None:
        try:
            content = PICKLE.dumps(item, self._left)
        except TooLargeError:
            self._left = -1
            return
        except Exception:  # noqa: BLE001 - the author's class; recording the list will say so
            self._kept.append(item)
            return
        self._left -= len(content)
        self._kept.append(_Copy(content))


class _Copy:
    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class UnkeptItems:
    """Stands for items that were not kept; it cannot be recorded, as something too large cannot."""

    def __init__(self, count: int, returned: Any = None) -> None:
        self.shape = (count,)
        self.returned = returned

    def __reduce__(self) -> NoReturn:
        raise TooLargeError
