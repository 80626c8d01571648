"""Run all benchmarks, or those that are named: `python -m tests.benchmarks starts calls runs triggers screen idle`."""

from __future__ import annotations

import sys

from tests.benchmarks import calls, idle, runs, screen, starts, triggers

ALL = {module.__name__.rpartition(".")[2]: module.figures for module in (starts, calls, runs, triggers, screen, idle)}


def main(names: list[str]) -> int:
    """Print the figures; 1 when a target was missed."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"There is no benchmark '{unknown[0]}'. There are: {', '.join(ALL)}.", file=sys.stderr)
        return 2
    missed = 0
    for name in names or ALL:
        print(f"-- {name}")
        for figure in ALL[name]():
            print(figure.line(), flush=True)
            missed += not figure.reached
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
