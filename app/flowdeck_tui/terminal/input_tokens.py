"""What a terminal sends, cut into whole tokens: characters, escape sequences, pastes. Pure.

Terminals answer questions late, over slow links in pieces, and to questions that other programs have asked. Taken for
keys, the `r` of `ESC ]11;rgb:…` would retry a run. So whatever begins with ESC is one token from its first byte to its
last, as ECMA-48 and xterm end it, known to anyone or not; it never falls apart into characters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

ESC: Final = "\x1b"
ESCAPE_SECONDS: Final = 0.1
"""After how long without a byte an ESC is the key."""
LATE_SECONDS: Final = 2.0
"""How long after such a key what begins like the rest of a sequence may still be that."""
LATE_REST_SECONDS: Final = 0.3
"""How long the second byte of such a rest may take; then the first one was a key."""
SEQUENCE_SECONDS: Final = 3.0
"""After how long without a byte a sequence that has begun is given up, and dropped."""
SEQUENCE_MOST: Final = 128
"""Characters of a sequence that is looked at; a longer one is dropped, up to its end."""
PASTE_MOST: Final = 1024 * 1024
"""Characters of a paste that are kept."""
_PASTE_START: Final = "\x1b[200~"
_PASTE_END: Final = "\x1b[201~"
_ABORTS: Final = "\x18\x1a"
_STRINGS: Final = "]PX^_"
_C1: Final = {"\x9b": "[", "\x9d": "]", "\x90": "P", "\x98": "X", "\x9e": "^", "\x9f": "_", "\x8f": "O"}
_LATE_REST: Final = {
    "[": "0123456789?<>=ABCDHFIOMZ",
    "]": "0123456789lLI",
    "P": "0123456789>!",
    "_": "G",
    "O": "ABCDHFPQRS",
}
"""What follows the second character of a sequence whose ESC has been taken for the key already."""


class Kind(Enum):
    """What a token is."""

    CHARACTER = "character"
    ESCAPE = "escape"
    """The key esc, alone."""
    ALT = "alt"
    """A key with alt: the text is ESC and the key's character."""
    SEQUENCE = "sequence"
    """A whole sequence of control characters: a key, the mouse, the focus, an answer."""
    PASTE = "paste"


@dataclass(frozen=True, slots=True)
class Token:
    """One thing that the terminal has sent."""

    kind: Kind
    text: str


