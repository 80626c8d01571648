"""What is logged is in the file at once and whole, and logging never fails in the face of user code."""

import errno
import multiprocessing
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.logs.log_writer import LogEntry, LogWriter

AT = 1_795_361_153_123_456


def say(writer: LogWriter, text: str, level: int = 20) -> None:
    writer.append(AT, level, "logger", 1, "load-0", text)


def messages(path: Path) -> list[str]:
    return [record.message for record in LogReader(path).records(run_is_over=True)]


def write_many(path: Path, name: str, count: int) -> None:
    writer = LogWriter(path)
    for number in range(count):
        text = f"{name} {number} " + "x" * (number % 5000)
        if number % 3:
            say(writer, f"{text}\n{text}")
        else:
            writer.append_batch(LogEntry(AT, 20, "stdout", None, None, f"{text} {part}") for part in range(4))


def test_file_is_made_at_the_first_record_and_private(tmp_path: Path) -> None:
    """A run that says nothing leaves no file; one that does leaves it to its owner only."""
    path = tmp_path / "run.log"
    writer = LogWriter(path)
    assert not path.exists()
    say(writer, "hello")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().endswith(b"Z I logger 1:load-0 | hello\n")


def test_written_line_survives_sigkill(tmp_path: Path) -> None:
    """No line waits in a buffer when its process is killed."""
    path = tmp_path / "run.log"
    child = os.fork()
    if child == 0:
        say(LogWriter(path), "last words")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert messages(path) == ["last words"]


def test_processes_append_side_by_side(tmp_path: Path) -> None:
    """Two processes at once: nothing is lost, nothing is mixed, each one's order is kept."""
    path = tmp_path / "run.log"
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=write_many, args=(path, name, 600)) for name in ("flow", "host")]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    single = tmp_path / "single.log"
    write_many(single, "flow", 600)
    write_many(single, "host", 600)
    found = messages(path)
    for name in ("flow", "host"):
        assert [text for text in found if text.startswith(name)] == [
            text for text in messages(single) if text.startswith(name)
        ]
    assert sorted(found) == sorted(messages(single))


def test_threads_share_a_writer(tmp_path: Path) -> None:
    """Records and counts of many threads are all there."""
    path = tmp_path / "run.log"
    writer = LogWriter(path)
    threads = [
        threading.Thread(target=lambda: [say(writer, f"line\n{number}", 30) for number in range(300)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(messages(path)) == 1200
    assert writer.take_counts() == (1200, 0)


def test_counts_are_taken_once(tmp_path: Path) -> None:
    """Warnings and errors are counted apart, and each is told once."""
    writer = LogWriter(tmp_path / "run.log")
    for level in (10, 20, 30, 35, 40, 50):
        say(writer, "x", level)
    writer.append_batch([LogEntry(AT, 40, "stderr", None, None, "x"), LogEntry(AT, 20, "stdout", None, None, "x")])
    assert writer.take_counts() == (2, 3)
    assert writer.take_counts() == (0, 0)


def test_cap_is_said_once_and_kept(tmp_path: Path) -> None:
    """At its size limit the log says so and what raises it, whoever writes; then it stops growing."""
    path = tmp_path / "run.log"
    first, second = (LogWriter(path, max_bytes=10_000) for _ in range(2))
    for number in range(300):
        say(first if number % 2 else second, f"line {number}")
    assert first.capped
    assert second.capped
    assert path.stat().st_size < 10_500
    *lines, notice = messages(path)
    assert "10000 bytes" in notice
    assert "FLOWDECK_LOG_MAX_BYTES" in notice
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert sorted([first.take_counts(), second.take_counts()]) == [(0, 0), (1, 0)]

    retried = LogWriter(path, max_bytes=10_000)
    say(retried, "another attempt")
    assert messages(path)[-1] == notice

    raised = LogWriter(path, max_bytes=20_000)
    say(raised, "more room")
    assert messages(path)[-1] == "more room"


def test_full_disk_is_remembered_and_told_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error reaches user code; once there is room again, the log says how many records it lacks."""
    path = tmp_path / "run.log"
    writer = LogWriter(path)
    say(writer, "before")
    real_write = os.write
    room = [10, 0, 0]  # the first write gets ten bytes in, then nothing

    def full(descriptor: int, data: bytes) -> int:
        part = real_write(descriptor, data[: room.pop(0)]) if room else 0
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return part

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        say(writer, "lost", 40)
        say(writer, "lost too")
        assert writer.lost == 2
        assert writer.problem is not None
        assert "No space left" in writer.problem
        assert str(path) in writer.problem
    say(writer, "after")
    assert (writer.problem, writer.lost) == (None, 0)
    before, torn, notice, after = messages(path)
    assert (before, torn, after) == ("before", "2026-11-22", "after")
    assert notice.startswith("2 log records are missing here")
    assert writer.take_counts() == (1, 0)


def test_device_that_is_full_or_folder_that_is_gone(tmp_path: Path) -> None:
    """Errors of opening are as quiet as those of writing, and a later record gets through."""
    path = tmp_path / "gone" / "run.log"
    writer = LogWriter(path)
    say(writer, "nowhere")
    assert writer.problem is not None
    path.parent.mkdir()
    say(writer, "somewhere")
    assert writer.problem is None
    assert messages(path)[-1] == "somewhere"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_real_enospc(tmp_path: Path) -> None:
    """The kernel's own answer is taken the same way."""
    path = tmp_path / "run.log"
    path.symlink_to("/dev/full")
    writer = LogWriter(path)
    say(writer, "x")
    assert writer.problem is not None
    assert "No space left" in writer.problem


def test_line_that_a_killed_writer_left_is_closed(tmp_path: Path) -> None:
    """A new writer, and one that is already open, start on a line of their own."""
    path = tmp_path / "run.log"
    open_writer = LogWriter(path)
    say(open_writer, "one")
    with path.open("ab") as torn:
        torn.write(b"2026-11-22T15:22:33.123456Z I print - + half")
    say(open_writer, "two")
    with path.open("ab") as torn:
        torn.write(b"2026-11-")
    say(LogWriter(path), "three")
    assert messages(path) == ["one", "half", "two", "2026-11-", "three"]


def next_descriptor() -> int:
    """Return the number that the next opened file gets."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_descriptor_closed_behind_our_back(tmp_path: Path) -> None:
    """User code that closes all descriptors and opens files of its own never finds our lines in them."""
    path, own = tmp_path / "run.log", tmp_path / "own.txt"
    writer = LogWriter(path)
    ours = next_descriptor()
    say(writer, "one")
    os.close(ours)
    say(writer, "two")
    os.close(ours)
    with own.open("w") as file:
        assert file.fileno() == ours
        say(writer, "three")
    assert own.read_text() == ""
    assert messages(path) == ["one", "two", "three"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_while_another_thread_writes(tmp_path: Path) -> None:
    """A child does not wait for a thread that it does not have."""
    path = tmp_path / "run.log"
    writer = LogWriter(path)
    exit_codes: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            signal.alarm(5)  # a child that waits for ever fails instead
            say(writer, "from the child")
            os._exit(0)
        exit_codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    thread = threading.Thread(target=fork)
    with writer._lock:  # what a thread in the middle of a write holds
        thread.start()
        thread.join()
    assert exit_codes == [0]
    assert messages(path) == ["from the child"]


def test_closed_writer_opens_again(tmp_path: Path) -> None:
    """A line that comes after the end is still kept."""
    path = tmp_path / "run.log"
    writer = LogWriter(path)
    say(writer, "one")
    writer.close()
    writer.close()
    say(writer, "two")
    assert messages(path) == ["one", "two"]
