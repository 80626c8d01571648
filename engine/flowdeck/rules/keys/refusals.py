"""Why a value has no key."""

from __future__ import annotations


class NotKeyedError(Exception):
    """It is too large, too deep, or of a kind that has no stable bytes; the text is the end of a sentence."""
