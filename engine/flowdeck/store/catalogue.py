"""The catalogue: which folders are watched, which files were looked at, which flows they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowdeck.rules.clock import SYSTEM_CLOCK, to_optional_datetime
from flowdeck.rules.exceptions import NotFoundError, RefusedError
from flowdeck.rules.states import StateType
from flowdeck.store.database.database import Database
from flowdeck.store.database.sqlite import Connection
from flowdeck.store.records import FlowEntry
from flowdeck.store.run_values import RunError, error_from_json, error_to_json


@dataclass(frozen=True, slots=True)
class FlowDescription:
    """A flow as its file describes it."""

    function: str
    name: str
    line: int
    description: str | None
    parameter_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileState:
    """What is known of a file: of which content, looked at with which interpreter, and how that went."""

    file: str
    sha256: str
    interpreter: str
    status: str
    """`ok` or `import_error`."""


class Catalogue:
    """Reads and writes the catalogue of one home."""

    def __init__(self, database: Database) -> None:
        """Args: database: database of the home."""
        self._database = database

    def folders(self) -> list[str]:
        """Return the watched folders, oldest first."""
        rows = self._database.reader().execute("SELECT path FROM watched_folder ORDER BY added_at, path")
        return [path for (path,) in rows.fetchall()]

    def watch_folder(self, path: str) -> None:
        """Add a folder to those that the engine watches; nothing happens if it is there already.

        Raises:
            RefusedError: its path is not UTF-8, and the database cannot hold it.
        """
        _check_text(path)

        def add(connection: Connection) -> None:
            known = connection.execute("SELECT 1 FROM watched_folder WHERE path = ?", (path,)).fetchone()
            if known is None:
                row = (path, SYSTEM_CLOCK.now_microseconds())
                connection.execute("INSERT INTO watched_folder(path, added_at) VALUES (?, ?)", row)

        self._database.write(add)

    def forget_folder(self, path: str) -> None:
        """Take a folder away with what was found in it.

        Raises:
            NotFoundError: it is not watched.
            RefusedError: its path is not UTF-8.
        """
        _check_text(path)

        def remove(connection: Connection) -> bool:
            was_watched = connection.execute("DELETE FROM watched_folder WHERE path = ?", (path,)).rowcount == 1
            _remove_flows(connection, path)
            return was_watched

        if not self._database.write(remove):
            watched = ", ".join(self.folders()) or "none"
            raise NotFoundError(f"The folder {path} is not watched. Watched folders: {watched}.")

    def remove_unwatched(self, path: str) -> None:
        """Take away what was found in a folder, if nobody has it watched any more."""

        def remove(connection: Connection) -> None:
            if connection.execute("SELECT 1 FROM watched_folder WHERE path = ?", (path,)).fetchone() is None:
                _remove_flows(connection, path)

        self._database.write(remove)

    def files(self, folder: str) -> dict[str, FileState]:
        """Return what is known of a folder's files, by path relative to it."""
        rows = self._database.reader().execute(
            "SELECT file, sha256, interpreter, status FROM flow_file WHERE folder = ?", (folder,)
        )
        return {row[0]: FileState(*row) for row in rows.fetchall()}

    def put_file(
        self,
        folder: str,
        file: str,
        sha256: str,
        interpreter: str,
        status: str,
        error: RunError | None,
        flows: Sequence[FlowDescription] | None,
    ) -> None:
        """Note how a look at a file went; `flows` None keeps the flows of its last good version."""

        def put(connection: Connection) -> None:
            connection.execute(
                """INSERT OR REPLACE INTO flow_file(folder, file, sha256, interpreter, status, error)
                VALUES (?, ?, ?, ?, ?, ?)""",
                (folder, file, sha256, interpreter, status, error_to_json(error)),
            )
            if flows is None:
                return
            connection.execute("DELETE FROM flow WHERE folder = ? AND file = ?", (folder, file))
            connection.executemany(
                """INSERT OR REPLACE INTO flow(folder, file, function, name, line, description, parameter_schema)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                [
                    (folder, file, flow.function, flow.name, flow.line, flow.description, _json(flow.parameter_schema))
                    for flow in flows
                ],
            )

        self._database.write(put)

    def remove_file(self, folder: str, file: str) -> None:
        """Forget a file that is gone, or holds no flow any more."""

        def remove(connection: Connection) -> None:
            for table in ("flow_file", "flow"):
                connection.execute(f"DELETE FROM {table} WHERE folder = ? AND file = ?", (folder, file))

        self._database.write(remove)

    def entries(self, folder: str | None = None) -> list[FlowEntry]:
        """Return flows and broken files by folder, file and line, each flow with its newest run."""
        rows = (
            self._database.reader()
            .execute(
                """SELECT f.folder, f.file, flow.function, flow.name, flow.line, flow.description,
                   flow.parameter_schema, f.status, f.error,
                   (SELECT max(r.key) FROM flow_run r WHERE r.source_file = f.folder || '/' || f.file
                       AND r.function = flow.function AND r.parent_key IS NULL)
               FROM flow_file f LEFT JOIN flow ON flow.folder = f.folder AND flow.file = f.file
               WHERE (? IS NULL OR f.folder = ?) AND (flow.function IS NOT NULL OR f.status <> 'ok')
               ORDER BY f.folder, f.file, flow.line""",
                (folder, folder),
            )
            .fetchall()
        )
        return [self._entry(row) for row in rows]

    def _entry(self, row: Sequence[Any]) -> FlowEntry:
        folder, file, function, name, line, description, schema, status, error, last_key = row
        last: tuple[Any, ...] | None = None
        if last_key is not None:
            last = (
                self._database.reader()
                .execute("SELECT id, state_type, ended_at FROM flow_run WHERE key = ?", (last_key,))
                .fetchone()
            )
        return FlowEntry(
            folder=folder,
            file=file,
            function=function,
            name=name,
            line=line,
            description=description,
            parameter_schema=None if schema is None else json.loads(schema),
            status=status,
            error=error_from_json(error),
            last_run_id=last[0] if last else None,
            last_run_state=StateType(last[1]) if last else None,
            last_run_ended_at=to_optional_datetime(last[2]) if last else None,
        )


def _remove_flows(connection: Connection, folder: str) -> None:
    for table in ("flow_file", "flow"):
        connection.execute(f"DELETE FROM {table} WHERE folder = ?", (folder,))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def named_by(reference: str, entries: Sequence[FlowEntry]) -> list[FlowEntry]:
    """Return the flows that a user may mean: by name, else by function, else by FILE:FUNCTION.

    FILE as the caller's own folder knows it beats FILE as a watched folder does.
    """
    file, _, function = reference.rpartition(":")
    here = os.path.realpath(file)
    ways: tuple[Callable[[FlowEntry], bool], ...] = (
        lambda entry: entry.name == reference,
        lambda entry: entry.function == reference,
        lambda entry: function == entry.function and here == os.path.join(entry.folder, entry.file),
        lambda entry: reference == entry.entrypoint,
    )
    for way in ways:
        if found := [entry for entry in entries if way(entry)]:
            return found
    return []


def _check_text(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise RefusedError(f"The folder {path} cannot be watched: its path is not UTF-8; rename it.") from None
