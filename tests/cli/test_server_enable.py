"""`flowdeck server enable` and `disable`, with a stand-in for systemctl that starts what the unit says."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import Deck
from flowdeck.store import engines
from flowdeck.store.database.database import Database
from flowdeck.store.home import locate
from tests.cli.conftest import Command

# An engine is meant to outlive the process that starts it; here that is this one.
pytestmark = [
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.skipif(sys.platform == "darwin", reason="launchd there"),
]

SYSTEMCTL = """#!{python}
import json, os, pathlib, shlex, subprocess, sys
state = pathlib.Path({state!r})
words = sys.argv[1:]
with open(state / "calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if (state / "no bus").exists():
    sys.exit("Failed to connect to bus: No medium found")
if "fail on " + words[1] in os.listdir(state):
    sys.exit("Unit is masked.")
if words[1] == "restart":
    unit = pathlib.Path({units!r}, words[2]).read_text()
    lines = dict(line.split("=", 1) for line in unit.splitlines() if line.startswith("ExecStart"))
    variables = [shlex.split(line.split("=", 1)[1])[0] for line in unit.splitlines() if line.startswith("Environment")]
    environment = dict(os.environ) | dict(variable.split("=", 1) for variable in variables)
    subprocess.Popen(shlex.split(lines["ExecStart"]), env=environment, start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""
LOGINCTL = """#!/bin/sh
cat "{state}/linger"
"""


class Machine:
    """A user's service manager that records what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "systemd"
        self.units = folder / "config" / "systemd" / "user"
        self.programs = folder / "bin"
        for made in (self.state, self.programs):
            made.mkdir()
        self.linger("no")
        self._program(
            "systemctl", SYSTEMCTL.format(python=sys.executable, state=str(self.state), units=str(self.units))
        )
        self._program("loginctl", LOGINCTL.format(state=self.state))

    def _program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o700)

    def linger(self, word: str) -> None:
        (self.state / "linger").write_text(f"Linger={word}\n")

    def happens(self, what: str) -> None:
        (self.state / what).touch()

    def calls(self) -> list[str]:
        lines = (self.state / "calls").read_text().splitlines()
        (self.state / "calls").unlink()
        return [" ".join(json.loads(line)) for line in lines]


@pytest.fixture
def machine(tmp_path: Path, deck: Deck, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    yield made
    deck.engine.stop()


def test_enable_and_disable(command: Command, deck: Deck, machine: Machine) -> None:
    """The unit is written, enabled and started; then all of that is undone."""
    output = command("server", "enable", "--json")
    assert output.code == 0
    enabled = output.json
    assert enabled["enabled"] is True
    name, file = enabled["name"], Path(enabled["file"])
    assert (enabled["manager"], enabled["linger"]) == ("systemd", False)
    assert file == machine.units / name
    assert name.startswith("flowdeck-home-")
    assert f'Environment="FLOWDECK_HOME={deck.home}"' in file.read_text()
    assert [call.removeprefix("--user ") for call in machine.calls()] == [
        "show --property=Version", "daemon-reload", f"enable {name}", f"restart {name}",
    ]  # fmt: skip
    assert deck.engine.status().started_by == "server"
    assert "`loginctl enable-linger " in output.err

    disabled = command("server", "disable")
    assert disabled.code == 0
    assert disabled.out == f"{name} is stopped; runs go on ({file}).\n"
    assert not file.exists()
    assert [call.removeprefix("--user ") for call in machine.calls()] == [
        "show --property=Version", f"disable --now {name}", "daemon-reload",
    ]  # fmt: skip
    again = command("server", "disable", "--json")
    assert (again.code, again.json["enabled"], again.json["file"]) == (0, False, None)
    assert "no engine of" in again.err


def test_enable_takes_over_from_an_engine_that_runs(command: Command, deck: Deck, machine: Machine) -> None:
    """One in the background makes way; where the user lingers, nothing more is said."""
    machine.linger("yes")
    first = deck.engine.ensure(started_by="cli").pid
    output = command("server", "enable")
    assert (output.code, output.err) == (0, "")
    assert "runs the engine now and from every login on" in output.out
    assert deck.engine.status().pid not in (None, first)


def test_enable_again_puts_a_new_engine_in_the_place_of_its_own(command: Command, deck: Deck, machine: Machine) -> None:
    """After an upgrade, or with other settings."""
    assert command("server", "enable").code == 0
    first = deck.engine.status().pid
    assert command("server", "enable").code == 0
    assert deck.engine.status().pid not in (None, first)


def test_engine_of_a_newer_version_is_left(command: Command, deck: Deck, machine: Machine) -> None:
    """Nothing is written then."""
    with contextlib.closing(Database(locate())) as database:
        engines.register(database, "99.0", "server")  # as if this process was it
        output = command("server", "enable")
        engines.unregister(database)
    assert output.code == 1
    assert "Nothing was changed: the engine (pid " in output.err
    assert not machine.units.exists()


def test_no_service_manager(command: Command, deck: Deck, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: one sentence with what to do instead, and nothing is written."""
    machine.happens("no bus")
    output = command("server", "enable")
    assert (output.code, output.out) == (1, "")
    assert "(Failed to connect to bus: No medium found)" in output.err
    assert "`flowdeck server start --background` starts one now" in output.err
    assert f"@reboot FLOWDECK_HOME={deck.home} " in output.err
    monkeypatch.setenv("PATH", str(machine.state))
    assert "there is no systemctl on this system" in command("server", "enable").err
    assert not machine.units.exists()
    assert not deck.engine.status().running


def test_manager_that_refuses(command: Command, deck: Deck, machine: Machine) -> None:
    """What it said is passed on, and an engine that runs is left as it is."""
    machine.happens("fail on enable")
    before = deck.engine.ensure(started_by="cli").pid
    output = command("server", "enable")
    assert output.code == 1
    assert ".service` failed: Unit is masked." in output.err
    assert deck.engine.status().pid == before


def test_engine_that_does_not_come_up(command: Command, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, with the place of its log."""
    monkeypatch.setattr("flowdeck.cli.server.START_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("flowdeck.service.units.EngineCommand.of", _that_fails)
    output = command("server", "enable")
    assert output.code == 1
    assert "is enabled, but its engine did not come up. Its log says why: " in output.err


def _that_fails(home: object, interpreter: str, environment: object) -> object:
    from flowdeck.service.units import EngineCommand

    del interpreter, environment
    return EngineCommand(home, ("/bin/false",), {})  # type: ignore[arg-type]


def test_unit_folder_that_cannot_be_made(command: Command, machine: Machine) -> None:
    """One sentence, with the path."""
    machine.units.parent.parent.write_text("a file")
    output = command("server", "enable")
    assert output.code == 1
    assert f"{machine.units}/" in output.err
    assert "cannot be written: " in output.err
