"""Text of others made fit for a terminal, and found again as a person types it.

Logs, parameters and names may hold anything. What front ends print goes through `inert`, so that no escape sequence
reaches the terminal and nothing on the screen stands elsewhere, or reads otherwise, than it was written.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
# A string ends at the next control character, whichever it is: so a sequence is looked at once, and one that is not
# well formed stays visible instead of swallowing the text behind it.
_SEQUENCE: Final = re.compile(
    rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves, modes
    rf"|(?:\x1b\]|\x9d)[^{_CONTROLS}]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links, clipboard
    rf"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^{_CONTROLS}]*(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]+[0-~]"  # character sets, as `tput sgr0` sends them
)
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_END: Final = re.compile(r"(?<!\r)\r+(?=\n|\Z)")


def inert(text: str) -> str:
    r"""Make text harmless for a terminal.

    Well-formed escape sequences are taken out, and a `\r` that ends a line with them. Other control characters become
    their symbols (`␀`, `␛`), the upper ones and those that turn the direction of reading their number (`\x9b`,
    `\u202e`). Newlines and tabs stay as they are.
    """
    if text.isprintable():
        return text
    if "\x1b" in text or not text.isascii():
        text = _SEQUENCE.sub("", text)
    if "\r" in text:
        text = _LINE_END.sub("", text)
    return _UNSAFE.sub(_visible, text)


def inert_line(text: str) -> str:
    """Make text harmless and one line: for names and cells, where a newline or a tab would break the layout."""
    return inert(text).replace("\n", "␊").replace("\t", " ")


def literal_pattern(text: str) -> re.Pattern[str]:
    """Return what finds `text` as it stands; case matters only if it holds a capital letter."""
    return re.compile(re.escape(text), re.IGNORECASE if text == text.lower() else re.NOFLAG)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
