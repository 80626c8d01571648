"""What a spare flow process and its run host say to each other, over the socket that is the flow process's stdin.

- From the flow process: its version of flowdeck, once it is ready.
- To the flow process: one `Order`; or the end of the stream, which tells it to leave.
- From the flow process: `TAKEN`, before it does anything that a second process could not do again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flowdeck.rules.versions import __version__

READY: Final = f"{__version__}\n".encode()
TAKEN: Final = b"T"
UNCLAIMED_RUN_ID: Final = "0" * 36
"""What a spare carries as its run's id until it has one; of the same length, for it is written over in place."""


@dataclass(frozen=True, slots=True)
class Order:
    """The run that a spare flow process shall execute, and where."""

    key: int
    incarnation: int
    run_id: str
    working_dir: str
    environment: Mapping[str, str]
    """All of it: what the spare was started with counts no more."""

    def encode(self) -> bytes:
        """Return it as one line."""
        fields = (self.key, self.incarnation, self.run_id, self.working_dir, dict(self.environment))
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Order:
        """Return what `encode` made a line of."""
        return cls(*json.loads(line))
