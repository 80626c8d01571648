"""`flowdeck task-run …`: the task runs of a flow run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from flowdeck.cli import printing
from flowdeck.cli.documents.task_runs import task_run_document
from flowdeck.cli.engine_checks import now
from flowdeck.cli.tables import Paper, paper_for
from flowdeck.cli.texts.task_runs import task_run_lines, task_run_table
from flowdeck.cli.verbs import Parser, Verb, add_json, add_limit, count, run_noun
from flowdeck.deck import Deck


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck task-run` with these words."""
    return run_noun("task-run", VERBS, argv)


def _configure_ls(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="flow run: id, 4 or more characters from its start or end, or name")
    parser.add_argument(
        "--attempt", type=count, metavar="N", help="of this attempt of the run; the current one otherwise"
    )
    add_limit(parser)
    add_json(parser)


def _ls(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.flow_runs.find(arguments.run)
        calls = deck.task_runs.of_flow_run(run.key, flow_attempt=arguments.attempt)[::-1]
        shown = calls[: arguments.limit] if arguments.limit else calls
        if arguments.json:
            at = now()
            printing.document([task_run_document(call, at) for call in shown])
            return 0
        if not calls:
            printing.note(f"run {run.name} has no task runs.")
            return 0
        printing.lines(task_run_table(shown, _paper()))
        if len(shown) < len(calls):
            printing.note(f"the last {len(shown)} of {len(calls):,} task runs; --limit 0 lists all.")
    return 0


def _configure_inspect(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", type=count, help="number of the task run, as `task-run ls` shows it")
    add_json(parser)


def _inspect(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        call = deck.task_runs.find(arguments.id)
        if arguments.json:
            printing.document(task_run_document(call, now()))
        else:
            printing.lines(task_run_lines(call, _paper()))
    return 0


def _paper() -> Paper:
    return paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())


VERBS: Final[dict[str, Verb]] = {
    "ls": Verb("list the task runs of a run's current attempt, newest first", _configure_ls, _ls),
    "inspect": Verb("show all about a task run", _configure_inspect, _inspect),
}
