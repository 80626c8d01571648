"""Giving the engine of a home into the hands of what starts services at login: systemd, or launchd on macOS."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flowdeck.rules.exceptions import RefusedError
from flowdeck.service import units
from flowdeck.service.units import EngineCommand
from flowdeck.store.home import Home, locate

DEFAULT_HOME: Final = "~/.flowdeck"
CALL_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Enablement:
    """Whether the engine of a home is started at login, and by what."""

    enabled: bool
    manager: str
    """`systemd` or `launchd`."""
    name: str
    """As its manager knows it."""
    file: Path
    linger: bool | None = None
    """systemd: it also runs while its user is not logged in. None when that is not known."""


class ServiceManager(Protocol):
    """What starts services at login."""

    def check(self, home: Home) -> None:
        """See that it can be used here.

        Raises:
            RefusedError: it cannot; the sentence says what to do instead.
        """
        ...

    def enable(self, command: EngineCommand) -> Enablement:
        """Have an engine started at every login, and now, in the place of one that it started before."""
        ...

    def disable(self, home: Home) -> Enablement | None:
        """Undo that, and stop the engine; None when there is nothing to undo."""
        ...


def service_manager() -> ServiceManager:
    """Return the one of this system."""
    return Launchd() if sys.platform == "darwin" else Systemd()


class Systemd:
    """The service manager of the user, reached by `systemctl --user`."""

    def check(self, home: Home) -> None:
        """See that one runs for this user."""
        if shutil.which("systemctl") is None:
            raise _refused("there is no systemctl on this system", home)
        answer = _call("systemctl", "--user", "show", "--property=Version")
        if answer.returncode:
            raise _refused(_words(answer) or "it does not answer", home)

    def enable(self, command: EngineCommand) -> Enablement:
        """Write the unit, enable and start it."""
        name = units.unit_name(command.home, locate(DEFAULT_HOME))
        file = units.systemd_file(name, os.environ)
        _write(file, units.systemd_unit(command))
        service = f"{name}.service"
        for words in (["daemon-reload"], ["enable", service], ["restart", service]):
            _demand("systemctl", "--user", *words)
        return Enablement(True, "systemd", service, file, _lingers())

    def disable(self, home: Home) -> Enablement | None:
        """Stop and disable the unit, and remove its file."""
        name = units.unit_name(home, locate(DEFAULT_HOME))
        file = units.systemd_file(name, os.environ)
        if not file.exists():
            return None
        _demand("systemctl", "--user", "disable", "--now", f"{name}.service")
        file.unlink(missing_ok=True)
        _demand("systemctl", "--user", "daemon-reload")
        return Enablement(False, "systemd", f"{name}.service", file, _lingers())


class Launchd:
    """The service manager of macOS, reached by `launchctl`."""

    def check(self, home: Home) -> None:
        """See that it is there."""
        if shutil.which("launchctl") is None:
            raise _refused("there is no launchctl on this system", home)

    def enable(self, command: EngineCommand) -> Enablement:
        """Write the agent and load it."""
        name = units.unit_name(command.home, locate(DEFAULT_HOME))
        file = units.launchd_file(name)
        _call("launchctl", "bootout", _target(name))  # one of before; that there is none is no matter
        _write(file, units.launchd_agent(name, command))
        _demand("launchctl", "enable", _target(name))
        _demand("launchctl", "bootstrap", _domain(), str(file))
        return Enablement(True, "launchd", units.launchd_label(name), file)

    def disable(self, home: Home) -> Enablement | None:
        """Unload the agent and remove its file."""
        name = units.unit_name(home, locate(DEFAULT_HOME))
        file = units.launchd_file(name)
        if not file.exists():
            return None
        _call("launchctl", "bootout", _target(name))
        file.unlink(missing_ok=True)
        return Enablement(False, "launchd", units.launchd_label(name), file)


def user_name() -> str:
    """Return the name of the user whose services these are."""
    import pwd  # noqa: PLC0415 - asked for once, by one command

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number without a name
        return str(os.getuid())


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _target(name: str) -> str:
    return f"{_domain()}/{units.launchd_label(name)}"


def _lingers() -> bool | None:
    if shutil.which("loginctl") is None:
        return None
    answer = _call("loginctl", "show-user", user_name(), "--property=Linger")
    return {"Linger=yes": True, "Linger=no": False}.get(answer.stdout.strip())


def _refused(reason: str, home: Home) -> RefusedError:
    start = f"{shlex.quote(sys.executable)} -P -m flowdeck server start --background"
    return RefusedError(
        f"No service manager can be reached here that would start an engine at login ({reason.rstrip('.')}), as in a "
        "container or in a login without a user bus. `flowdeck server start --background` starts one now; this line "
        f"in `crontab -e` starts one at every boot: @reboot FLOWDECK_HOME={shlex.quote(str(home.path))} {start}"
    )


def _write(file: Path, text: str) -> None:
    """Put a file in its place, whole."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written: {error.strerror}.") from None


def _demand(*words: str) -> None:
    answer = _call(*words)
    if answer.returncode:
        raise RefusedError(f"`{shlex.join(words)}` failed: {_words(answer) or f'exit code {answer.returncode}'}.")


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL,
            timeout=CALL_PATIENCE_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(f"`{shlex.join(words)}` could not be run: {error}.") from None


def _words(answer: subprocess.CompletedProcess[str]) -> str:
    """Return what a command had to say about its failure, as one line."""
    return " ".join((answer.stderr or answer.stdout).split()).rstrip(".")
