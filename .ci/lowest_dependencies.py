"""Print pip constraints that hold each dependency of pyproject.toml at the lowest version that it allows."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)\s*>=\s*(?P<version>[\w.]+)[^;]*(?P<marker>;.*)?")


def main() -> None:
    """Read the file beside this folder; a dependency with no lower bound is an error, an exact one needs no line."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for dependency in project["dependencies"]:
        if "==" in dependency.partition(";")[0]:
            continue
        found = BOUND.fullmatch(dependency)
        if found is None:
            sys.exit(f"pyproject.toml: {dependency!r} says no lowest version; write it as name>=version.")
        sys.stdout.write(f"{found['name']}=={found['version']}{found['marker'] or ''}\n")


if __name__ == "__main__":
    main()
