"""Kills for lack of memory: how the counters are found and read, what follows from them, and a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdeck.deck import FlowRun
from flowdeck.host.crash_recording import describe_kill
from flowdeck.host.run_host import KILLED_BELOW
from flowdeck.rules.runs.resource_use import ResourceUse
from flowdeck.rules.states import StateType
from flowdeck.store.oom_kills import OomKills, OomVerdict, count_oom_kills, counter_file, counter_in, judge
from tests.support.live_home import LiveHome

VERSION_2_MOUNT = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
MIXED_MOUNTS = """31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"""
CONTAINER_MOUNT = r"35 31 0:32 /docker/4711 /sys/fs/a\040b rw - cgroup cgroup rw,memory"


@pytest.mark.parametrize(
    ("groups", "mounts", "file"),
    [
        ("0::/user.slice/run-7.scope", VERSION_2_MOUNT, "/sys/fs/cgroup/user.slice/run-7.scope/memory.events"),
        ("0::/", VERSION_2_MOUNT, "/sys/fs/cgroup/memory.events"),
        ("4:memory:/jobs\n1:cpu:/\n0::/", MIXED_MOUNTS, "/sys/fs/cgroup/memory/jobs/memory.oom_control"),
        ("4:memory:/docker/4711/x", CONTAINER_MOUNT, "/sys/fs/a b/x/memory.oom_control"),
        ("4:memory:/docker/4711", CONTAINER_MOUNT, "/sys/fs/a b/memory.oom_control"),
        ("4:memory:/docker/47110", CONTAINER_MOUNT, None),
        ("4:memory:/jobs", VERSION_2_MOUNT, None),
        ("", "", None),
    ],
)
def test_counter_of_the_own_group_is_found(groups: str, mounts: str, file: str | None) -> None:
    """In both versions of control groups, and where only a part of their tree is mounted."""
    assert counter_file(groups, mounts) == file


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 9\n", 2),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("oom_kill_disable 0\nunder_oom 0\n", None),
        ("oom_kill many\n", None),
        ("", None),
    ],
)
def test_counter_is_read(text: str, number: int | None) -> None:
    """From the files of both versions; an old kernel has none in them."""
    assert counter_in(text) == number


def test_counters_are_read_from_files(tmp_path: Path) -> None:
    """Of the group and of the machine; what is not there is not known."""
    for name, text in {
        "proc/self/cgroup": "0::/job",
        "proc/self/mountinfo": VERSION_2_MOUNT,
        "proc/vmstat": "nr_free_pages 5\noom_kill 7\n",
        "sys/fs/cgroup/job/memory.events": "oom 4\noom_kill 3\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert count_oom_kills(str(tmp_path)) == OomKills(3, 7)
    assert count_oom_kills(str(tmp_path / "elsewhere")) == OomKills(None, None)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (OomKills(0, 0), OomKills(1, 1), OomVerdict.CERTAIN),
        (OomKills(1, 1), OomKills(1, 5), OomVerdict.RULED_OUT),
        (OomKills(None, 1), OomKills(None, 2), OomVerdict.LIKELY),
        (OomKills(None, 1), OomKills(None, 1), OomVerdict.RULED_OUT),
        (OomKills(None, None), OomKills(None, None), OomVerdict.UNKNOWN),
        (OomKills(3, None), OomKills(None, None), OomVerdict.UNKNOWN),
    ],
)
def test_verdict(before: OomKills, after: OomKills, verdict: OomVerdict) -> None:
    """The own group's counter settles it; that of the machine makes it likely; without both nobody knows."""
    assert judge(before, after) is verdict


def test_sentences() -> None:
    """Each says what is known, and no more."""
    use = ResourceUse(peak_rss_bytes=512_000_000, cpu_seconds=1.0)
    told = {verdict: describe_kill(verdict, use) for verdict in OomVerdict}
    assert told[OomVerdict.CERTAIN] == "Killed by the out-of-memory killer of the system (peak memory 512 MB)."
    assert told[OomVerdict.RULED_OUT] == "Its process was killed by SIGKILL, not by flowdeck (peak memory 512 MB)."
    assert "likely for lack of memory" in told[OomVerdict.LIKELY]
    assert "does not tell whether for lack of memory" in told[OomVerdict.UNKNOWN]
    assert describe_kill(OomVerdict.RULED_OUT, None) == "Its process was killed by SIGKILL, not by flowdeck."


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 96 MiB below that of the tests."""
    own = counter_file(*(Path("/proc/self", name).read_text() for name in ("cgroup", "mountinfo")))
    folder = Path(own or "/none").parent / f"flowdeck-test-{os.getpid()}"
    limit = folder / ("memory.max" if (own or "").endswith("memory.events") else "memory.limit_in_bytes")
    try:
        folder.mkdir()
        limit.write_text(str(96 << 20))
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    folder.rmdir()


def run_in(group: Path, live: LiveHome, body: str) -> FlowRun:
    """Run a flow of this body with its host in a control group."""
    run = live.create(body)
    host = [sys.executable, "-P", "-m", "flowdeck.host.run_host", str(run.key), str(live.claim())]
    script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    subprocess.run(["sh", "-c", script, "sh", *host], env=live.environment, timeout=60, check=True)
    return live.now(run)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts them")
def test_real_kill_for_lack_of_memory_is_told(live: LiveHome, small_group: Path) -> None:
    """A flow that takes more memory than its group may have: the state says who killed it, and at what size."""
    crashed = run_in(small_group, live, """
        @flow
        def main():
            kept = []
            while True: kept.append(bytearray(4 << 20))
        """)  # fmt: skip
    assert crashed.state_type is StateType.CRASHED
    assert (crashed.state_message or "").startswith("Killed by the out-of-memory killer of the system (peak memory ")
    assert (crashed.peak_rss_bytes or 0) > 50_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts them")
def test_real_kill_of_a_command_is_in_the_log(live: LiveHome, small_group: Path) -> None:
    """The flow sees only that its command died of SIGKILL; one that was not short of memory is told nothing."""
    body = """
        @flow
        def main():
            subprocess.run([sys.executable, "-c", "{}"], check=True)
        """
    failed = run_in(small_group, live, body.format("kept = [bytearray(4 << 20) for _ in range(100)]"))
    assert failed.state_type is StateType.FAILED
    assert KILLED_BELOW in live.messages(failed, "engine")
    assert failed.warning_count + failed.error_count >= 2
    killed = run_in(small_group, live, body.format("import os; os.kill(os.getpid(), 9)"))
    assert KILLED_BELOW not in live.messages(killed, "engine")
