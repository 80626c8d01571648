"""Flow files that belong to a package: they are imported by its name, so that their relative imports work.

A package begins below the first folder upwards that has no `__init__.py`. A file that imports relatively from a folder
without one stands in a namespace package, as `python -m` sees it.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, NamedTuple

_MARK: Final = "__init__.py"
_IMPORTLIB: Final = ("<frozen importlib", os.path.dirname(importlib.__file__) + os.sep)


class PackagePlace(NamedTuple):
    """Where a flow file stands in a package."""

    root: str
    """Folder in which the outermost package lies."""
    name: str
    """Dotted name of the file's module."""
    package: str
    """Dotted name of the package that relative imports start from."""


def place_in_package(path: Path) -> PackagePlace | None:
    """Return where a file stands in a package; None for a file that stands alone.

    Args:
        path: real path of an existing file.
    """
    folder = path.parent
    while (folder / _MARK).is_file() and folder.name.isidentifier() and folder != folder.parent:
        folder = folder.parent
    if folder == path.parent:
        levels = _levels_of_relative_imports(path)
        folder = path.parents[levels] if 0 < levels < len(path.parents) else folder
    parts = path.parent.relative_to(folder).parts
    if not parts or not path.stem.isidentifier() or not all(part.isidentifier() for part in parts):
        return None
    package = ".".join(parts)
    return PackagePlace(str(folder), package if path.name == _MARK else f"{package}.{path.stem}", package)


def module_file(name: str) -> Path | None:
    """Return the file of a module that is named with dots, as `python -m` would find it; nothing is imported."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for entry in (os.getcwd(), *sys.path):
        base = Path(entry, *parts)
        for file in (base.with_suffix(".py"), base / _MARK):
            if file.is_file():
                return file.absolute()
    return None


def prepare(place: PackagePlace) -> bool:
    """Make the root of a package the first place in which modules are looked for; False when its name is taken."""
    top = place.name.partition(".")[0]
    known = sys.modules.get(top)
    if top in sys.stdlib_module_names or (known is not None and not _lies_in(known, place.root)):
        return False
    if sys.path[:1] != [place.root]:
        sys.path.insert(0, place.root)
    return True


def import_by_package(path: Path, place: PackagePlace, code: CodeType) -> ModuleType:
    """Import a file under its name in its package, with its packages before it.

    Args:
        path: the path of the file.
        place: the place of the file in its package; `prepare` has agreed.
        code: the code of the file.

    Raises:
        BaseException: what the code of the file or of a package around it raises.
    """
    sys.modules.pop(place.name, None)
    with _found_first(_Fresh(place.name, path, code)):
        try:
            return importlib.import_module(place.name)
        except BaseException as error:  # noqa: BLE001 - raised again, without the frames of importlib
            traceback = error.__traceback__
            while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith((*_IMPORTLIB, __file__)):
                traceback = traceback.tb_next
            raise error.with_traceback(traceback) from error.__cause__


class _FreshLoader(SourceFileLoader):
    """Gives the code that was compiled of what is on disk now, never that of a bytecode cache."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """Return the code."""
        del fullname
        return self._code


class _Fresh(MetaPathFinder):
    """Finds one module."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return how the module is made; None for any other."""
        del path, target
        if fullname != self._name:
            return None
        folders = [str(self._path.parent)] if self._path.name == _MARK else None
        loader = _FreshLoader(fullname, str(self._path), self._code)
        return spec_from_file_location(fullname, self._path, loader=loader, submodule_search_locations=folders)


@contextmanager
def _found_first(finder: _Fresh) -> Generator[None]:
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _levels_of_relative_imports(path: Path) -> int:
    """Return how many packages upwards a file imports from at most; 0 for none."""
    try:
        source = path.read_bytes()
        tree = ast.parse(source) if b"from ." in source else ast.Module([], [])
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return 0  # compiling it will say so
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _lies_in(module: ModuleType, root: str) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(isinstance(place, str) and os.path.realpath(place).startswith(root + os.sep) for place in places)