class InputTokens:
    """Cuts what comes in into tokens; knows what is still open.

    Args:
        keys: sequences of keys that end otherwise than ECMA-48 says, such as rxvt's `ESC[7$`.
    """

    def __init__(self, keys: Collection[str] = ()) -> None:
        self._keys = keys
        self._found: list[Token] = []
        self._text = ""
        self._pasted: list[str] = []
        self._late_until = 0.0
        self._is_late = False
        self._at = 0.0
        self._state: Callable[[str], None] = self._ground

    def feed(self, text: str, now: float) -> list[Token]:
        """Take what was read.

        Args:
            text: what was read.
            now: monotonic seconds.
        """
        self._give_up(now)
        self._at = now
        for character in text:
            self._state(character)
        return self._taken()

    def tick(self, now: float) -> list[Token]:
        """Close what nothing has followed for too long; to be called only when there is nothing to read.

        Args:
            now: monotonic seconds.
        """
        self._give_up(now)
        if self._state == self._escape and now - self._at >= ESCAPE_SECONDS:
            self._end(Kind.ESCAPE)
            self._late_until = now + LATE_SECONDS
        elif self._state == self._intermediate and len(self._text) == 2 and now - self._at >= ESCAPE_SECONDS:
            self._end(Kind.ALT)
        elif self._is_late and now - self._at >= LATE_REST_SECONDS:
            self._take_late_back()
        return self._taken()

    # -- ends --------------------------------------------------------------------------------------------------------

    def _taken(self) -> list[Token]:
        found, self._found = self._found, []
        return found

    def _give_up(self, now: float) -> None:
        """Drop a sequence whose end does not come; a paste stays open, since its rest would act as keys."""
        is_open = self._state not in (self._ground, self._escape, self._paste) and not self._is_late
        if is_open and now - self._at >= SEQUENCE_SECONDS:
            self._drop()

    def _drop(self) -> None:
        self._text, self._is_late, self._state = "", False, self._ground

    def _end(self, kind: Kind) -> None:
        if len(self._text) <= SEQUENCE_MOST:
            self._found.append(Token(kind, self._text))
        self._drop()

    def _take_late_back(self) -> None:
        """What looked like the rest of a sequence was a key."""
        character = self._text[1]
        self._drop()
        self._late_until = 0.0
        self._found.append(Token(Kind.CHARACTER, character))

    # -- states ------------------------------------------------------------------------------------------------------

    def _ground(self, character: str) -> None:
        if character == ESC:
            self._begin()
        elif character in _C1:
            self._text = ESC
            self._escape(_C1[character])
        elif character in _LATE_REST and self._at < self._late_until:
            self._text = ESC
            self._escape(character)
            self._is_late = True
        else:
            self._late_until = 0.0
            self._found.append(Token(Kind.CHARACTER, character))

    def _begin(self) -> None:
        self._text, self._is_late, self._state = ESC, False, self._escape

    def _escape(self, character: str) -> None:
        if character == ESC:
            self._end(Kind.ESCAPE)
            self._begin()
            return
        self._text += character
        if character == "[":
            self._state = self._csi
        elif character == "O":
            self._state = self._ss3
        elif character in _STRINGS:
            self._state = self._string
        elif " " <= character <= "/":
            self._state = self._intermediate
        else:
            self._end(Kind.ALT)

    def _intermediate(self, character: str) -> None:
        """Character sets and the like: `ESC ( B`; or a key with alt, if nothing follows."""
        if character == ESC:
            self._begin()
        elif not " " <= character <= "/":
            self._drop()

    def _is_refused(self, character: str) -> bool:
        """Tell whether a character is no rest of a sequence that came late; it is dealt with then."""
        if not self._is_late:
            return False
        self._is_late = False
        if character in _LATE_REST[self._text[1]]:
            return False
        self._take_late_back()
        self._ground(character)
        return True

    def _has_grown(self, character: str) -> bool:
        """Take a character into the sequence that is being read; False when it is none of it, and is dealt with."""
        if self._is_refused(character):
            return False
        if character == ESC:
            self._begin()
        elif character in _ABORTS or character >= "\x7f":
            self._drop()
        elif character >= " ":
            self._grow(character)
            return True
        return False

    def _csi(self, character: str) -> None:
        if not self._has_grown(character):
            return
        if self._text == "\x1b[M":
            self._state = self._old_mouse
        elif self._text == "\x1b[[":
            self._state = self._linux_key
        elif self._text in self._keys:
            self._end(Kind.SEQUENCE)
        elif character >= "@":
            self._end_csi()

    def _end_csi(self) -> None:
        if self._text == _PASTE_START:
            self._pasted = []
            self._text, self._state = "", self._paste
        else:
            self._end(Kind.SEQUENCE)

    def _old_mouse(self, character: str) -> None:
        """Three characters that may be anything."""
        self._grow(character)
        if len(self._text) == 6:
            self._drop()

    def _linux_key(self, character: str) -> None:
        self._grow(character)
        self._end(Kind.SEQUENCE)

    def _ss3(self, character: str) -> None:
        if self._has_grown(character) and not "0" <= character <= ";":
            self._end(Kind.SEQUENCE)

    def _string(self, character: str) -> None:
        """A text up to ST or BEL; nothing asks for one, so it is not kept."""
        if self._is_refused(character):
            return
        if character == ESC:
            self._state = self._string_end
        elif character in "\x07\x9c" or character in _ABORTS:
            self._drop()

    def _string_end(self, character: str) -> None:
        if character == "\\":
            self._drop()
        else:  # the string is cut off, and this is another sequence
            self._begin()
            self._escape(character)

    def _paste(self, character: str) -> None:
        if len(self._pasted) < PASTE_MOST:
            self._pasted.append(character)
        self._text = (self._text + character)[-len(_PASTE_END) :]
        if self._text == _PASTE_END:
            is_whole = len(self._pasted) < PASTE_MOST
            text = "".join(self._pasted)
            self._pasted = []
            self._drop()
            self._found.append(Token(Kind.PASTE, text.removesuffix(_PASTE_END) if is_whole else text))

    def _grow(self, character: str) -> None:
        if len(self._text) <= SEQUENCE_MOST:
            self._text += character
