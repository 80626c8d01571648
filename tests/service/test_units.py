"""What systemd and launchd are told about the engine of a home."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from flowdeck.service import units
from flowdeck.service.units import EngineCommand
from flowdeck.store.home import Home

DEFAULT = Home(Path("/home/ann/.flowdeck"))
ODD = Home(Path('/srv/100% of "Ann\'s" $HOME\\x'))
PYTHON = "/opt/my env/bin/python"


def command(home: Home = DEFAULT, environment: dict[str, str] | None = None) -> EngineCommand:
    return EngineCommand.of(home, PYTHON, environment or {})


def test_systemd_unit() -> None:
    """Whole, as a user would read it."""
    assert units.systemd_unit(command()) == (
        """\
# Written by `flowdeck server enable`; `flowdeck server disable` removes it.
[Unit]
Description=flowdeck engine of /home/ann/.flowdeck

[Service]
ExecStart="/opt/my env/bin/python" "-P" "-m" "flowdeck.service" "--started-by" "server" "--patient"
Environment="FLOWDECK_HOME=/home/ann/.flowdeck"
WorkingDirectory=/
KillMode=process
Restart=on-failure
RestartSec=5
StandardOutput=append:/home/ann/.flowdeck/engine.log
StandardError=append:/home/ann/.flowdeck/engine.log

[Install]
WantedBy=default.target
"""
    )


def test_environment_that_matters_is_kept() -> None:
    """Settings and the search path; neither secrets nor the run that the command may have been given by."""
    environment = {
        "FLOWDECK_SPARES": "0", "PYTHONPATH": "/src", "FLOWDECK_RUN_ID": "r", "FLOWDECK_LOGGING_LEVEL": "",
        "FLOWDECK_HOME": "/elsewhere", "API_TOKEN": "t", "PATH": "/bin",
    }  # fmt: skip
    kept = {"FLOWDECK_HOME": "/home/ann/.flowdeck", "FLOWDECK_SPARES": "0", "PYTHONPATH": "/src"}
    assert command(environment=environment).environment == kept
    assert 'Environment="FLOWDECK_SPARES=0"\n' in units.systemd_unit(command(environment=environment))


def test_odd_paths_are_quoted() -> None:
    """Percent signs, quotes, dollars and backslashes mean something to systemd."""
    text = units.systemd_unit(EngineCommand.of(ODD, "/opt/$x/python", {}))
    assert 'ExecStart="/opt/$$x/python" "-P"' in text
    assert 'Environment="FLOWDECK_HOME=/srv/100%% of \\"Ann\'s\\" $HOME\\\\x"\n' in text
    assert 'StandardError=append:/srv/100%% of "Ann\'s" $HOME\\x/engine.log\n' in text


@pytest.mark.parametrize("home", [DEFAULT, ODD])
def test_systemd_understands_the_unit(tmp_path: Path, home: Home) -> None:
    """Where systemd is installed, it says so itself."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    file = tmp_path / "flowdeck.service"
    file.write_text(units.systemd_unit(EngineCommand.of(home, "/bin/sh", {})))
    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)], capture_output=True, text=True, check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )  # fmt: skip
    complaints = [line for line in checked.stderr.splitlines() if file.name in line]
    assert complaints == []


def test_launchd_agent() -> None:
    """The same for macOS: runs are left alone, and an engine that was asked to stop stays away."""
    properties = plistlib.loads(units.launchd_agent("flowdeck", command(ODD)).encode())
    assert properties["Label"] == "dev.flowdeck.flowdeck"
    assert properties["ProgramArguments"][:4] == [PYTHON, "-P", "-m", "flowdeck.service"]
    assert properties["EnvironmentVariables"] == {"FLOWDECK_HOME": str(ODD.path)}
    assert properties["StandardErrorPath"] == str(ODD.engine_log)
    assert (properties["RunAtLoad"], properties["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert properties["AbandonProcessGroup"] is True


def test_each_home_has_a_unit_of_its_own() -> None:
    """The default home has the plain name; others tell which they are, also those that are called alike."""
    assert units.unit_name(DEFAULT, DEFAULT) == "flowdeck"
    names = {units.unit_name(Home(Path(path)), DEFAULT) for path in ("/srv/etl", "/opt/etl", "/srv/ätl 2", "/")}
    assert len(names) == 4
    assert all(name.isascii() and name.startswith("flowdeck-") and " " not in name for name in names)
    assert sum(name.startswith("flowdeck-etl-") for name in names) == 2


@pytest.mark.parametrize(
    ("config", "folder"),
    [("/etc/xdg", "/etc/xdg"), ("", "/home/ann/.config"), ("relative", "/home/ann/.config")],
)
def test_place_of_the_unit(monkeypatch: pytest.MonkeyPatch, config: str, folder: str) -> None:
    """$XDG_CONFIG_HOME where it is a path, else ~/.config."""
    monkeypatch.setenv("HOME", "/home/ann")
    file = units.systemd_file("flowdeck-x", {"XDG_CONFIG_HOME": config})
    assert file == Path(folder) / "systemd/user/flowdeck-x.service"
