"""`flowdeck flow-run …`: runs of flows."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from flowdeck.cli import json_output, printing, text_output
from flowdeck.cli.log_output import LEVELS, LinesOutput, LogView, RecordsOutput, follow
from flowdeck.cli.surroundings import bring_up_engine, now, reason_of, with_reasons
from flowdeck.cli.tables import Paper, paper_for
from flowdeck.cli.verbs import Parser, Verb, add_json, add_limit, add_parameters, count, run_noun
from flowdeck.cli.watching import watch
from flowdeck.deck import Deck, FlowRun, RunQuery
from flowdeck.rules import parameters as parameter_rules
from flowdeck.rules.exceptions import ParameterError, RefusedError
from flowdeck.rules.states import StateType
from flowdeck.rules.terminal_text import inert_line

RUN_HELP: Final = "id, 4 or more characters from its start or end, or name"


def main(argv: Sequence[str]) -> int:
    """Run `flowdeck flow-run` with these words."""
    return run_noun("flow-run", VERBS, argv)


# -- create ------------------------------------------------------------------------------------------------------------


def _configure_create(parser: Parser) -> None:
    parser.add_argument("flow", metavar="FLOW", help="name, function or FILE:FUNCTION")
    add_parameters(parser)
    parser.add_argument("--at", type=_moment, metavar="TIME", help="when to start, such as 2030-01-31T08:00 (local)")
    parser.add_argument("--name", help="of the run; two random words otherwise")
    parser.add_argument("--key", metavar="DEDUP", help="asked again with the same key, the first run is given back")
    parser.add_argument("--tag", dest="tags", metavar="TAG", action="append", default=[], help="a tag of the run")
    _add_watch(parser)
    add_json(parser)


def _create(arguments: argparse.Namespace) -> int:
    # Imported here: it parses and hashes flow files, 8 ms that no other verb needs.
    from flowdeck.cli.flow_reference import parameters, wanted_flow  # noqa: PLC0415

    asked_at = now()
    with closing(Deck()) as deck:
        flow = wanted_flow(deck, arguments.flow)
        values = parameters(flow, arguments.parameters)
        # What is wrong with the words is said before an engine is started for them.
        problems = parameter_rules.validate(flow.parameter_schema or {}, values)
        if problems:
            raise ParameterError(f"Flow '{flow.name}': {'; '.join(problems.values())}.")
        bring_up_engine(deck)
        run = deck.create_flow_run(
            flow,
            values,
            name=arguments.name,
            scheduled_at=arguments.at,
            key=arguments.key,
            triggered_by="cli",
            tags=arguments.tags,
        )
        bring_up_engine(deck)  # one that had nothing to do may have ended in between
        if run.created_at < asked_at:
            printing.note(f"a run with the key '{arguments.key}' is there already: {run.id}")
        return _started(deck, run, arguments, f"Run {run.name} ({run.id}) of {run.flow_name} is created.")


def _started(deck: Deck, run: FlowRun, arguments: argparse.Namespace, sentence: str, first_line: int = 0) -> int:
    """Follow a run that was just created or retried if that is wanted, and show it."""
    if arguments.watch:
        run = watch(deck, run, first_line)
    if arguments.json:
        printing.document(_detail(deck, run))
    elif arguments.watch:
        printing.lines([text_output.ending(run, _paper())])
    else:
        printing.lines([inert_line(sentence)])
    return 0 if not arguments.watch or run.state_type is StateType.COMPLETED else 1


# -- ls, inspect -------------------------------------------------------------------------------------------------------


def _configure_ls(parser: Parser) -> None:
    parser.add_argument("--state", dest="states", type=_states, metavar="STATE", action="append", default=[],
                        help="only runs in this state, such as failed or running,pending")  # fmt: skip
    parser.add_argument("--flow", metavar="NAME", help="only runs of the flow of this name")
    parser.add_argument("--all", action="store_true", help="subflow runs too")
    add_limit(parser)
    add_json(parser)


def _ls(arguments: argparse.Namespace) -> int:
    query = RunQuery(
        state_types=tuple(state for states in arguments.states for state in states),
        flow_name=arguments.flow,
        roots_only=not arguments.all,
        limit=arguments.limit,
    )
    with closing(Deck()) as deck:
        runs = deck.flow_runs(query)
        rows = with_reasons(deck, runs, now())
        if arguments.json:
            at = now()
            printing.document([json_output.flow_run(run, at, reason) for run, reason in rows])
            return 0
        if not runs:
            printing.note("no runs." if query == RunQuery(roots_only=True) else "no such runs.")
            return 0
        printing.lines(text_output.flow_runs(rows, _paper()))
        if arguments.limit and len(runs) == arguments.limit and (total := deck.flow_run_total(query)) > len(runs):
            printing.note(f"{len(runs)} of {total:,} runs; --limit 0 lists all.")
    return 0


def _configure_inspect(parser: Parser) -> None:
    _add_run(parser)
    add_json(parser)


def _inspect(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.flow_run(arguments.run)
        if arguments.json:
            printing.document(_detail(deck, run))
        else:
            paper = _paper()
            reason = reason_of(deck, run, paper.now)
            calls, subflows = deck.task_runs(run.key), deck.subflow_runs(run.key)
            printing.lines(text_output.flow_run(run, reason, calls, subflows, paper))
    return 0


def _detail(deck: Deck, run: FlowRun) -> json_output.Document:
    at = now()
    reason = reason_of(deck, run, at)
    return json_output.flow_run_detail(
        run, at, reason, deck.states(run.key), deck.task_runs(run.key), deck.subflow_runs(run.key)
    )


# -- logs --------------------------------------------------------------------------------------------------------------


def _configure_logs(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is over")
    parser.add_argument("-n", "--tail", type=count, metavar="N", help="only the last N records")
    parser.add_argument("--level", type=_level, metavar="LEVEL", help="only records of this level or above")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the exact message")


def _logs(arguments: argparse.Namespace) -> int:
    view = LogView(arguments.level, arguments.tail)
    with closing(Deck()) as deck:
        run = deck.flow_run(arguments.run)
        with closing(deck.log(run)) as reader:
            output = (
                RecordsOutput(reader, view) if arguments.json else LinesOutput(reader, run.flow_name, view, sys.stdout)
            )
            if not arguments.follow:
                output.write_new(run_is_over=run.is_final)
                return 0
            for _ in follow(deck, run, output):
                pass
    return 0


# -- retry, cancel, delete ---------------------------------------------------------------------------------------------


def _configure_retry(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--completed", action="store_true", help="also when the run is Completed")
    _add_watch(parser)
    add_json(parser)


def _retry(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        before = deck.flow_run(arguments.run)
        with closing(deck.log(before)) as reader:
            reader.refresh()
            first_line = reader.count
        bring_up_engine(deck)
        run = deck.retry(before.id, completed=arguments.completed)
        bring_up_engine(deck)  # one that had nothing to do may have ended in between
        sentence = f"Run {run.name} ({run.id}) starts attempt {run.attempt}; what it has recorded is not run again."
        return _started(deck, run, arguments, sentence, first_line)


def _configure_cancel(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--force", action="store_true", help="end it at once, with no time to tidy up")
    add_json(parser)


def _cancel(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.cancel(arguments.run, force=arguments.force)
        if run.is_final and run.state_type is not StateType.CANCELLED:
            raise RefusedError(f"Run '{run.name}' was over before it could be cancelled: {run.state_name}.")
        if not run.is_final:
            bring_up_engine(deck)  # it is what ends the process, should the run not end by itself
        if arguments.json:
            printing.document(_detail(deck, run))
        else:
            how = "is cancelled" if run.is_final else "is being cancelled"
            printing.lines([inert_line(f"Run {run.name} ({run.id}) {how}.")])
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.flow_run(arguments.run)
        deck.delete(run.id)
        printing.lines([inert_line(f"Run {run.name} ({run.id}) is deleted, its log too.")])
    return 0


# -- words -------------------------------------------------------------------------------------------------------------


def _add_run(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)


def _add_watch(parser: Parser) -> None:
    parser.add_argument(
        "--watch", action="store_true", help="show the log on stderr until the run is over; exit 0 if it Completed"
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no time; write it as 2030-01-31T08:00 (local) or 2030-01-31T07:00:00Z"
        ) from None
    return moment.astimezone()


def _states(text: str) -> list[StateType]:
    known = {state.value: state for state in StateType}
    words = [word.strip().upper() for word in text.split(",")]
    for word in words:
        if word not in known:
            raise argparse.ArgumentTypeError(f"'{text}' is no state; there are {', '.join(known).lower()}")
    return [known[word] for word in words]


def _level(text: str) -> str:
    matches = [level for level in LEVELS if level.startswith(text.upper())] if text else []
    if len(matches) != 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no level; there are {', '.join(LEVELS).lower()}")
    return matches[0]


def _paper() -> Paper:
    return paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())


VERBS: Final[dict[str, Verb]] = {
    "create": Verb("run a flow", _configure_create, _create,
                   "A value of -p is text where the flow takes text, else JSON, else text."),
    "ls": Verb("list runs, newest first", _configure_ls, _ls),
    "inspect": Verb("show all about a run", _configure_inspect, _inspect),
    "logs": Verb("show the log of a run", _configure_logs, _logs),
    "retry": Verb("run a failed, crashed or cancelled run again, under the same id", _configure_retry, _retry),
    "cancel": Verb("end a run; it is asked to, and made to after 10 s", _configure_cancel, _cancel),
    "delete": Verb("delete a run that is over, with its subflow runs and logs", _add_run, _delete),
}  # fmt: skip
