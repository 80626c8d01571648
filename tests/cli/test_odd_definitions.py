"""Flows that are no plain functions of their file: methods, partials, flows behind decorators."""

from __future__ import annotations

import pytest

from flowdeck.deck import Deck
from flowdeck.store.catalogue import Catalogue, FlowDescription
from flowdeck.store.database.database import Database
from flowdeck.store.run_values import RunError
from tests.cli.conftest import Command, Script

SOURCE = """
import functools
from flowdeck import flow

def timed(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

def load(table, limit=1):
    print(table, limit)

@timed
@flow(log_prints=True)
def wrapped(limit: int = 1):
    print("wrapped", limit)

orders = flow(functools.partial(load, "orders"), name="orders", log_prints=True)

class Jobs:
    name = "jobs"

    @flow(log_prints=True)
    def of_object(self, limit: int = 1):
        print(self.name, limit)

    @flow(log_prints=True)
    async def later(self, limit: int = 1):
        print("later", limit)

    @classmethod
    @flow(log_prints=True)
    def of_class(cls, limit: int = 1):
        print(cls.name, limit)

    @staticmethod
    @flow(log_prints=True)
    def of_none(limit: int = 1):
        print("static", limit)

class Needs:
    def __init__(self, name):
        self.name = name

    @flow
    def lost(self): pass
"""


@pytest.mark.parametrize(
    ("function", "line"),
    [
        ("wrapped", "wrapped 3"),
        ("orders", "orders 3"),
        ("Jobs.of_object", "jobs 3"),
        ("Jobs.later", "later 3"),
        ("Jobs.of_class", "jobs 3"),
        ("Jobs.of_none", "static 3"),
    ],
)
def test_it_runs(function: str, line: str, command: Command, script: Script, deck: Deck) -> None:
    """By its name in the file; parameters are those without the object."""
    script("odd.py", SOURCE)
    output = command("run", f"odd.py:{function}", "-p", "limit=3")
    assert output.code == 0, output.err
    assert line in output.err
    (run,) = deck.flow_runs.select()
    assert run.parameters["limit"] == 3
    assert "self" not in run.parameters


def test_a_refusal_lists_what_can_be_started(command: Command, script: Script) -> None:
    """Not the method of an object that needs arguments, which gets a sentence of its own."""
    script("odd.py", SOURCE)
    unknown = command("run", "odd.py:nothing")
    assert unknown.code == 3
    assert "it has wrapped, orders, Jobs.of_object, Jobs.later, Jobs.of_class, Jobs.of_none." in unknown.err
    several = command("run", "odd.py", "-p", "limit=1")
    assert several.code == 2
    assert "odd.py:Jobs.of_none" in several.err
    assert "lost" not in unknown.err + several.err
    needs = command("run", "odd.py:Needs.lost")
    assert needs.code == 1
    assert "Needs takes arguments to make one" in needs.err


def test_list_of_flows_tells_what_it_leaves_out(command: Command, script: Script, deck: Deck) -> None:
    """Once for each file, beside its flows; and in the place of a flow where a file has no other."""
    folder = str(script("odd.py", SOURCE).parent)
    note = RunError("Warning", "'lost' in line 3 is a flow of a class.", "", f"{folder}/odd.py")
    nothing = RunError("DefinitionError", "'gone' in line 4 is made a flow.", "", f"{folder}/none.py", 4)
    flows = [FlowDescription(name, name, 1, None, {"type": "object"}) for name in ("one", "two")]
    database = Database()
    catalogue = Catalogue(database)
    catalogue.put_file(folder, "odd.py", "1", "python", "ok", note, flows)
    catalogue.put_file(folder, "none.py", "1", "python", "import_error", nothing, None)
    database.close()
    output = command("flow", "ls")
    assert output.err.count("odd.py: 'lost' in line 3 is a flow of a class.") == 1
    assert "no flow of it can be started: 'gone' in line 4" in output.out.replace("DefinitionError: ", "")
