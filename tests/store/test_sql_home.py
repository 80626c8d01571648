"""All SQL of flowdeck stands in `store/`: a table can change without a search through the other rooms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowdeck
import flowdeck_tui

_STATEMENT = re.compile(
    r"^\s*(SELECT\b.+\bFROM\b|INSERT\s+(OR\s+\w+\s+)?INTO\b|REPLACE\s+INTO\b|UPDATE\s+\w+\s+SET\b"
    r"|DELETE\s+FROM\b|WITH\s+(RECURSIVE\s+)?\w+\s*(\(|AS\b)"
    r"|PRAGMA\s+\w+|BEGIN(\s+(IMMEDIATE|EXCLUSIVE|DEFERRED))?$|COMMIT$|ROLLBACK$|VACUUM\b|ATTACH\s+|ALTER\s+TABLE\b"
    r"|(CREATE|DROP)\s+(TEMP\s+)?(UNIQUE\s+)?(TABLE|INDEX|TRIGGER|VIEW)\b)",
    re.DOTALL,
)
PACKAGES = (Path(flowdeck.__path__[0]), Path(flowdeck_tui.__path__[0]))
STORE = PACKAGES[0] / "store"


def statements(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string of a module that begins as a statement of SQL does."""
    for node in ast.walk(ast.parse(source)):
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        if _STATEMENT.search(text):
            yield node.lineno, text


def test_sql_stands_only_in_the_store() -> None:
    """Of both packages."""
    found = [
        f"{path}:{line}: {text}"
        for package in PACKAGES
        for path in package.rglob("*.py")
        if STORE not in path.parents
        for line, text in statements(path.read_text())
    ]
    assert found == []


def test_the_store_is_seen_to_hold_sql() -> None:
    """The check recognizes what it looks for."""
    assert sum(1 for path in STORE.rglob("*.py") for _ in statements(path.read_text())) > 50


@pytest.mark.parametrize(
    "source",
    [
        'x = "SELECT id FROM flow_run WHERE key = ?"',
        'x = f"UPDATE flow_run SET {settings} WHERE key = ?"',
        'x = f"DELETE FROM {table}"',
        'x = """\n  INSERT OR REPLACE INTO flow VALUES (?)"""',
        'x = "PRAGMA data_version"',
        'x = "BEGIN IMMEDIATE"',
    ],
)
def test_statements_are_recognized(source: str) -> None:
    """In plain, formatted and long strings."""
    assert list(statements(source))


@pytest.mark.parametrize("source", ['x = "Select a run"', 'x = "UPDATE of the screen"', 'x = "with items as they are"'])
def test_prose_is_not_taken_for_sql(source: str) -> None:
    """Words of SQL in sentences."""
    assert not list(statements(source))
