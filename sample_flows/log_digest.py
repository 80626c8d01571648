"""What Python says while it imports a module, digested: `python -v` for many modules, one after the other.

Every module is imported by a fresh Python of its own, which lingers for half a second before it ends, so the whole
takes about a minute and a half.

Watch: the log, line by line as it comes (`l`, and `f` to follow it); a warning is a module that would not import.
Cancel the run (`x`): it is over within seconds, and the Python at work ends with it.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from flowdeck import flow, get_run_logger, task

# These say or show something when they are imported.
LEFT_OUT = frozenset({"antigravity", "idlelib", "this"})

# "# code object from '/usr/lib/python3/__pycache__/abc.pyc'"
CODE_FILE = re.compile(r"# code object from '(?P<path>.+)'$")
# "import time:       120 |        450 |   collections.abc": two more blanks for each level of nesting
IMPORT_TIME = re.compile(r"import time: +(?P<own>\d+) \| +(?P<total>\d+) \| (?P<indent> *)(?P<module>\S+)$")


@dataclass
class Digest:
    """What one import took.

    Attributes:
        module: the module that was asked for.
        failed: it could not be imported.
        imports: how many modules were imported for it, itself and those of Python's own start included.
        code_bytes: the size of the compiled files that were read.
        own_milliseconds: for each module that was imported, the time without what it imported in turn.
        chain: the longest chain of imports, from the first to the one nested deepest.
    """

    module: str
    failed: bool = False
    imports: int = 0
    code_bytes: int = 0
    own_milliseconds: dict[str, float] = field(default_factory=dict)
    chain: list[str] = field(default_factory=list)

    def slowest(self) -> tuple[str, float]:
        """Return the module whose own code took longest, and its milliseconds."""
        return max(self.own_milliseconds.items(), key=lambda item: item[1], default=("nothing", 0.0))


@task
def find_modules(count: int) -> list[str]:
    """List modules of the standard library that are here as Python source, spread evenly over the alphabet."""
    public = sorted(name for name in sys.stdlib_module_names - LEFT_OUT if not name.startswith("_"))
    found = [name for name in public if (spec := find_spec(name)) and str(spec.origin).endswith(".py")]
    count = min(count, len(found))
    return [found[index * len(found) // count] for index in range(count)]


@task
def digest_import(module: str, seconds_per_module: float) -> Digest:
    """Import one module in a Python of its own, and digest what that says on its way."""
    logger = get_run_logger()
    logger.debug("python -v -X importtime -c 'import %s'", module)
    program = f"import {module}, time; time.sleep({seconds_per_module})"
    command = [sys.executable, "-v", "-X", "importtime", "-c", program]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        digest = read_digest(module, process.stderr)
    digest.failed = process.returncode != 0
    log_one(digest)
    return digest


@flow(name="log-digest")
def log_digest(modules: int = 150, seconds_per_module: float = 0.5) -> int:
    """Digest what `python -v` says about many modules of the standard library.

    Args:
        modules: how many modules to import.
        seconds_per_module: how long each Python lingers after its import.
    """
    digests = [digest_import(name, seconds_per_module) for name in find_modules(modules)]
    good = [digest for digest in digests if not digest.failed]
    logger = get_run_logger()
    logger.info("%d modules imported, %d could not be.", len(good), len(digests) - len(good))
    if good:
        heaviest = max(good, key=lambda digest: digest.code_bytes)
        deepest = max(good, key=lambda digest: len(digest.chain))
        slowest = max(good, key=lambda digest: digest.slowest()[1])
        logger.info("Most code: %s, %s bytes.", heaviest.module, f"{heaviest.code_bytes:,}")
        logger.info("Slowest part: %s, %.1f ms, for %s.", *slowest.slowest(), slowest.module)
        logger.info("Longest chain: %s.", " > ".join(deepest.chain))
    return len(good)


def read_digest(module: str, lines: Iterable[str]) -> Digest:
    """Read the standard error of a Python to its end.

    Import times come innermost first: a module is reported after all that it imported, each of those indented by one
    level more. So a level's chain is the module itself and the longest chain seen below it since its last sibling.
    """
    digest = Digest(module)
    below: dict[int, list[str]] = {}
    for line in lines:
        if match := IMPORT_TIME.match(line):
            level = len(match["indent"]) // 2
            digest.imports += 1
            digest.own_milliseconds[match["module"]] = int(match["own"]) / 1000
            chain = [match["module"], *below.pop(level + 1, [])]
            below[level] = max(below.get(level, []), chain, key=len)
        elif match := CODE_FILE.match(line):
            digest.code_bytes += Path(match["path"]).stat().st_size
    digest.chain = below.get(0, [])
    return digest


def log_one(digest: Digest) -> None:
    """Say in two lines what an import took."""
    logger = get_run_logger()
    if digest.failed:
        logger.warning("%s: could not be imported", digest.module)
        return
    size, total_ms = f"{digest.code_bytes:,}", sum(digest.own_milliseconds.values())
    logger.info("%s: %d imports, %s bytes, %.1f ms", digest.module, digest.imports, size, total_ms)
    logger.info("%s: slowest part %s, %.1f ms; chain of %d", digest.module, *digest.slowest(), len(digest.chain))


if __name__ == "__main__":
    log_digest()
