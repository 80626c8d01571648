"""A real sshd on the loopback interface, with keys and settings of its own, for the account that runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.terminal import Terminal

PATIENCE_SECONDS = 10.0
KEPT = ("PATH", "PYTHONPATH", "FLOWDECK_HOME", "FLOWDECK_ENGINE_IDLE_SECONDS")
"""Variables of this process that a session gets: sshd hands over none."""


def program(name: str) -> str | None:
    """Return the path of a program, also where only root has it on the path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def missing(*names: str) -> str:
    """Say which of these programs are not there; empty when all are."""
    gone = [name for name in names if program(name) is None]
    return f"needs {', '.join(gone)} (Debian: apt-get install openssh-server tmux)" if gone else ""


class SshServer:
    """Starts sshd on a free port; `session` opens a terminal through it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        folder.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = [
            "ListenAddress 127.0.0.1", f"Port {self.port}", f"HostKey {self._folder / 'host'}",
            f"AuthorizedKeysFile {self._folder / 'authorized_keys'}", f"PidFile {self._folder / 'sshd.pid'}",
            "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin prohibit-password",
        ]  # fmt: skip
        (self._folder / "config").write_text("\n".join(settings) + "\n", encoding="utf-8")
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd of root will not start without it
        sshd = program("sshd")
        assert sshd is not None
        with open(self._folder / "sshd.log", "wb") as log:
            process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", str(self._folder / "config")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._listens():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"sshd does not listen: {self.log()}")
            time.sleep(0.02)
        return process

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        """Return what sshd said."""
        return (self._folder / "sshd.log").read_text(encoding="utf-8", errors="replace")

    def session(self, command: Sequence[str], columns: int = 80, rows: int = 24) -> Terminal:
        """Run a command at the other end, in a terminal of its own."""
        kept = [f"{name}={value}" for name in KEPT if (value := self._environment.get(name))]
        remote = shlex.join(["env", "LANG=C.UTF-8", "COLORTERM=truecolor", *kept, *command])
        options = {
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": str(self._folder / "known_hosts"), "BatchMode": "yes",
            "LogLevel": "ERROR", "IdentitiesOnly": "yes", "ControlPath": "none",
        }  # fmt: skip
        ssh = ["ssh", "-F", "none", "-tt", "-p", str(self.port), "-i", str(self._folder / "user")]
        for name, value in options.items():
            ssh += ["-o", f"{name}={value}"]
        return Terminal([*ssh, f"{getpass.getuser()}@127.0.0.1", remote], columns, rows)

    def close(self) -> None:
        """Stop listening; sessions that are open are ended by whoever opened them."""
        self._process.terminate()
        self._process.wait()
