"""Which Python runs the flows of a folder: that of its virtual environment, if flowdeck is installed there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENVIRONMENT_FOLDER: Final = ".venv"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A chosen Python.

    Attributes:
        path: of the program; a link of a virtual environment is not resolved, for it is what makes the environment.
        remark: why it is not the one that a user may expect, as a sentence; None when it is.
    """

    path: str
    remark: str | None = None


def interpreter_for(folder: str) -> Interpreter:
    """Choose the Python for a folder of flows."""
    environment = Path(folder, ENVIRONMENT_FOLDER)
    python = environment / "bin" / "python"
    if not os.access(python, os.X_OK):
        return Interpreter(sys.executable)
    if _has_flowdeck(environment):
        return Interpreter(str(python))
    return Interpreter(
        sys.executable,
        f"flowdeck is not installed in {environment}, so {sys.executable} is used, without the packages of that "
        f"environment. `{python} -m pip install flowdeck` changes this.",
    )


def _has_flowdeck(environment: Path) -> bool:
    """Look for what an installation leaves behind, an editable one too; to ask that Python would cost 50 ms."""
    if environment.resolve() == Path(sys.prefix).resolve():
        return True
    return any(environment.glob("lib/python3*/site-packages/flowdeck-*.dist-info"))
