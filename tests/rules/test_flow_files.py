"""What source alone tells of flows."""

from __future__ import annotations

import textwrap

import pytest

from flowdeck.rules.flow_files import FlowFileOutline, candidate, find_flows


def outline(source: str) -> FlowFileOutline:
    return find_flows(textwrap.dedent(source).encode(), "etl.py")


def found(source: str) -> list[tuple[str, int, str | None]]:
    return [(flow.function, flow.line, flow.name) for flow in outline(source).flows]


ONE = [("one", 3, None)]
SHAPES = {
    "plain": ("from flowdeck import flow\n@flow\ndef one(): pass", ONE),
    "async": ("from flowdeck import flow\n@flow\nasync def one(): pass", ONE),
    "called": ("from flowdeck import flow\n@flow()\ndef one(): pass", ONE),
    "alias": ("from flowdeck import flow as f\n@f\ndef one(): pass", ONE),
    "module": ("import flowdeck\n@flowdeck.flow\ndef one(): pass", ONE),
    "module alias": ("import flowdeck as fd\n@fd.flow(retries=2)\ndef one(): pass", ONE),
    "submodule": ("from flowdeck import flows\n@flows.flow\ndef one(): pass", ONE),
    "submodule alias": ("import flowdeck.flows as it\n@it.flow\ndef one(): pass", ONE),
    "dotted submodule": ("import flowdeck.tasks\n@flowdeck.flow\ndef one(): pass", ONE),
    "star": ("from flowdeck import *\n@flow\ndef one(): pass", ONE),
    "prefect": ("from prefect import flow\n@flow\ndef one(): pass", ONE),
    "prefect module": ("import prefect as p\n@p.flow\ndef one(): pass", ONE),
    "prefect.flows": ("from prefect.flows import flow\n@flow\ndef one(): pass", ONE),
    "prefect.main": ("import prefect.main\n@prefect.main.flow\ndef one(): pass", ONE),
    "name": ("import flowdeck as fd\n@fd.flow(name='Nightly')\ndef one(): pass", [("one", 3, "Nightly")]),
    "computed name": ("import flowdeck as fd\n@fd.flow(name='a' + x)\ndef one(): pass", ONE),
    "decorators below": ("from flowdeck import flow\n@flow\n@other\ndef one(): pass", [("one", 4, None)]),
    "decorators above": ("from flowdeck import flow\n@other\n@flow\ndef one(): pass", [("one", 4, None)]),
    "assigned": ("from flowdeck import flow\ndef _one(): pass\none = flow(_one)", ONE),
    "assigned with options": (
        "from flowdeck import flow\ndef _one(): pass\none = flow(name='x')(_one)",
        [("one", 3, "x")],
    ),
    "annotated": ("from flowdeck import flow, Flow\ndef _one(): pass\none: Flow = flow(_one)", ONE),
    "class": ("from prefect import Flow\ndef _one(): pass\none = Flow(fn=_one, name='x')", [("one", 3, "x")]),
    "with_options": (
        "from flowdeck import flow\n@flow\ndef one(): pass\ntwo = one.with_options(name='b')",
        [("one", 3, None), ("two", 4, "b")],
    ),
    "own decorator": (
        "from flowdeck import flow\nnightly = flow(retries=2)\n@nightly\ndef one(): pass",
        [("one", 4, None)],
    ),
    "renamed decorator": ("import flowdeck\njob = flowdeck.flow\n@job(name='x')\ndef one(): pass", [("one", 4, "x")]),
    "partial": (
        "import functools, flowdeck\njob = functools.partial(flowdeck.flow, retries=2)\n@job\ndef one(): pass",
        [("one", 4, None)],
    ),
    "method": (
        "from flowdeck import flow\nclass Jobs:\n class Inner:\n  @flow\n  def one(self): pass",
        [("Jobs.Inner.one", 5, None)],
    ),
    "in blocks": (
        """
        import sys
        if sys.argv:
            from flowdeck import flow
        try:
            @flow
            def one(): pass
        except ValueError:
            @flow
            def two(): pass
        else:
            for x in y:
                with z:
                    @flow
                    def three(): pass
        match sys.argv:
            case []:
                @flow
                def four(): pass
        """,
        [("one", 7, None), ("three", 15, None), ("two", 10, None), ("four", 19, None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes_of_flows(source: str, expected: list[tuple[str, int, str | None]]) -> None:
    """However it is imported and written, a flow is found with the line of its `def` and its literal name."""
    assert sorted(found(source)) == sorted(expected)
    assert outline(source).makes_flows


@pytest.mark.parametrize(
    "source",
    [
        "from flowdeck import task\n@task\ndef one(): pass",
        "from other import flow\n@flow\ndef one(): pass",
        "from .flowdeck import flow\n@flow\ndef one(): pass",
        "from flowdeck.states import flow\n@flow\ndef one(): pass",
        "import flowdeck_extras as flowdeck\n@flowdeck.flow\ndef one(): pass",
        "import flowdeck\n@other.flow\ndef one(): pass",
        "@flow\ndef one(): pass",
        "'from flowdeck import flow'",
        "from flowdeck import Flow\ndef takes(it: Flow) -> Flow: return it",
        "",
    ],
)
def test_what_is_no_flow(source: str) -> None:
    """Tasks, other libraries' decorators of the same name, and annotations."""
    assert outline(source) == FlowFileOutline()


@pytest.mark.parametrize(
    "source",
    [
        "from flowdeck import flow\ndef make():\n    @flow\n    def inner(): pass\n    return inner\none = make()",
        "from flowdeck import flow\nall_flows = [flow(each) for each in functions]",
        "from flowdeck import flow\nregister(flow(name='x')(work))",
    ],
)
def test_flows_made_out_of_sight_are_noticed(source: str) -> None:
    """Which they are only importing the file can tell; that there are some is reason to do so."""
    assert outline(source) == FlowFileOutline(makes_flows=True)


@pytest.mark.parametrize(
    ("source", "message", "line", "text", "guess"),
    [
        (b"from flowdeck import flow\n@flow\ndef one(:\n", "invalid syntax", 3, "def one(:", True),
        (b"  import prefect\n@prefect.flow(x=)\ndef", "unexpected indent", 1, "  import prefect", True),
        (b"from flowdeck import task\nx = (\n", "'(' was never closed", 2, "x = (", False),
        (b"print 'flowdeck is not used here'\n", "Missing parentheses", 1, None, False),
        (b"from flowdeck import flow\n\0", "null bytes", None, None, False),
        (b"# coding: nonsense\nimport flowdeck", "unknown encoding: nonsense", 0, None, False),
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply", None, None, False),
    ],
)
def test_source_that_cannot_be_parsed(
    source: bytes, message: str, line: int | None, text: str | None, guess: bool
) -> None:
    """The problem has its line and text where Python tells them; whether flows are made is guessed by the text."""
    told = find_flows(source, "etl.py")
    assert told.flows == ()
    assert told.makes_flows is guess
    assert told.problem is not None
    assert message in told.problem.message
    assert told.problem.line == line
    if text is not None:
        assert told.problem.text == text


def test_parsing_warns_of_nothing() -> None:
    """An invalid escape in the user's file is not a warning, nor with `-W error` an error, of ours."""
    assert found("from flowdeck import flow\n@flow\ndef one(): return '\\d' is 1") == ONE


def test_the_coding_line_of_a_file_counts() -> None:
    """Files in another encoding than UTF-8 are read as Python reads them."""
    source = "# coding: latin-1\nfrom flowdeck import flow\n@flow(name='Müll')\ndef one(): pass".encode("latin-1")
    assert find_flows(source, "etl.py").flows[0].name == "Müll"


@pytest.mark.parametrize(
    ("source", "worth"), [(b"import flowdeck", True), (b"import prefect", True), (b"import flow, deck", False)]
)
def test_candidates_cost_a_search(source: bytes, worth: bool) -> None:
    """Only what mentions one of the two names is parsed."""
    assert candidate(source) is worth
