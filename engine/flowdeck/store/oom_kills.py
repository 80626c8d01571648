"""Did the system's out-of-memory killer end a process? By its counters, read before and after.

A kill for lack of memory looks like any SIGKILL. Linux counts it in the control group of the process that it ended
(version 2: `memory.events`, version 1: `memory.oom_control`) and, for the whole machine, in `/proc/vmstat`.
"""

from __future__ import annotations

import os
from enum import Enum, auto
from typing import Final, NamedTuple

_COUNTER: Final = "oom_kill"


class OomKills(NamedTuple):
    """How many processes were ended for lack of memory so far; None where the system does not tell."""

    in_group: int | None
    """Of the control group of this process, which its children share."""
    on_machine: int | None


class OomVerdict(Enum):
    """Whether a process that ended by SIGKILL was ended for lack of memory."""

    CERTAIN = auto()
    LIKELY = auto()
    """Something on the machine was; it is not known what."""
    UNKNOWN = auto()
    RULED_OUT = auto()


def judge(before: OomKills, after: OomKills) -> OomVerdict:
    """Compare the counters of before a process began and after its end by SIGKILL."""
    if before.in_group is not None and after.in_group is not None:
        return OomVerdict.CERTAIN if after.in_group > before.in_group else OomVerdict.RULED_OUT
    if before.on_machine is not None and after.on_machine is not None:
        return OomVerdict.LIKELY if after.on_machine > before.on_machine else OomVerdict.RULED_OUT
    return OomVerdict.UNKNOWN


def count_oom_kills(root: str = "/") -> OomKills:
    """Read the counters as they are now.

    Args:
        root: the folder in which `proc` is found, and below which every mount point lies.
    """
    groups, mounts = (_text(os.path.join(root, "proc/self", name)) for name in ("cgroup", "mountinfo"))
    file = counter_file(groups, mounts)
    in_group = None if file is None else counter_in(_text(os.path.join(root, file.lstrip("/"))))
    return OomKills(in_group, counter_in(_text(os.path.join(root, "proc/vmstat"))))


def counter_file(groups: str, mounts: str) -> str | None:
    """Return the file that counts the kills in the control group of a process; None when there is none.

    Args:
        groups: the text of its `/proc/PID/cgroup`.
        mounts: the text of its `/proc/PID/mountinfo`.
    """
    for kind, name in (("cgroup", "memory.oom_control"), ("cgroup2", "memory.events")):
        group = _group(groups, kind)
        folder = None if group is None else _folder(mounts, kind, group)
        if folder is not None:
            return os.path.join(folder, name)
    return None


def counter_in(text: str) -> int | None:
    """Return the number behind `oom_kill`; None when the text has none."""
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        if name == _COUNTER and number.strip().isdecimal():
            return int(number)
    return None


def _group(groups: str, kind: str) -> str | None:
    """Return the path of the group that counts memory: of version 1 it has a line of its own, of 2 the one with 0."""
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(",") if kind == "cgroup" else (number, controllers) == ("0", ""):
            return path
    return None


def _folder(mounts: str, kind: str, group: str) -> str | None:
    """Return the folder in which a group is to be seen; None when what is mounted does not hold it."""
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        fields, system = mount.split(" "), source.split(" ")
        if len(fields) < 5 or system[0] != kind or (kind == "cgroup" and "memory" not in system[-1].split(",")):
            continue
        top, point = (_unescaped(field) for field in fields[3:5])
        if group == top or group.startswith(top.rstrip("/") + "/"):
            return os.path.join(point, os.path.relpath(group, top)) if group != top else point
    return None


def _unescaped(field: str) -> str:
    """Undo how the kernel writes a blank in a path."""
    return field.replace("\\040", " ")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
