"""`flowdeck flow-run …`: runs of flows."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from flowdeck.cli import printing
from flowdeck.cli.documents.document import Document
from flowdeck.cli.documents.flow_runs import flow_run_detail_document, flow_run_document
from flowdeck.cli.engine_checks import await_loss_noted, bring_up_engine, now, reason_of, with_reasons
from flowdeck.cli.log_output import LinesOutput, LogView, RecordsOutput, follow
from flowdeck.cli.tables import Paper, paper_for
from flowdeck.cli.texts.flow_runs import ending, flow_run_lines, flow_run_table
from flowdeck.cli.verbs import Parser, Verb, add_json, add_limit, add_parameters, count, run_noun
from flowdeck.cli.watching import watch
from flowdeck.deck import LOG_LEVELS, Deck, FlowRun, RunQuery
from flowdeck.rules.exceptions import ParameterError, RefusedError
from flowdeck.rules.parameters import parameter_checks
from flowdeck.rules.runs import run_filter
from flowdeck.rules.runs.run_filter import RunFilter
from flowdeck.rules.runs.run_order import RunOrder
from flowdeck.rules.states import StateType
from flowdeck.rules.text.near_names import did_you_mean
from flowdeck.rules.text.terminal_text import inert_line

FILTER_HELP: Final = (
    "A filter is made of terms that all hold: "
    f'{", ".join(run_filter.KEYS.values())}; text; "text with blanks"; /regular expression/. '
    "A comma separates values of which one holds, ! before a term turns it round, * stands for any text."
)
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
        problems = parameter_checks.validate(flow.parameter_schema or {}, values)
        if problems:
            raise ParameterError(f"Flow '{flow.name}': {'; '.join(problems.values())}.")
        bring_up_engine(deck)
        run = deck.flow_runs.create(
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
        printing.lines([ending(run, _paper())])
    else:
        printing.lines([inert_line(sentence)])
    return 0 if not arguments.watch or run.state_type is StateType.COMPLETED else 1


# -- ls, inspect -------------------------------------------------------------------------------------------------------


def _configure_ls(parser: Parser) -> None:
    parser.add_argument("--filter", metavar="FILTER", action="append", default=[],
                        help="such as 'state:failed,crashed flow:etl since:24h !tag:test /regex/'")  # fmt: skip
    parser.add_argument("--state", dest="states", metavar="STATE", action="append", default=[],
                        help="only runs in this state, such as failed or running,pending")  # fmt: skip
    parser.add_argument("--flow", metavar="NAME", help="only runs of the flow of this name")
    parser.add_argument("--sort", choices=[order.value for order in RunOrder], default=RunOrder.NEWEST.value,
                        help="newest is what you get otherwise")  # fmt: skip
    parser.add_argument("--all", action="store_true", help="subflow runs too")
    add_limit(parser)
    add_json(parser)


def _ls(arguments: argparse.Namespace) -> int:
    wanted = _filter(arguments)
    query = RunQuery(
        filter=wanted,
        order=RunOrder(arguments.sort),
        roots_only=not arguments.all and not wanted.has("parent"),
        limit=arguments.limit,
    )
    with closing(Deck()) as deck:
        runs = deck.flow_runs.select(query)
        rows = with_reasons(deck, runs, now())
        if arguments.json:
            at = now()
            printing.document([flow_run_document(run, at, reason) for run, reason in rows])
            return 0
        if not runs:
            printing.note(_why_no_runs(deck, wanted))
            return 0
        printing.lines(flow_run_table(rows, _paper()))
        if arguments.limit and len(runs) == arguments.limit and (total := deck.flow_runs.count(query)) > len(runs):
            printing.note(f"{len(runs)} of {total:,} runs; --limit 0 lists all.")
    return 0


def _filter(arguments: argparse.Namespace) -> RunFilter:
    """Put the options that choose runs together: all of them hold, of several states one."""
    words = [*arguments.filter]
    if arguments.states:
        words.append(f"state:{','.join(arguments.states)}")
    found = run_filter.parse(" ".join(words), now())
    return found if arguments.flow is None else run_filter.both(found, run_filter.of_flow(arguments.flow))


def _why_no_runs(deck: Deck, wanted: RunFilter) -> str:
    if not wanted:
        return "no runs."
    known = {entry.name for entry in deck.flows.entries() if entry.name is not None}
    unknown = [name for name in run_filter.named(wanted, "flow") if name not in known]
    hints = [hint for name in unknown if (hint := did_you_mean(name, known))]
    return f"no such runs.{''.join(hints[:1])}"


def _configure_inspect(parser: Parser) -> None:
    _add_run(parser)
    add_json(parser)


def _inspect(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.flow_runs.find(arguments.run)
        if arguments.json:
            printing.document(_detail(deck, run))
        else:
            paper = _paper()
            reason = reason_of(deck, run, paper.now)
            calls, subflows = deck.task_runs.of_flow_run(run.key), deck.flow_runs.subflows(run.key)
            printing.lines(flow_run_lines(run, reason, calls, subflows, paper))
    return 0


def _detail(deck: Deck, run: FlowRun) -> Document:
    at = now()
    reason = reason_of(deck, run, at)
    return flow_run_detail_document(
        run,
        at,
        reason,
        deck.flow_runs.states(run.key),
        deck.task_runs.of_flow_run(run.key),
        deck.flow_runs.subflows(run.key),
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
        run = deck.flow_runs.find(arguments.run)
        with closing(deck.logs.of_run(run)) as reader:
            output = (
                RecordsOutput(reader, view) if arguments.json else LinesOutput(reader, run.flow_name, view, sys.stdout)
            )
            if not arguments.follow:
                output.write_new(run_is_over=run.is_final)
                return 0
            for _ in follow(deck, run, output):
                pass
    return 0


# -- retry, rerun, cancel, delete --------------------------------------------------------------------------------------


def _configure_retry(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--completed", action="store_true", help="also when the run is Completed")
    _add_watch(parser)
    add_json(parser)


def _retry(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        before = deck.flow_runs.find(arguments.run)
        with closing(deck.logs.of_run(before)) as reader:
            reader.refresh()
            first_line = reader.count
        bring_up_engine(deck)
        await_loss_noted(deck, before)
        run = deck.flow_runs.retry(before.id, completed=arguments.completed)
        bring_up_engine(deck)  # one that had nothing to do may have ended in between
        sentence = f"Run {run.name} ({run.id}) starts attempt {run.attempt}; what it has recorded is not run again."
        return _started(deck, run, arguments, sentence, first_line)


def _configure_rerun(parser: Parser) -> None:
    _add_run(parser)
    add_parameters(parser)
    parser.add_argument("--name", help="of the new run; two random words otherwise")
    parser.add_argument("--tag", dest="tags", metavar="TAG", action="append", help="a tag; those of the run otherwise")
    _add_watch(parser)
    add_json(parser)


def _rerun(arguments: argparse.Namespace) -> int:
    # Imported here, as in `_create`.
    from flowdeck.cli.flow_reference import parsed_parameters  # noqa: PLC0415

    with closing(Deck()) as deck:
        before = deck.flow_runs.find(arguments.run)
        flow = deck.flows.of_run(before)
        schema = (None if flow is None else flow.parameter_schema) or {}
        values = {**before.parameters, **parsed_parameters(schema.get("properties", {}), arguments.parameters)}
        run = deck.flow_runs.rerun(before.id, values, name=arguments.name, triggered_by="cli", tags=arguments.tags)
        bring_up_engine(deck)
        return _started(deck, run, arguments, f"Run {run.name} ({run.id}) runs {before.name} once more.")


def _configure_cancel(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--force", action="store_true", help="end it at once, with no time to tidy up")
    add_json(parser)


def _cancel(arguments: argparse.Namespace) -> int:
    with closing(Deck()) as deck:
        run = deck.flow_runs.cancel(arguments.run, force=arguments.force)
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
        run = deck.flow_runs.find(arguments.run)
        deck.flow_runs.delete(run.id)
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


def _level(text: str) -> str:
    matches = [level for level in LOG_LEVELS if level.startswith(text.upper())] if text else []
    if len(matches) != 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no level; there are {', '.join(LOG_LEVELS).lower()}")
    return matches[0]


def _paper() -> Paper:
    return paper_for(sys.stdout, os.environ, printing.terminal_width(sys.stdout), now())


VERBS: Final[dict[str, Verb]] = {
    "create": Verb("run a flow", _configure_create, _create,
                   "A value of -p is text where the flow takes text, else JSON, else text."),
    "ls": Verb("list runs, newest first", _configure_ls, _ls, FILTER_HELP),
    "inspect": Verb("show all about a run", _configure_inspect, _inspect),
    "logs": Verb("show the log of a run", _configure_logs, _logs),
    "retry": Verb("run a failed, crashed or cancelled run again, under the same id", _configure_retry, _retry),
    "rerun": Verb("run the flow of a run once more, as a new run", _configure_rerun, _rerun,
                  "Its parameters are those of the run; -p changes one. The new run's origin is the old one."),
    "cancel": Verb("end a run; it is asked to, and made to after 10 s", _configure_cancel, _cancel),
    "delete": Verb("delete a run that is over, with its subflow runs and logs", _add_run, _delete),
}  # fmt: skip
