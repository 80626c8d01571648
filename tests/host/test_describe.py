"""The describing process, run as the engine runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 60.0


class Folder:
    """A folder of flow files that can be described."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, source: str, file: str = "etl.py") -> None:
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")

    def run(self, file: str = "etl.py", *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-P", "-m", "flowdeck.host.describe", str(self.path / file), *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def described(self, source: str) -> dict[str, Any]:
        self.write(source)
        return json.loads(self.run().stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_flows_are_described_in_the_order_of_the_file(folder: Folder) -> None:
    """Function, name, line of the `def`, first paragraph, parameters; a flow that is imported belongs elsewhere."""
    folder.write("from flowdeck import flow\n@flow\ndef elsewhere(): pass\n", "steps.py")
    document = folder.described(
        '''
        from flowdeck import flow
        from steps import elsewhere

        @flow(
            name="Nightly",
        )
        async def nightly(day: str, count: int = 3):
            """Load one day.

            Args:
                day: which one.
            """

        @flow
        def load_all(): pass

        renamed = flow(name="given")(lambda: None)
        '''
    )
    assert document["error"] is None
    assert document["warnings"] == []
    found = [(flow["function"], flow["name"], flow["line"], flow["description"]) for flow in document["flows"]]
    assert found == [
        ("nightly", "Nightly", 8, "Load one day."),
        ("load_all", "load-all", 16, None),
        ("renamed", "given", 18, None),
    ]
    schema = document["flows"][0]["parameter_schema"]
    assert schema["required"] == ["day"]
    assert schema["properties"] == {
        "day": {"type": "string", "description": "which one."},
        "count": {"type": "integer", "default": 3},
    }


def test_file_is_imported_as_the_engine_runs_it(folder: Folder) -> None:
    """Not as `__main__`, its own folder first on the path, in the watched folder, with no arguments of ours."""
    folder.write("x = 1", "deep/neighbour.py")
    folder.write(
        """
        import os, sys, neighbour
        from flowdeck import flow
        @flow
        def told(name=__name__, first=os.path.basename(sys.path[0]), cwd=os.getcwd(), arguments=len(sys.argv)): pass
        """,
        "deep/etl.py",
    )
    document = json.loads(folder.run("deep/etl.py").stdout)
    told = {name: entry["default"] for name, entry in document["flows"][0]["parameter_schema"]["properties"].items()}
    assert told == {"name": "etl", "first": "deep", "cwd": str(folder.path), "arguments": 1}


def test_what_the_file_prints_does_not_mix_with_the_document(folder: Folder) -> None:
    """Prints, raw writes to descriptor 1 and output of programs it starts all go to stderr."""
    folder.write(
        """
        import os, subprocess
        from flowdeck import flow
        print("printed")
        os.write(1, b"raw")
        subprocess.run(["echo", "started"])
        @flow
        def one(): pass
        """
    )
    outcome = folder.run()
    assert [flow["name"] for flow in json.loads(outcome.stdout)["flows"]] == ["one"]
    for word in ("raw", "started"):
        assert word in outcome.stderr


def test_calls_at_module_level_do_not_run_and_are_named(folder: Folder) -> None:
    """Describing a file must not start what it describes."""
    document = folder.described(
        """
        from flowdeck import flow, task
        @task
        def step(): open("ran", "w")
        @flow
        def main(): open("ran", "w")
        main()
        step()
        """
    )
    assert [flow["name"] for flow in document["flows"]] == ["main"]
    assert [warning.partition(" is called")[0] for warning in document["warnings"]] == [
        "etl.py, line 7: 'main'",
        "etl.py, line 8: 'step'",
    ]
    assert not (folder.path / "ran").exists()


def test_an_error_after_such_a_call_tells_of_it(folder: Folder) -> None:
    """The call gave None; without a word about it the error that follows is a riddle."""
    document = folder.described(
        """
        from flowdeck import flow
        @flow
        def main(): return {"rows": 1}
        print(main()["rows"])
        """
    )
    error = document["error"]
    assert (error["type"], error["line"]) == ("TypeError", 5)
    assert "line 5 calls 'main', which does not run while the file is imported" in error["message"]


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("import json\nx = (", "SyntaxError", 2),
        ("import json\n\n1 / 0", "ZeroDivisionError", 3),
        ("import no_such_module_at_all", "ModuleNotFoundError", 1),
        ("x = 1\nraise KeyboardInterruptX", "NameError", 2),
        ("class Odd(BaseException): pass\nraise Odd('odd')", "etl.Odd", 2),
        ("from flowdeck import flow\n@flow(retries=-1)\ndef x(): pass", "flowdeck.rules.exceptions.DefinitionError", 2),
    ],
)
def test_a_broken_file_is_told_by_type_and_line(folder: Folder, source: str, kind: str, line: int) -> None:
    """The error is the author's: its file and line, and a traceback with no frame of ours."""
    document = folder.described(source)
    error = document["error"]
    assert document["flows"] == []
    assert (error["type"], error["line"]) == (kind, line)
    assert error["file"] == str(folder.path / "etl.py")
    assert "etl.py" in error["traceback"]
    for ours in ("flowdeck/host", "flowdeck/execution", "importlib"):
        assert ours not in error["traceback"]


