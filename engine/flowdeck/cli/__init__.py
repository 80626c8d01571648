"""The command line. `flowdeck NOUN VERB …`: each noun is a module here, loaded only when it is named.

Nothing here is slow to import, so that a command costs little more than what it does: argparse rather than click
(7 ms against 26 ms on a floor of 9 ms, and its errors are ours to word), and one parser for the one verb that is run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from flowdeck.rules.exceptions import FlowdeckError, NotFoundError, UsageError
from flowdeck.rules.text.near_names import nearest
from flowdeck.rules.versions import __version__

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
INTERRUPTED: Final = 130

COMMANDS: Final[dict[str, str]] = {
    "run": "run a flow of a file here and now, its log on the terminal",
    "server": "start, stop or look at the engine",
    "flow": "list and inspect the flows of watched folders",
    "flow-run": "create, list, inspect, retry, cancel and delete runs of flows; read their logs",
    "task-run": "list and inspect the task runs of a flow run",
    "doctor": "check this installation and its home, and say how to fix what is wrong",
}
"""Each is the module of that name, with `_` for `-`."""

HELP: Final = """\
usage: flowdeck [FOLDER]            open the screen on a folder of flows (default: this one)
       flowdeck COMMAND ...

Commands:
{commands}

  flowdeck COMMAND --help           says more
  flowdeck --version

A flow is named by its name, its function, or FILE:FUNCTION. A run is named by its id, by 4 or more
characters from the start or end of its id, or by its name. Listings and inspect take --json.
To open a folder that is named like a command: flowdeck ./run

Environment: FLOWDECK_HOME, the folder where everything is kept (default ~/.flowdeck).
Exit codes: 0 done, and Completed where a run was waited for; 1 failed or refused; 2 not understood;
3 not found; 130 interrupted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    Args:
        argv: the words after `flowdeck`; None for those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    undecodable = next((word for word in words if not _is_text(word)), None)
    if undecodable is not None:
        _complain(f"'{undecodable}' is not UTF-8 text, as names and paths must be here; rename it or give another.")
        return USAGE
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    try:
        code = _run(words)
        sys.stdout.flush()
    except FlowdeckError as error:
        _complain(f"{error}{_folder_hint(words)}")
        return _code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        _complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return FAILED
    except Exception as error:
        if os.environ.get("FLOWDECK_DEBUG"):
            raise
        _complain(
            _damage(error) or f"unexpected {type(error).__name__}: {error}. FLOWDECK_DEBUG=1 shows the traceback."
        )
        return FAILED
    return code


def _is_text(word: str) -> bool:
    """Tell whether a word holds no bytes that Python could not decode: neither database nor JSON can keep these."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _run(argv: list[str]) -> int:
    word = argv[0] if argv else ""
    if word in ("-h", "--help", "help"):
        print(_help())
        return OK
    if word in ("-V", "--version"):
        print(f"flowdeck {__version__}")
        return OK
    if word in COMMANDS:
        return import_module(f"flowdeck.cli.{word.replace('-', '_')}").main(argv[1:])
    if word.startswith("-"):
        raise UsageError(f"There is no option {word}. `flowdeck --help` lists what there is.")
    if word and not os.path.exists(word):
        raise UsageError(f"There is no command and no folder '{word}'. {_meant(word)}")
    if len(argv) > 1:
        raise UsageError(
            f"One folder at a time, please: '{argv[1]}' is too much. `flowdeck --help` lists the commands."
        )
    return import_module("flowdeck.cli.tui").main(word or ".")


def _help() -> str:
    return HELP.format(commands="\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items()))


def _meant(word: str) -> str:
    close = nearest(word, COMMANDS)
    return f"Did you mean `flowdeck {close}`?" if close else "`flowdeck --help` lists the commands."


def _folder_hint(words: list[str]) -> str:
    """A command beats a folder of its name; who meant the folder is told how to say so."""
    meant = len(words) == 1 and words[0] in COMMANDS and os.path.isdir(words[0])
    return f" To open the folder of that name: `flowdeck ./{words[0]}`." if meant else ""


def _complain(sentence: str) -> None:
    from flowdeck.cli.printing import note  # noqa: PLC0415 - help and version need nothing of it: 9 ms

    note(sentence)


def _damage(error: Exception) -> str | None:
    """Explain that the home's database is damaged; None when the error does not say so."""
    from flowdeck.store.database import integrity  # noqa: PLC0415 - rare
    from flowdeck.store.home import locate  # noqa: PLC0415 - rare

    return integrity.explain_damage(locate(), error) if integrity.is_damage(error) else None


def _code_of(error: FlowdeckError) -> int:
    if isinstance(error, UsageError):
        return USAGE
    return NOT_FOUND if isinstance(error, NotFoundError) else FAILED
