"""What a service manager must be told to run an engine from login on: a systemd user unit, a launchd agent. Pure."""

from __future__ import annotations

import hashlib
import plistlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from flowdeck.store.home import Home
from flowdeck.store.settings import Settings

MARK: Final = "Written by `flowdeck server enable`; `flowdeck server disable` removes it."
RESTART_SECONDS: Final = 5
_LABEL_PREFIX: Final = "dev.flowdeck."
_NAME_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """How the engine of a home is started by a service manager."""

    home: Home
    arguments: Sequence[str]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, home: Home, interpreter: str, environment: Mapping[str, str]) -> EngineCommand:
        """Return the command, with what of an environment an engine looks at: its home, settings and search path."""
        names = ["PYTHONPATH", *(f"FLOWDECK_{field.name.upper()}" for field in fields(Settings))]
        kept = {name: environment[name] for name in names if environment.get(name)}
        # It waits for its turn where another engine serves the home: failing would only mean to be started again.
        arguments = (interpreter, "-P", "-m", "flowdeck.service", "--started-by", "server", "--patient")
        return cls(home, arguments, {"FLOWDECK_HOME": str(home.path), **kept})


def unit_name(home: Home, default_home: Home) -> str:
    """Return `flowdeck` for the default home, else a name that no other home has."""
    if home.path == default_home.path:
        return "flowdeck"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", home.path.name).strip("-")[:_NAME_LENGTH] or "home"
    return f"flowdeck-{readable}-{hashlib.sha256(str(home.path).encode()).hexdigest()[:6]}"


# -- systemd -----------------------------------------------------------------------------------------------------------


def systemd_file(name: str, environment: Mapping[str, str]) -> Path:
    """Return where the user unit of this name lies, in the environment of its user."""
    config = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(config) if config.startswith("/") else Path("~/.config").expanduser()
    return folder / "systemd" / "user" / f"{name}.service"


def systemd_unit(command: EngineCommand) -> str:
    """Return the text of the user unit.

    KillMode=process: run hosts are children of the engine, and go on when it is stopped or started again.
    """
    arguments = " ".join(_quoted(argument).replace("$", "$$") for argument in command.arguments)
    variables = "\n".join(
        f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(command.environment.items())
    )
    log = _specifiers(str(command.home.engine_log))
    return f"""\
# {MARK}
[Unit]
Description=flowdeck engine of {_specifiers(str(command.home.path))}

[Service]
ExecStart={arguments}
{variables}
WorkingDirectory=/
KillMode=process
Restart=on-failure
RestartSec={RESTART_SECONDS}
StandardOutput=append:{log}
StandardError=append:{log}

[Install]
WantedBy=default.target
"""


def _quoted(text: str) -> str:
    escaped = _specifiers(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


# -- launchd -----------------------------------------------------------------------------------------------------------


def launchd_label(name: str) -> str:
    """Return the label of the agent of this name."""
    return f"{_LABEL_PREFIX}{name}"


def launchd_file(name: str) -> Path:
    """Return where the agent of this name lies."""
    return Path("~/Library/LaunchAgents").expanduser() / f"{launchd_label(name)}.plist"


def launchd_agent(name: str, command: EngineCommand) -> str:
    """Return the text of the agent.

    AbandonProcessGroup: run hosts go on when the engine is stopped. KeepAlive: only an engine that failed is started
    again, not one that was asked to stop.
    """
    log = str(command.home.engine_log)
    properties = {
        "Label": launchd_label(name),
        "ProgramArguments": list(command.arguments),
        "EnvironmentVariables": dict(command.environment),
        "WorkingDirectory": "/",
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RESTART_SECONDS,
        "AbandonProcessGroup": True,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    text = plistlib.dumps(properties).decode()
    return text.replace("<plist", f"<!-- {MARK} -->\n<plist", 1)
