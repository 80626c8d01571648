"""The files that the documents name are there: a map that is out of date is worse than none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"engine": ROOT / "engine" / "flowdeck", "app": ROOT / "app" / "flowdeck_tui"}
PATH = re.compile(r"`([\w./{},-]+\.(?:py|tcss|toml|md|svg))(?::[^`]*)?`")
"""A path in backquotes, which a colon and a name inside of the file may follow."""


def paths_in(text: str) -> list[str]:
    """Return the paths that a document names; `a/{b,c}.py` stands for two."""
    named: list[str] = []
    for path in PATH.findall(text):
        head, brace, rest = path.partition("{")
        choices, _, tail = rest.partition("}")
        named += [head + choice + tail for choice in choices.split(",")] if brace else [path]
    return named


def is_there(path: str, package: Path) -> bool:
    """Tell whether a path is one from the top of the project or from that of a package."""
    bases = (ROOT, package, *PACKAGES.values())
    return any((base / path).exists() for base in bases)


@pytest.mark.parametrize("document", ["engine/DESIGN.md", "app/DESIGN.md", "CONTRIBUTING.md", "README.md"])
def test_every_file_that_is_named_exists(document: str) -> None:
    """Examples of files that users write (`my_flow.py`) are the exception."""
    package = PACKAGES.get(document.partition("/")[0], ROOT)
    named = [path for path in paths_in((ROOT / document).read_text()) if "/" in path]
    assert [path for path in named if not is_there(path, package)] == []


def test_the_design_documents_name_files() -> None:
    """So that the test above cannot pass by finding nothing."""
    for document in ("engine/DESIGN.md", "app/DESIGN.md"):
        assert len(paths_in((ROOT / document).read_text())) > 30