@pytest.mark.parametrize(("call", "code"), [("sys.exit(3)", "3"), ("sys.exit()", "0"), ("raise SystemExit", "0")])
def test_a_file_that_ends_the_process_politely_is_told(folder: Folder, call: str, code: str) -> None:
    """`sys.exit` at module level is an error of the file, with a way out."""
    error = folder.described(f"import sys\n{call}\n")["error"]
    assert (error["type"], error["line"]) == ("SystemExit", 2)
    assert f"(exit code {code})" in error["message"]
    assert "__main__" in error["message"]


def test_threads_and_exit_handlers_are_not_waited_for(folder: Folder) -> None:
    """A thread that never ends does not keep the description from ending."""
    document = folder.described(
        """
        import atexit, threading
        from flowdeck import flow
        threading.Thread(target=threading.Event().wait).start()
        atexit.register(lambda: open("left", "w"))
        @flow
        def one(): pass
        """
    )
    assert [flow["name"] for flow in document["flows"]] == ["one"]
    assert not (folder.path / "left").exists()


def test_a_fork_at_module_level_is_told_with_its_line(folder: Folder) -> None:
    """The copy says nothing, however far it gets; a subprocess, which copies nothing, is no matter."""
    document = folder.described(
        """
        import os, subprocess
        from flowdeck import flow
        subprocess.run(["true"])
        if os.fork():
            os.wait()
        @flow
        def one(): pass
        """
    )
    assert [flow["name"] for flow in document["flows"]] == ["one"]
    (told,) = document["warnings"]
    assert told.startswith("etl.py, line 5: the process is copied (fork) when the file is imported.")


def test_names_that_collide_are_told_with_their_lines(folder: Folder) -> None:
    """Two flows of one name, a function defined twice, and a flow of objects that need arguments."""
    document = folder.described(
        """
        from flowdeck import flow
        @flow(name="same")
        def one(): pass
        @flow(name="same")
        def two(): pass
        @flow
        def again(): pass
        @flow
        def again(): pass
        class Jobs:
            def __init__(self, name): pass
            @flow
            def inside(self): pass
        """
    )
    assert [flow["function"] for flow in document["flows"]] == ["one", "two", "again"]
    same, lost, inside = document["warnings"]
    assert same.startswith("Two flows are named 'same': lines 4 and 6.")
    assert lost.startswith("Line 10 defines 'again' again, so that the flow of line 8 is lost.")
    assert inside.startswith("'Jobs.inside' in line 14 is a flow of a class whose objects are made with arguments")


