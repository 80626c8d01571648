"""The modules of the app import each other in one direction."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import flowdeck_tui

ROOT = Path(flowdeck_tui.__file__).parent


def _imports(path: Path, modules: frozenset[str]) -> set[str]:
    """Return the modules of the app that one imports anywhere: for types only and inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules) or ({node.module} & modules)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules
    return found


def test_no_modules_of_the_app_import_each_other_in_a_circle() -> None:
    """Counted with what is imported for types only and what functions import when they are called."""
    names = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in names.items()}
    modules = frozenset(paths)
    imported = {name: _imports(path, modules) for name, path in paths.items()}
    assert imported["flowdeck_tui.launch"] == {"flowdeck_tui.app", "flowdeck_tui.terminal.cell_screen"}
    TopologicalSorter(imported).prepare()  # raises CycleError, which names the circle
