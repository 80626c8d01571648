"""launchd, as far as it can be tested elsewhere: what a stand-in for launchctl is asked."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

import pytest

from flowdeck.rules.exceptions import RefusedError
from flowdeck.service.service_managers import Launchd
from flowdeck.service.units import EngineCommand
from flowdeck.store.home import Home

LAUNCHCTL = """#!/bin/sh
echo "$@" >> "{0}/calls"
case "$1" in bootout) exit 3;; esac
[ ! -e "{0}/refuses" ] || {{ echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }}
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineCommand:
    """The engine of the default home, on a machine with a launchctl."""
    program = tmp_path / "bin" / "launchctl"
    program.parent.mkdir()
    program.write_text(LAUNCHCTL.format(tmp_path))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return EngineCommand.of(Home(tmp_path / ".flowdeck"), "/usr/bin/python3", {})


def calls(folder: Path) -> list[str]:
    said = (folder / "calls").read_text().splitlines()
    (folder / "calls").unlink()
    return said


def test_enable_and_disable(tmp_path: Path, command: EngineCommand) -> None:
    """An agent of before is unloaded first; that there was none is no failure."""
    domain, label = f"gui/{os.getuid()}", "dev.flowdeck.flowdeck"
    file = tmp_path / "Library" / "LaunchAgents" / f"{label}.plist"
    Launchd().check(command.home)
    enabled = Launchd().enable(command)
    assert (enabled.enabled, enabled.manager, enabled.name, enabled.file) == (True, "launchd", label, file)
    assert plistlib.loads(file.read_bytes())["Label"] == label
    assert calls(tmp_path) == [f"bootout {domain}/{label}", f"enable {domain}/{label}", f"bootstrap {domain} {file}"]
    disabled = Launchd().disable(command.home)
    assert disabled is not None
    assert (disabled.enabled, file.exists()) == (False, False)
    assert calls(tmp_path) == [f"bootout {domain}/{label}"]
    assert Launchd().disable(command.home) is None


def test_what_launchctl_refuses_is_passed_on(tmp_path: Path, command: EngineCommand) -> None:
    """One sentence with the command and its words."""
    (tmp_path / "refuses").touch()
    with pytest.raises(RefusedError, match=r"`launchctl enable .*` failed: Bootstrap failed: 5: Input/output error\.$"):
        Launchd().enable(command)


def test_no_launchctl(tmp_path: Path, command: EngineCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match=r"there is no launchctl .*`flowdeck server start --background` starts one"):
        Launchd().check(command.home)
