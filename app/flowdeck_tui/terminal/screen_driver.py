"""How the screen and its terminal talk: sizes, what is typed, standing aside. Reaches into Textual.

Textual's own driver takes what it does not understand for keys, ends with what its parser raises, believes COLUMNS and
LINES, and starts a second time when it is continued after a stop from outside.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import signal
import termios
import time
from collections.abc import Iterator
from typing import Any, Final

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

from flowdeck_tui.terminal.input_tokens import InputTokens, Kind, Token

MOST_COLUMNS: Final = 2000
MOST_LINES: Final = 1000
"""A terminal that says it is larger is drawn on in part."""
_UNKNOWN_SIZE: Final = (80, 24)
_READ_BYTES: Final = 4096
_WAIT_SECONDS: Final = 0.05
_MOUSE: Final = re.compile(r"\x1b\[<\d{1,3};-?\d{1,5};-?\d{1,5}[Mm]")
_SYNCHRONIZED: Final = re.compile(r"\x1b\[\?2026;[1-4]\$y")
_POSITION: Final = re.compile(r"\x1b\[\d+;\d+R")
_KEY: Final = re.compile(r"\x1b\[([\d:]{0,24})(?:;([\d:]{0,24}))?(?:;([\d:]{0,64}))?([u~A-FHPQRS])")
_RELEASED: Final = "3"
_MODIFIERS_MOST: Final = 256


class _KeyParser(XTermParser):
    """Textual's knowledge of keys and mouse."""

    def keys(self, text: str, *, alt: bool = False) -> Iterator[events.Key]:
        """Yield the keys of a character or a whole sequence; none for one that is none."""
        return (event for event in self._sequence_to_key_events(text, alt) if event.key != Keys.Ignore)


class TokenEvents:
    """The events that tokens are; none for an answer that nobody waits for."""

    def __init__(self) -> None:
        self._parser = _KeyParser()

    def of(self, token: Token) -> list[Message]:
        """Return the events of a token."""
        match token.kind:
            case Kind.CHARACTER:
                return [*self._parser.keys(token.text)]
            case Kind.ESCAPE:
                return [events.Key("escape", "\x1b")]
            case Kind.PASTE:
                return [events.Paste(token.text.replace("\x00", ""))]
            case Kind.ALT:
                return [*self._keys_with_alt(token.text)]
            case Kind.SEQUENCE:
                return self._of_sequence(token.text)

    def _of_sequence(self, text: str) -> list[Message]:
        if text == "\x1b[I":
            return [events.AppFocus()]
        if text == "\x1b[O":
            return [events.AppBlur()]
        if _MOUSE.fullmatch(text):
            event = self._parser.parse_mouse_code(text)
            return [] if event is None else [event]
        if _SYNCHRONIZED.fullmatch(text):
            return [TerminalSupportsSynchronizedOutput()]
        if text in ANSI_SEQUENCES_KEYS:
            return [*self._parser.keys(text)]
        plain = _plain_key(text)
        return [] if plain is None else [*self._parser.keys(plain)]

    def _keys_with_alt(self, text: str) -> Iterator[events.Key]:
        if text in ANSI_SEQUENCES_KEYS:
            yield from self._parser.keys(text)
            return
        for event in self._parser.keys(text[1:], alt=True):
            # No character: it is no text, and a letter with alt is not the letter.
            yield events.Key(event.key if event.key.startswith("alt+") else f"alt+{event.key}", None)


def _plain_key(text: str) -> str | None:
    """Write a key of the kitty protocol with nothing but what Textual reads of it; None when it is no key."""
    found = _KEY.fullmatch(text)
    if found is None or _POSITION.fullmatch(text):
        return None
    code = found[1].partition(":")[0]
    modifiers, _, kind = (found[2] or "").partition(":")
    end = found[4]
    if int(modifiers or "1") > _MODIFIERS_MOST or kind == _RELEASED:
        return None
    characters = [piece for piece in (found[3] or "").split(":") if piece]
    if end == "u":
        if not all(_is_character(piece) for piece in [code or "1", *characters]):
            return None
    elif f"{code or '1'}{end}" not in FUNCTIONAL_KEYS:
        return None
    # The type of an event is left out, and a modifier of 0, which means none, is 1.
    return f"\x1b[{code or '1'};{int(modifiers or '1') or 1};{':'.join(characters)}".rstrip(";") + end


def _is_character(digits: str) -> bool:
    code = int(digits)
    return 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF


class ScreenDriver(LinuxDriver):
    """The terminal that we were started on."""

    _is_stopping = False

    # -- sizes -------------------------------------------------------------------------------------------------------

    def _get_terminal_size(self) -> tuple[int, int]:
        """Ask the terminal itself: COLUMNS and LINES that someone has exported are those of another moment."""
        try:
            columns, lines = os.get_terminal_size(self.fileno)
        except OSError:
            columns = lines = 0
        columns, lines = columns or _UNKNOWN_SIZE[0], lines or _UNKNOWN_SIZE[1]
        return min(columns, MOST_COLUMNS), min(lines, MOST_LINES)

    # -- what is typed -----------------------------------------------------------------------------------------------

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - the screen ends with one sentence, whatever it was
            self._app.call_later(self._raise, error)

    @staticmethod
    def _raise(error: Exception) -> None:
        raise error

    def run_input_thread(self) -> None:
        """Read until the driver stops."""
        tokens, found = InputTokens(ANSI_SEQUENCES_KEYS.keys()), TokenEvents()
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode  # a paste may be of another encoding
        while not self.exit_event.is_set():
            # Time that passed while bytes were waiting says nothing of how the terminal sent them.
            if select.select([self.fileno], [], [], _WAIT_SECONDS)[0]:
                data = os.read(self.fileno, _READ_BYTES)
                if not data:
                    return  # the terminal is gone; SIGHUP ends us
                taken = tokens.feed(decode(data), time.monotonic())
            else:
                taken = tokens.tick(time.monotonic())
            for token in taken:
                for event in found.of(token):
                    self.process_message(event)

    # -- standing aside ----------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the terminal is ours at the moment."""
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def restore_attributes(self) -> None:
        """Set the terminal as we found it: a program that it was lent to may have died in the middle."""
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def _sigtstp_application(self, *_: Any) -> None:
        if self._auto_restart:
            # A signal comes between any two steps; what writes to the terminal may hold its lock just then.
            self._loop.call_soon_threadsafe(self._stop)
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: Any) -> None:
        if self._auto_restart and not self._is_stopping:
            self._loop.call_soon_threadsafe(self._return)

    def _stop(self) -> None:
        """Give the terminal back, and stop until someone continues us in the foreground."""
        if self._is_stopping or not self.is_up:
            return
        self._is_stopping = True
        try:
            self.suspend_application_mode()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._begin_again()
        finally:
            self._is_stopping = False

    def _return(self) -> None:
        """Take the terminal after a stop that was none of ours: the shell has set it its own way meanwhile."""
        if self._auto_restart and self.is_up and not self._is_stopping:
            self.suspend_application_mode()
            self._begin_again()

    def _begin_again(self) -> None:
        self._must_signal_resume = True
        self.start_application_mode()
        while not self.is_up:  # continued in the background, and stopped there again
            self.start_application_mode()
