"""From the word that a user wrote to a flow of the catalogue, and from `-p name=value` to its parameters."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flowdeck.cli.discovery_wait import settle
from flowdeck.cli.engine_checks import bring_up_engine
from flowdeck.cli.printing import note
from flowdeck.cli.texts.parts import error_line
from flowdeck.deck import Deck, FlowEntry
from flowdeck.host.packages import module_file
from flowdeck.rules.exceptions import NotFoundError, RefusedError, UsageError
from flowdeck.rules.flow_files import find_flows
from flowdeck.rules.parameters.parameter_checks import parse_text

DESCRIBE_PATIENCE_SECONDS: Final = 30.0


def known_flow(deck: Deck, reference: str) -> FlowEntry:
    """Return the flow that a reference names, as far as the catalogue knows; or the entry of a file that is broken.

    Raises:
        NotFoundError: there is none; the sentence says what to do.
        AmbiguousError: there are several.
    """
    settle(deck)
    try:
        return deck.flows.find(reference)
    except NotFoundError:
        file, function = _file_and_function(reference)
        if file is None:
            raise
        if broken := _broken(_entries_of(deck, file)):
            return broken
        if function is None:
            raise NotFoundError(_name_a_function(deck, file, reference)) from None
        raise NotFoundError(
            f"{file} is in no watched folder. `flowdeck server start {file.parent}` or `flowdeck {file.parent}` "
            "makes an engine look at it."
        ) from None


def wanted_flow(deck: Deck, reference: str) -> FlowEntry:
    """Return the flow that a reference names, after having an engine look at its file if need be.

    Raises:
        NotFoundError: there is none.
        AmbiguousError: there are several.
        RefusedError: its file cannot be imported, or was not looked at in time.
    """
    try:
        return deck.flows.find(reference)
    except NotFoundError as error:
        file, function = _file_and_function(reference)
        if file is None:
            return _found_by_engine(deck, reference, error)
        if function is None:
            raise NotFoundError(_name_a_function(deck, file, reference)) from None
    _check_source(deck, file, function)
    folder = str(file.parent)
    if not any(_lies_in(folder, watched) for watched in deck.engine.status().folders):
        deck.folders.watch(file.parent)
        note(f"watching {folder} from now on.")
    return _described(deck, f"{file}:{function}", file)


def parameters(entry: FlowEntry, words: Sequence[str]) -> dict[str, Any]:
    """Turn `name=value` words into parameters: text where the flow takes text, else JSON, else text.

    Raises:
        UsageError: a word is not of that form.
    """
    return parsed_parameters(entry.parameter_schema or {}, words)


def parsed_parameters(schema: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Like `parameters`, by a schema.

    Raises:
        UsageError: a word is not of that form.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    others: Any = schema.get("additionalProperties")
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise UsageError(f"'{word}' is not a parameter; write -p NAME=VALUE.")
        values[name] = parse_text(properties.get(name, others if isinstance(others, dict) else {}), text)
    return values


def _file_and_function(reference: str) -> tuple[Path | None, str | None]:
    """Split FILE:FUNCTION; (None, None) when it names no existing file, and no function for a FILE alone."""
    file, colon, function = reference.rpartition(":")
    if colon and os.path.isfile(file):
        return Path(os.path.realpath(file)), function
    if os.path.isfile(reference):
        return Path(os.path.realpath(reference)), None
    if colon and (found := module_file(file)) is not None:
        return Path(os.path.realpath(found)), function
    return None, None


def _name_a_function(deck: Deck, file: Path, reference: str) -> str:
    # What the engine has found can be started; the source alone may make flows that nothing reaches.
    known = [entry.function for entry in _entries_of(deck, file) if entry.function is not None]
    functions = known or list(dict.fromkeys(flow.function for flow in find_flows(file.read_bytes(), str(file)).flows))
    if not functions:
        return f"{file} defines no flow."
    return f"'{reference}' is a file; name a flow of it: {', '.join(f'{reference}:{name}' for name in functions)}."


def _check_source(deck: Deck, file: Path, function: str) -> None:
    """Refuse what no engine will find, before one is asked to look."""
    outline = find_flows(file.read_bytes(), str(file))
    if outline.problem is not None:
        line = "" if outline.problem.line is None else f" (line {outline.problem.line})"
        raise RefusedError(f"{file} is not valid Python: {outline.problem.message}{line}.")
    if not outline.makes_flows:
        raise NotFoundError(f"{file} defines no flow.")
    functions = list(dict.fromkeys(flow.function for flow in outline.flows))
    if functions and function not in functions:
        known = [entry.function for entry in _entries_of(deck, file) if entry.function is not None]
        raise NotFoundError(f"There is no flow '{function}' in {file}: it has {', '.join(known or functions)}.")


def _entries_of(deck: Deck, file: Path) -> list[FlowEntry]:
    return [entry for entry in deck.flows.entries() if f"{entry.folder}/{entry.file}" == str(file)]


def _broken(entries: Sequence[FlowEntry]) -> FlowEntry | None:
    return next((entry for entry in entries if entry.status != "ok"), None)


def _lies_in(folder: str, watched: str) -> bool:
    return folder == watched or folder.startswith(watched.rstrip("/") + "/")


def _found_by_engine(deck: Deck, reference: str, error: NotFoundError) -> FlowEntry:
    """Look again for a name after an engine has: the file may be new, or the engine may have begun just now."""
    if not deck.engine.status().folders:
        raise error
    bring_up_engine(deck)
    settle(deck)
    return deck.flows.find(reference)


def _described(deck: Deck, reference: str, file: Path) -> FlowEntry:
    """Wait until an engine has looked at a file."""
    deadline = time.monotonic() + DESCRIBE_PATIENCE_SECONDS
    with deck.changes() as feed:
        bring_up_engine(deck)
        while time.monotonic() < deadline:
            entries = _entries_of(deck, file)
            if broken := _broken(entries):
                raise RefusedError(f"{file} cannot be imported: {error_line(broken.error)}.")
            if entries:
                return deck.flows.find(reference)
            feed.wait(max(0.0, deadline - time.monotonic()))
    raise RefusedError(
        f"{file} was not described within {DESCRIBE_PATIENCE_SECONDS:.0f} s. The engine's log may say why: "
        f"{deck.home / 'engine.log'}"
    )
