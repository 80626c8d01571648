"""Importing a flow file: fresh, beside its neighbours, and with its faults told by file and line."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from flowdeck.execution.calls import context
from flowdeck.host.loading import LoadError, find_flow, flows_of, load_file, module_name_of
from flowdeck.rules.exceptions import NotFoundError
from tests.cli.conftest import Script

HEAD = "from flowdeck import flow\n"


def test_a_saved_file_is_seen_at_once(home: Path, script: Script) -> None:
    """Two versions of the same size, saved within one second, are told apart."""
    path = script("quick.py", HEAD + "WORD = 'one'\n")
    assert load_file(path).WORD == "one"
    path.write_text(HEAD + "WORD = 'two'\n")
    assert load_file(path).WORD == "two"


def test_neighbours_and_pickles_find_it(home: Path, script: Script) -> None:
    """The module has the name by which others import it, is not `__main__`, and its folder comes first."""
    path = script(
        "shop.py", "from dataclasses import dataclass\nimport till\n@dataclass\nclass Item:\n    price: int\n"
    )
    script("till.py", "def ring():\n    import shop\n    return shop.Item(3)\n")
    module = load_file(path)
    assert (module.__name__, module.__file__) == ("shop", str(path))
    assert sys.path[0] == str(path.parent)
    assert type(module.till.ring()) is module.Item
    assert pickle.loads(pickle.dumps(module.Item(3))) == module.Item(3)


@pytest.mark.parametrize("name", ["json.py", "pytest.py", "2nd flow.py"])
def test_names_that_are_taken(home: Path, script: Script, name: str) -> None:
    """A file named like a module in use, or not like a module at all, takes nobody's place."""
    path = script("plain.py", HEAD).rename(Path.cwd() / name)
    before = sys.modules.get(path.stem)
    assert module_name_of(path).startswith("flow_file_")
    load_file(path)
    assert sys.modules.get(path.stem) is before


def test_flows_are_those_of_the_file(home: Path, script: Script) -> None:
    """An imported flow belongs to another file; one with two names counts under its function."""
    script("lib.py", HEAD + "@flow\ndef shared(): pass\n")
    path = script(
        "own.py",
        HEAD + "from lib import shared\nalias = None\n@flow\ndef first(): pass\nalias = first\n"
        "def plain(): pass\nsecond = flow(name='other-name')(plain)\n",
    )
    assert list(flows_of(load_file(path))) == ["first", "second"]
    for word in ("second", "plain", "other-name"):  # variable, function as a script's record has it, name
        assert find_flow(path, word).name == "other-name"
    with pytest.raises(NotFoundError, match="it has first, second"):
        find_flow(path, "shared")


def test_calls_at_module_level_do_not_run(home: Path, script: Script) -> None:
    """They are noted with their line instead, and only while the file is imported."""
    path = script("eager.py", HEAD + "@flow\ndef f(): raise SystemExit(9)\n\nf()\n")
    context.module_level_calls.clear()
    load_file(path)
    assert context.module_level_calls == [("f", str(path), 5)]
    assert context.describing is False


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = 1\ndef f(:\n", r"SyntaxError: .*\(faulty\.py, line 2\)\.$"),
        ("x = 1\nimport no_such_module\n", r"No module named 'no_such_module' \(line 2\)\.$"),
        ("x = 1\n\nx / 0\n", r"ZeroDivisionError: division by zero \(line 3\)\.$"),
        ("import sys\nsys.exit(4)\n", r"SystemExit: 4 \(line 2\)\.$"),
        ("import neighbour\n", r"KeyError: 'k' \(.*neighbour\.py, line 2\)\.$"),
        ("x = '\0'\n", r"SyntaxError|ValueError"),
    ],
)
def test_faults(home: Path, script: Script, source: str, sentence: str) -> None:
    """A file that cannot be imported says why and where, and leaves no module behind."""
    script("neighbour.py", "\n{}['k']\n")
    path = script("faulty.py", source)
    with pytest.raises(LoadError, match=sentence) as caught:
        load_file(path)
    assert str(path) in str(caught.value)
    assert "loading.py" not in caught.value.error.traceback
    assert "faulty" not in sys.modules


def test_fault_of_a_call_that_did_not_run(home: Path, script: Script) -> None:
    """A file that needs the result of such a call says what that has to do with its fault."""
    path = script("needs.py", HEAD + "@flow\ndef f(): return [1]\n\nprint(len(f()))\n")
    with pytest.raises(LoadError, match=r"TypeError: .* \(the call of 'f' in line 5 does not run when .* imported\)"):
        load_file(path)


def test_missing_file(home: Path, tmp_path: Path) -> None:
    """A file that is not there is not found."""
    with pytest.raises(NotFoundError, match="There is no file"):
        find_flow(tmp_path / "none.py", "f")
