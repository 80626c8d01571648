"""A census of the Python standard library: one mapped task for each package, a CSV, and a report.

Watch: open the mapped group `count_package` and see it fill; the log has a line for each package as it is counted.
The report at the end is a flow of its own, so it shows up as a subflow, and can be run again by itself.
"""

import ast
import csv
import io
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from flowdeck import flow, get_run_logger, task

STDLIB = Path(sysconfig.get_paths()["stdlib"])
TEST_FOLDERS = frozenset({"test", "tests", "idle_test"})

# Old source has odd escapes; the compiler's remarks on them would drown the log.
warnings.filterwarnings("ignore", category=SyntaxWarning)


@dataclass
class Count:
    """What is in one package; `unreadable` files do not parse, and only their lines are counted."""

    package: str
    files: int = 0
    lines: int = 0
    comments: int = 0
    functions: int = 0
    classes: int = 0
    unreadable: int = 0


@task
def find_packages(limit: int, with_tests: bool) -> list[str]:
    """List the packages and modules of the standard library that have the most source, largest first."""
    names = {path.stem for path in STDLIB.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    sizes = {name: sum(path.stat().st_size for path in source_files(name, with_tests)) for name in names}
    largest = sorted(filter(sizes.get, sizes), key=lambda name: (-sizes[name], name))[:limit]
    if not largest:
        raise FileNotFoundError(f"there is no Python source in {STDLIB}")
    get_run_logger().info("Counting the %d largest of %d packages in %s.", len(largest), len(sizes), STDLIB)
    return largest


@task(log_prints=True)
def count_package(package: str, with_tests: bool) -> Count:
    """Count lines, comments and definitions in the files of one package."""
    count = Count(package)
    for path in source_files(package, with_tests):
        add_file(count, path.read_bytes())
    print(f"{package}: {count.files} files, {count.lines:,} lines")
    return count


@task
def write_csv(counts: list[Count], output: str) -> Path:
    """Write one row for each package, in the order given."""
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Count)])
        writer.writeheader()
        writer.writerows(asdict(count) for count in counts)
    get_run_logger().info("Wrote %s.", path.resolve())
    return path


@flow(name="census-report")
def census_report(census: str = "output/census.csv", top: int = 10) -> int:
    """Log the largest packages of a census, and the sum of all.

    Args:
        census: the CSV file that `code-census` wrote.
        top: how many packages to list.
    """
    with Path(census).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    logger = get_run_logger()
    rows.sort(key=lambda row: int(row["lines"]), reverse=True)
    for rank, row in enumerate(rows[:top], start=1):
        shown = f"{row['lines']:>7} lines {row['functions']:>6} functions {row['classes']:>5} classes"
        logger.info("%3d. %-16s %s", rank, row["package"], shown)
    total = sum(int(row["lines"]) for row in rows)
    logger.info("%d packages, %s lines in all.", len(rows), f"{total:,}")
    return total


@flow(name="code-census")
def code_census(limit: int = 100, with_tests: bool = False, output: str = "output/census.csv") -> int:
    """Count the source of the Python that runs this, package by package.

    Args:
        limit: how many packages to count, largest first.
        with_tests: count test folders too; that is about four times the work.
        output: the CSV file to write, relative to the working directory.
    """
    packages = find_packages(limit, with_tests)
    counts = count_package.map(packages, with_tests)
    path = write_csv(counts, output)
    return census_report(str(path))


def source_files(package: str, with_tests: bool) -> Iterator[Path]:
    """Go through the source files of a package, or the one file of a module."""
    module = STDLIB / f"{package}.py"
    if module.exists():
        yield module
    for path in sorted((STDLIB / package).rglob("*.py")):
        if with_tests or TEST_FOLDERS.isdisjoint(path.relative_to(STDLIB).parts):
            yield path


def add_file(count: Count, source: bytes) -> None:
    """Add what one file holds to a count."""
    count.files += 1
    count.lines += source.count(b"\n")
    try:
        tree = ast.parse(source)
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        count.unreadable += 1
        return
    count.comments += sum(token.type == tokenize.COMMENT for token in tokens)
    for node in ast.walk(tree):
        count.functions += isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        count.classes += isinstance(node, ast.ClassDef)


if __name__ == "__main__":
    code_census()