def test_flows_behind_decorators_and_partials_and_in_classes_are_described(folder: Folder) -> None:
    """What can be started is listed; a method without the object that it is called on."""
    document = folder.described(
        """
        import functools
        from flowdeck import flow

        def timed(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs)
            return inner

        def load(table, limit): pass

        @timed
        @timed
        @flow
        def wrapped(day: str): pass

        orders = flow(functools.partial(load, "orders"), name="orders")

        class Jobs:
            @flow
            def of_object(self, count: int): pass
            @classmethod
            @flow
            def of_class(cls, count: int): pass
            @flow
            @staticmethod
            def of_none(count: int): pass
            class Inner:
                @timed
                @flow
                def deep(self): pass
        """
    )
    assert document["error"] is None
    assert document["warnings"] == []
    found = {flow["function"]: list(flow["parameter_schema"]["properties"]) for flow in document["flows"]}
    assert found == {
        "wrapped": ["day"],
        "orders": ["limit"],
        "Jobs.of_object": ["count"],
        "Jobs.of_class": ["count"],
        "Jobs.of_none": ["count"],
        "Jobs.Inner.deep": [],
    }


def test_a_flow_that_nothing_reaches_is_told(folder: Folder) -> None:
    """A decorator above that hides it; when the file has no other flow, that is what is wrong with the file."""
    hidden = """
        from flowdeck import flow
        def hides(function):
            return lambda: function()
        @hides
        @flow
        def lost(): pass
        """
    error = folder.described(hidden)["error"]
    assert (error["type"], error["line"]) == ("DefinitionError", 7)
    assert error["message"].startswith("'lost' in line 7 is made a flow, but what the file has under that name is a")
    beside = folder.described(hidden + "\n        @flow\n        def found(): pass\n")
    assert [flow["function"] for flow in beside["flows"]] == ["found"]
    assert beside["warnings"] == [error["message"]]


def test_parameters_that_cannot_be_described_do_not_hide_the_flow(folder: Folder) -> None:
    """The author's own default may raise when it is looked at; the flow is listed all the same."""
    document = folder.described(
        """
        from flowdeck import flow
        class Odd(list):
            def __len__(self): raise RuntimeError("no")
            def __iter__(self): raise RuntimeError("no")
        @flow
        def one(odd=Odd(), fine: float = float("nan")): pass
        """
    )
    assert [flow["name"] for flow in document["flows"]] == ["one"]
    assert document["warnings"] == ["The parameters of 'one' cannot be described (RuntimeError: no); any are taken."]


def test_a_file_beside_named_like_a_module_of_ours_shadows_nothing(folder: Folder) -> None:
    """`json.py` or `flowdeck.py` in the user's folder is not what this process imports for itself."""
    folder.write("raise SystemExit('wrong json')", "json.py")
    folder.write("raise SystemExit('wrong flowdeck')", "flowdeck.py")
    document = folder.described("from flowdeck import flow\n@flow\ndef one(): pass\n")
    assert document["error"] is None
    assert [flow["name"] for flow in document["flows"]] == ["one"]


def test_a_file_that_is_gone_is_an_error_of_one_sentence(folder: Folder) -> None:
    """It may vanish between the look at the folder and its import."""
    error = json.loads(folder.run("gone.py").stdout)["error"]
    assert error["type"] == "NotFoundError"
    assert error["message"] == f"There is no file {folder.path / 'gone.py'}."


def test_an_abandoned_process_ends_by_itself(folder: Folder) -> None:
    """When the engine is killed nobody is left to end a file that is imported for ever."""
    folder.write("while True: pass\n")
    code = "from flowdeck.host import describe\ndescribe.ALARM_AFTER_LIMIT_SECONDS = 0.1\ndescribe.main()"
    outcome = folder.python("-P", "-c", code, str(folder.path / "etl.py"), "0.1")
    assert outcome.returncode == -signal.SIGALRM


def test_a_slow_import_says_where_it_is(folder: Folder) -> None:
    """Shortly before the limit its stack goes to stderr, for the sentence that says it took too long."""
    folder.write("import time\nx = 1\ntime.sleep(0.5)\n")
    outcome = folder.run("etl.py", "0.2")
    assert f'File "{folder.path / "etl.py"}", line 3' in outcome.stderr
