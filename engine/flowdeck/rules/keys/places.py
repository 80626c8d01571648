"""Where code stands, told so that every process tells it the same: by folder and file, never by a module's name."""

from __future__ import annotations

import os
import sys


def of_file(path: str) -> str:
    """Return `folder/file` without suffix; what is no path (`<stdin>`) stays."""
    if path.startswith("<"):
        return path
    folder, name = os.path.split(os.path.abspath(path))
    return f"{os.path.basename(folder)}/{os.path.splitext(name)[0]}"


def of_module(module_name: str | None) -> str:
    """Return the place of a module's file, or the module's name if it has none that is Python's."""
    path = getattr(sys.modules.get(module_name or ""), "__file__", None)
    # The file name of a compiled module tells of the Python it was built for.
    return of_file(path) if path and path.endswith(".py") else str(module_name)
