"""No module of ours imports itself by way of others: neither for types only, nor inside of a function."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "engine", ROOT / "app")


def modules_of(*sources: Path) -> dict[str, Path]:
    """Return the file of each module below these folders, by its name."""
    found: dict[str, Path] = {}
    for source in sources:
        for path in source.rglob("*.py"):
            parts = path.relative_to(source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Return which of the modules one imports, wherever in its file that stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, node.module] if node.module else above)
            submodules = {f"{origin}.{alias.name}" for alias in node.names} & modules.keys()
            # `from package import module` needs the module; any other name needs the package that defines it.
            found |= submodules
            if len(submodules) < len(node.names):
                found.add(origin)
    return found & modules.keys()


def circles_in(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return circles, each as the names along it; one is opened for the next to be found."""
    left = {name: set(imported) for name, imported in graph.items()}
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            found.append(circle)
            left[circle[1]].discard(circle[0])
        else:
            return found


def graph_of(*sources: Path) -> dict[str, set[str]]:
    modules = modules_of(*sources)
    return {name: imports_of(name, path, modules) for name, path in modules.items()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Layers say that no room needs one above it; this says the same of every two modules of one room."""
    graph = graph_of(*SOURCES)
    assert {"flowdeck.tasks", "flowdeck_tui.app"} <= graph.keys()
    circles = circles_in(graph)
    assert not circles, "\n".join(" <- ".join(circle) for circle in circles)


@pytest.mark.parametrize(
    "back",
    [
        "import room.first",
        "from room import first",
        "from room.first import thing",
        "from . import first",
        "from .first import thing",
        "def function():\n    from room.first import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from room.first import thing",
        "try:\n    import room.first\nexcept ImportError:\n    pass",
    ],
)
def test_each_way_to_import_is_seen(tmp_path: Path, back: str) -> None:
    """Also the two by which a circle hides from Python."""
    room = tmp_path / "room"
    room.mkdir()
    (room / "__init__.py").write_text("")
    (room / "first.py").write_text("from room import second\nthing = second\n")
    (room / "second.py").write_text(back)
    assert [set(circle) for circle in circles_in(graph_of(tmp_path))] == [{"room.first", "room.second"}]


def test_a_package_and_its_module_make_a_circle(tmp_path: Path) -> None:
    """A module that asks its own package for a name which that takes from the module."""
    room = tmp_path / "room"
    room.mkdir()
    (room / "__init__.py").write_text("from room.first import thing\nother = 1\n")
    (room / "first.py").write_text("from room import other\nthing = other\n")
    assert [set(circle) for circle in circles_in(graph_of(tmp_path))] == [{"room", "room.first"}]
