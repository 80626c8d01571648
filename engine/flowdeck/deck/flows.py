"""Deck's questions about the flows that discovery found."""

from __future__ import annotations

import os

from flowdeck.deck.open_home import OpenHome
from flowdeck.rules.exceptions import AmbiguousError, NotFoundError
from flowdeck.rules.text.near_names import did_you_mean
from flowdeck.store.catalogue import Catalogue, named_by
from flowdeck.store.records import FlowEntry, FlowRun


class Flows:
    """The flows of one home's catalogue."""

    def __init__(self, home: OpenHome) -> None:
        """Args: home: the open home."""
        self._catalogue = Catalogue(home.database)

    def entries(self, folder: str | None = None) -> list[FlowEntry]:
        """Return the flows found in the watched folders (or in one), and the files that could not be described."""
        return self._catalogue.entries(folder)

    def find(self, reference: str) -> FlowEntry:
        """Return the flow of this name, function name or FILE:FUNCTION.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several; the sentence lists them.
        """
        # A folder that is gone (a disk that may come back) keeps its flows, but they stand in nobody's way.
        entries = [entry for entry in self.entries() if entry.function is not None and os.path.isdir(entry.folder)]
        matches = named_by(reference, entries)
        if len(matches) == 1:
            return matches[0]
        if matches:
            candidates = ", ".join(f"{entry.folder}/{entry.entrypoint}" for entry in matches)
            raise AmbiguousError(f"'{reference}' stands for several flows: {candidates}. Give one of these.")
        hint = did_you_mean(reference, [name for entry in entries for name in (entry.name, entry.function) if name])
        raise NotFoundError(
            f"There is no flow '{reference}'.{hint} `flowdeck flow ls` lists the flows of watched folders."
        )

    def of_run(self, run: FlowRun) -> FlowEntry | None:
        """Return the flow of a run as the catalogue has it; None when no watched folder holds it."""
        entries = [entry for entry in self.entries() if os.path.join(entry.folder, entry.file) == run.source_file]
        found = [entry for entry in entries if entry.function is not None and entry.function == run.function]
        return next((entry for entry in found if entry.folder == run.working_dir), found[0] if found else None)
