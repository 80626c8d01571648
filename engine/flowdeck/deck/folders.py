"""Deck's commands about watched folders."""

from __future__ import annotations

import os
from pathlib import Path

from flowdeck.deck.open_home import OpenHome
from flowdeck.rules.exceptions import NotFoundError, RefusedError
from flowdeck.store.catalogue import Catalogue


class Folders:
    """The folders that the engine of one home watches; `engine.status` lists them."""

    def __init__(self, home: OpenHome) -> None:
        """Args: home: the open home."""
        self._catalogue = Catalogue(home.database)

    def watch(self, folder: Path) -> None:
        """Add a folder to those that the engine watches.

        Raises:
            NotFoundError: there is no such folder.
            RefusedError: it may not be read.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise NotFoundError(f"There is no folder {path}.")
        if not os.access(path, os.R_OK | os.X_OK):
            raise RefusedError(f"The folder {path} may not be read; change its mode or choose another.")
        self._catalogue.watch_folder(os.path.realpath(path))

    def unwatch(self, folder: Path) -> None:
        """Take a folder, which may be gone, from the watched ones, with its flows; runs stay, scheduled ones too.

        Raises:
            NotFoundError: it is not watched.
        """
        self._catalogue.forget_folder(os.path.realpath(Path(folder).expanduser()))
