"""Recorded results: serializers and names of an author's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowdeck import flow, task
from flowdeck.rules.exceptions import DefinitionError
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home


def stored(database: Database) -> list[bytes | None]:
    """Return the bytes in the rows of all calls."""
    return [content for (content,) in database.reader().execute("SELECT result FROM task_run ORDER BY id")]


@pytest.mark.parametrize(
    ("serializer", "content"),
    [("json", b'json\n{"a": 1}'), (None, b"pickle\n\x80\x05"), ("compressed/json", b"compressed/json\nx\x9c")],
)
def test_serializer_of_a_task(database: Database, serializer: Any, content: bytes) -> None:
    """Is named in what is recorded."""

    @task(result_serializer=serializer)
    def step() -> dict[str, int]:
        return {"a": 1}

    @flow
    def main() -> None:
        step()

    main()
    (found,) = stored(database)
    assert found is not None
    assert found.startswith(content)


def test_json_refuses_what_it_has_not(log_of: Callable[..., list[str]], database: Database) -> None:
    """The call completes; its result is not recorded, and the log says why."""

    @task(result_serializer="json")
    def step() -> Any:
        return [1j, 2j]

    @flow
    def main() -> int:
        return len(step())

    assert main() == 2
    assert stored(database) == [None]
    assert any("json cannot take it: TypeError" in line for line in log_of("engine"))


def test_storage_key_names_the_file(home: Home) -> None:
    """With places for parameters and runs; the newest result has the name."""

    @task(result_storage_key="{parameters[day]}/{task_run.name}.json", result_serializer="json")
    def load(day: str, rows: int = 3) -> list[int]:
        return list(range(rows))

    @flow
    def main(rows: int) -> None:
        load("monday", rows)

    main(2)
    named = home.results / "named" / "monday" / "load-0.json"
    assert named.read_bytes() == b"json\n[0, 1]"
    main(3)
    assert named.read_bytes() == b"json\n[0, 1, 2]"
    assert named.is_symlink()
    assert not Path(named.readlink()).is_absolute()


@pytest.mark.parametrize("key", ["{parameters[nothing]}", "{nobody.name}", "../../outside", "{", "."])
def test_storage_key_that_cannot_be_used_is_named(home: Home, log_of: Callable[..., list[str]], key: str) -> None:
    """The flow goes on; nothing is written outside of the results folder."""

    @task(result_storage_key=key)
    def load() -> int:
        return 1

    @flow
    def main() -> int:
        return load()

    assert main() == 1
    assert any("not recorded" in line for line in log_of("engine"))
    assert not (home.path.parent / "outside").exists()
    assert not [path for path in home.results.glob("named/**/*") if path.is_file()]


@pytest.mark.parametrize(
    "options", [{"persist_result": "yes"}, {"result_serializer": "yaml"}, {"result_storage_key": 3}, {"retires": 3}]
)
def test_wrong_option_is_named(options: dict[str, Any]) -> None:
    """With the task, at its definition."""
    with pytest.raises(DefinitionError, match="task 'step'"):

        @task(**options)
        def step() -> None: ...


def test_storage_elsewhere_is_said_to_change_nothing() -> None:
    """Rather than taken in silence: who asks for it would look for the results there."""
    with pytest.warns(UserWarning, match="task 'step' has a result_storage, which changes nothing"):

        @task(result_storage="s3-bucket/results")
        def step() -> None: ...
