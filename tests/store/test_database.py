"""state.db as processes and threads share it: nothing lost, nothing doubled, and one sentence when it cannot be used."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from flowdeck.rules.exceptions import StoreError
from flowdeck import store
from flowdeck.store import connections, forks, sqlite
from flowdeck.store import database as database_module
from flowdeck.store.database import Busy, Database
from flowdeck.store.home import Home
from flowdeck.store.version import SCHEMA_VERSION
from tests.support.scripts import Scripts

Operation = Callable[[sqlite.Connection], Any]


class Interrupted(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def rows(database: Database) -> Callable[[], list[int]]:
    """A table without any constraint, so that a doubled row shows; return its numbers in order."""
    database.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER)"))

    def read() -> list[int]:
        return [number for (number,) in database.reader().execute("SELECT number FROM seen ORDER BY number")]

    return read


def add(number: int) -> Operation:
    """Return an operation that adds a row."""
    return lambda connection: connection.execute("INSERT INTO seen VALUES (?)", (number,))


def fail(_: sqlite.Connection) -> None:
    raise ValueError("not this one")


# -- writing -----------------------------------------------------------------------------------------------------------


def test_write_returns_what_the_operation_returned(database: Database) -> None:
    """The result is that of the operation, after its commit."""
    assert database.write(lambda connection: connection.execute("SELECT 42").fetchone()[0]) == 42


def test_failed_operation_leaves_nothing(database: Database, rows: Callable[[], list[int]]) -> None:
    """What it had written before it failed is rolled back, and the next write is not hindered."""

    def half(connection: sqlite.Connection) -> None:
        add(1)(connection)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        database.write(half)
    database.write(add(2))
    assert rows() == [2]


def written_together(database: Database, operations: list[Operation]) -> list[BaseException | None]:
    """Let each operation be written by a thread of its own, all of them queued before the first one commits."""
    errors: list[BaseException | None] = [None] * len(operations)

    def write(index: int) -> None:
        try:
            database.write(operations[index])
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            errors[index] = error

    threads = [threading.Thread(target=write, args=(index,)) for index in range(len(operations))]
    with database._lock:
        for thread in threads:
            thread.start()
        while len(database._pending) < len(operations):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    return errors


def test_threads_commit_together(database: Database, rows: Callable[[], list[int]]) -> None:
    """Who commits takes along what others have queued."""
    before = database._commits
    assert written_together(database, [add(number) for number in range(40)]) == [None] * 40
    assert rows() == list(range(40))
    assert database._commits - before < 40


def test_one_failing_operation_fails_alone(database: Database, rows: Callable[[], list[int]]) -> None:
    """Its companions in the transaction are written, each once."""
    broken_sql: Operation = lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)")  # noqa: E731
    errors = written_together(database, [add(0), fail, add(2), broken_sql, add(4)])
    assert rows() == [0, 2, 4]
    assert [type(error) for error in errors] == [type(None), ValueError, type(None), StoreError, type(None)]


def test_larger_queue_than_a_batch(
    database: Database, rows: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into one transaction goes into the next."""
    monkeypatch.setattr(database_module, "BATCH_MAX", 3)
    assert written_together(database, [add(number) for number in range(10)]) == [None] * 10
    assert rows() == list(range(10))


# -- signal handlers that raise ----------------------------------------------------------------------------------------

CALLED = frozenset({"CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "RESUME"})
"""Behind these instructions CPython runs signal handlers."""


class Injection:
    """Raises in the code of the store at the n-th place where a signal handler could have."""

    def __init__(self, at: int) -> None:
        self.left = at
        self._previous: dict[FrameType, str] = {}

    def run(self, function: Callable[[], Any]) -> BaseException | None:
        """Call the function; return what was raised."""
        import opcode

        names = opcode.opname
        place = os.path.dirname(database_module.__file__)

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.startswith((place, __file__)):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                previous = self._previous.get(frame)
                self._previous[frame] = names[frame.f_code.co_code[frame.f_lasti]]
                if previous in CALLED:
                    self.left -= 1
                    if self.left == 0:
                        raise Interrupted
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            return error
        finally:
            sys.settrace(before)
        return None


@pytest.mark.parametrize("others", [0, 2])
def test_handler_that_raises_anywhere_neither_loses_nor_doubles(
    database: Database, rows: Callable[[], list[int]], others: int
) -> None:
    """At every step of a commit: what others queued is written once; the interrupted call at most once."""
    injected = 0
    for at in range(1, 400):
        number = at * 10
        tickets = [database_module._Ticket(add(number + 1 + other)) for other in range(others)]
        database._pending.extend(tickets)
        error = Injection(at).run(lambda number=number: database.write(add(number)))
        database.write(add(number + 9))  # whoever comes next finds an unlocked database with no open transaction
        assert all(ticket.done and ticket.error is None for ticket in tickets)
        here = [row for row in rows() if number <= row < number + 10]
        expected = [number + 1 + other for other in range(others)] + [number + 9]
        assert here in (expected, [number, *expected]), at
        if error is None:
            assert here == [number, *expected]
            break
        assert isinstance(error, Interrupted)
        injected += 1
    else:
        pytest.fail("the write never ran to its end")
    assert injected > 20


def test_handler_that_raises_in_a_write_that_does_not_wait(database: Database, rows: Callable[[], list[int]]) -> None:
    """The same for `try_write`."""
    for at in range(1, 400):
        error = Injection(at).run(lambda at=at: database.try_write(add(at * 10)))
        database.try_write(add(at * 10 + 1))
        here = [row for row in rows() if at * 10 <= row < at * 10 + 10]
        assert here in ([at * 10, at * 10 + 1], [at * 10 + 1])
        if error is None:
            assert at > 10
            return
    pytest.fail("the write never ran to its end")


def test_real_signals_in_the_middle(database: Database, rows: Callable[[], list[int]]) -> None:
    """What was acknowledged is there, and nothing is there twice, while an author's alarm raises again and again."""
    armed = False

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise TimeoutError

    before = signal.signal(signal.SIGALRM, on_alarm)
    dice, acknowledged, torn = random.Random(7), [], 0
    try:
        for number in range(600):
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 1e-4))
                armed = True
                database.write(add(number))
                armed = False
                acknowledged.append(number)
            except TimeoutError:
                armed = False
                torn += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    found = rows()
    assert torn > 20
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)


def test_interrupt_waits_for_the_commit(database: Database, rows: Callable[[], list[int]]) -> None:
    """Our own handlers never tear a commit: it is done, then their exception is raised."""

    def interrupted(connection: sqlite.Connection) -> None:
        database.interrupt(Interrupted())
        add(1)(connection)

    with pytest.raises(Interrupted):
        database.write(interrupted)
    assert rows() == [1]
    with pytest.raises(Interrupted):
        database.try_write(lambda connection: interrupted(connection))
    assert rows() == [1, 1]
    database.write(add(2))


def test_interrupt_outside_of_a_commit_is_immediate(database: Database) -> None:
    """There is nothing to protect then."""
    with pytest.raises(Interrupted):
        database.interrupt(Interrupted())


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(database: Database) -> Iterator[sqlite.Connection]:
    """SQLite's write lock, held through a connection of somebody else."""
    connection = sqlite.connect(database.home.database, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_try_write_does_not_wait(database: Database, held: sqlite.Connection) -> None:
    """It says Busy at once, of another process's lock and of another thread's."""
    with pytest.raises(Busy):
        database.try_write(fail)
    held.execute("ROLLBACK")
    with database._lock, pytest.raises(Busy):
        database.try_write(fail)
    assert database.try_write(lambda _: 1) == 1


def test_write_waits_for_a_lock(database: Database, rows: Callable[[], list[int]], held: sqlite.Connection) -> None:
    """It goes on when the other has committed."""
    thread = threading.Thread(target=lambda: database.write(add(1)))
    thread.start()
    held.execute("COMMIT")
    thread.join(10)
    assert rows() == [1]


def test_write_gives_up_with_a_sentence(
    database: Database, held: sqlite.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the lock for good is somebody's business: the sentence names the file and says what to do."""
    monkeypatch.setattr(database_module, "LOCK_PATIENCE_SECONDS", 0.02)
    errors = written_together(database, [fail, fail])
    assert all(isinstance(error, StoreError) for error in errors)
    assert f"{database.home.database} was locked by another program" in str(errors[0])


def test_interrupt_ends_the_wait_for_a_lock(database: Database, held: sqlite.Connection) -> None:
    """Ctrl-C does not have to wait 30 s for another program."""
    del held
    timer = threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGUSR1))
    before = signal.signal(signal.SIGUSR1, lambda *_: database.interrupt(Interrupted()))
    try:
        timer.start()
        started = time.monotonic()
        with pytest.raises(Interrupted):
            database.write(fail)
        assert time.monotonic() - started < 5
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_another_process_holds_the_lock(database: Database, scripts: Scripts) -> None:
    """Locks hold between processes, and one that is killed leaves none behind."""
    script = scripts.start("""
        from flowdeck.store.database import Database
        def hold(connection):
            print("held", flush=True)
            time.sleep(60)
        Database().write(hold)
    """)
    assert script.line() == "held"
    with pytest.raises(Busy):
        database.try_write(fail)
    script.process.kill()
    script.process.wait()
    assert database.write(lambda _: "free") == "free"


# -- disks and files ---------------------------------------------------------------------------------------------------


def test_full_disk_is_one_sentence(database: Database, rows: Callable[[], list[int]]) -> None:
    """Nothing was written, and writing works again when there is room."""
    writer = database._writer
    assert writer is not None
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="is full; nothing was written"):
        database.write(lambda connection: connection.execute("INSERT INTO seen VALUES (zeroblob(1000000))"))
    writer.execute(f"PRAGMA max_page_count = {pages + 1000}")
    database.write(add(1))
    assert rows() == [1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_disk_that_really_is_full(small_disk: Path, empty_home: Path) -> None:
    """The same on a small file system, where the write-ahead log finds no room."""
    shutil.copytree(empty_home, small_disk / "home")
    opened = Database(Home(small_disk / "home"))
    try:
        opened.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER, blob BLOB)"))
        with pytest.raises(StoreError, match=r"is full|cannot be written"):
            for _ in range(100):
                opened.write(lambda connection: connection.execute("INSERT INTO seen VALUES (1, zeroblob(20000))"))
        count = opened.reader().execute("SELECT count(*) FROM seen").fetchone()[0]
        assert count > 0
        assert opened.reader().execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        opened.close()


def test_newer_schema_is_refused(home: Home) -> None:
    """A database of a later flowdeck is not touched."""
    connection = sqlite.connect(home.database, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="was written by a newer flowdeck"):
        Database(home)


def test_file_that_is_no_database(home: Home) -> None:
    """One sentence names it."""
    home.database.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=f"{home.database} cannot be opened"):
        Database(home)


def test_files_are_private(tmp_path: Path) -> None:
    """Home 0700, files 0600, whatever the umask; the write-ahead log too."""
    before = os.umask(0)
    try:
        opened = Database(Home(tmp_path / "home"))
        opened.write(lambda connection: connection.execute("CREATE TABLE x(y)"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}
        opened.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert {modes[name] for name in ("state.db", "state.db-wal", "state.db-shm", "migration.lock")} == {0o600}
    assert {modes["logs"], modes["bells"]} == {0o700}


def test_full_durability_syncs_each_commit(home: Home) -> None:
    """`durability = "full"` buys what a power cut would take; the default is safe from kills only."""
    home.config.write_text('durability = "full"\n')
    opened = Database(home)
    assert opened._writer is not None
    assert opened._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    opened.close()
    home.config.unlink()
    opened = Database(home)
    assert opened._writer is not None
    assert opened._writer.execute("PRAGMA synchronous").fetchone() == (1,)
    opened.close()


def test_closed_database_says_so(home: Home) -> None:
    """A late call is a sentence, not a crash."""
    opened = Database(home)
    opened.close()
    with pytest.raises(StoreError):
        opened.write(lambda _: 1)


def test_readers_of_ended_threads_are_closed(database: Database) -> None:
    """A thread that has read leaves no open file behind."""

    def count() -> int:
        return sum(str(home_file).startswith(str(database.home.path)) for home_file in open_files())

    database.reader().execute("SELECT 1").fetchone()
    before = count()
    for _ in range(20):
        thread = threading.Thread(target=lambda: database.reader().execute("SELECT 1").fetchone())
        thread.start()
        thread.join()
    assert count() <= before + 3  # SQLite keeps the files of a closed connection for its next one


def open_files() -> list[str]:
    found: list[str] = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    return found


def test_home_without_the_tools_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sqlite-utils is missing, a new home is refused with a sentence that says how to make one."""
    monkeypatch.setitem(sys.modules, "sqlite_utils", None)
    monkeypatch.delitem(sys.modules, "flowdeck.store.schema", raising=False)
    monkeypatch.delattr(store, "schema", raising=False)
    with pytest.raises(StoreError, match="no sqlite_utils to set it up"):
        Database(Home(tmp_path / "home"))


def test_failed_opening_leaves_no_connection(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened before it failed is closed."""
    opened: list[Any] = []
    connect = sqlite.connect

    def remember(*arguments: Any, **options: Any) -> Any:
        opened.append(connect(*arguments, **options))
        opened[-1].execute("PRAGMA user_version = 99")
        return opened[-1]

    monkeypatch.setattr(connections.sqlite, "connect", remember)
    with pytest.raises(StoreError):
        Database(home)
    with pytest.raises(sqlite.DatabaseError):
        opened[0].execute("SELECT 1")


# -- processes ---------------------------------------------------------------------------------------------------------


def test_processes_make_a_home_at_once(scripts: Scripts, tmp_path: Path) -> None:
    """They do not hinder each other: all of them can use it."""
    body = """
        from flowdeck.store import database, schema
        print("ready", flush=True)
        sys.stdin.readline()
        opened = database.Database()
        opened.write(lambda connection: connection.execute("INSERT INTO watched_folder VALUES (?, 1)", (str(os.getpid()),)))
        print(opened.reader().execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0])
    """
    environment = {"FLOWDECK_HOME": str(tmp_path / "new")}
    started = [scripts.start(body, environment=environment) for _ in range(4)]
    assert [script.line() for script in started] == ["ready"] * 4
    for script in started:
        script.tell()
    ended = [script.end() for script in started]
    assert [(end.code, end.err) for end in ended] == [(0, "")] * 4
    assert len({end.out for end in ended}) == 1
    opened = Database(Home(tmp_path / "new"))
    assert opened.reader().execute("SELECT count(*) FROM watched_folder").fetchone() == (4,)
    opened.close()


def test_kill_in_the_middle_of_making_a_home(scripts: Scripts, tmp_path: Path) -> None:
    """The next process goes on where the killed one was."""
    environment = {"FLOWDECK_HOME": str(tmp_path / "new")}
    ended = scripts.run(
        """
        from flowdeck.store import schema
        from flowdeck.store.database import Database
        third = schema.migrations._migrations[2]
        make = third.fn
        def die(db):
            make(db)
            os.kill(os.getpid(), signal.SIGKILL)
        third.fn = die
        Database()
        """,
        environment=environment,
    )
    assert ended.code == -signal.SIGKILL
    opened = Database(Home(tmp_path / "new"))
    assert opened.reader().execute("SELECT count(*) FROM state").fetchone() == (0,)
    opened.close()


def test_forked_child_keeps_what_it_commits(scripts: Scripts, database: Database) -> None:
    """Also when its parent closes the database before it: no row ends in a write-ahead log that is deleted."""
    ended = scripts.run("""
        from flowdeck.store.database import Database
        database = Database()
        add = lambda number: database.write(lambda connection: connection.execute(
            "INSERT INTO watched_folder VALUES (?, ?)", (str(number), number)))
        add(1)
        gone, tell = os.pipe()
        child = os.fork()
        if child == 0:
            add(2)
            os.read(gone, 1)
            add(3)
            os.kill(os.getpid(), signal.SIGKILL)
        database.close()
        os.write(tell, b"x")
        os.waitpid(child, 0)
    """)
    assert ended.code == 0, ended.err
    paths = [path for (path,) in database.reader().execute("SELECT path FROM watched_folder ORDER BY path")]
    assert paths == ["1", "2", "3"]


def test_last_one_out_may_be_the_child(scripts: Scripts, tmp_path: Path, empty_home: Path) -> None:
    """The same when nobody else has the home open, so that the parent would tidy up."""
    shutil.copytree(empty_home, tmp_path / "other")
    ended = scripts.run(
        """
        from flowdeck.store.database import Database
        database = Database()
        add = lambda number: database.write(lambda connection: connection.execute(
            "INSERT INTO watched_folder VALUES (?, ?)", (str(number), number)))
        add(1)
        gone, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(gone, 1)
            add(2)
            os._exit(0)
        database.close()
        os.write(tell, b"x")
        os.waitpid(child, 0)
        """,
        environment={"FLOWDECK_HOME": str(tmp_path / "other")},
    )
    assert ended.code == 0, ended.err
    opened = Database(Home(tmp_path / "other"))
    assert opened.reader().execute("SELECT count(*) FROM watched_folder").fetchone() == (2,)
    opened.close()


def test_fork_while_another_thread_commits(scripts: Scripts) -> None:
    """The child inherits no lock of a thread that it does not have."""
    ended = scripts.run("""
        from flowdeck.store.database import Database
        database = Database()
        database.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER)"))
        add = lambda number: database.write(lambda connection: connection.execute("INSERT INTO seen VALUES (?)", (number,)))
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                add(0)
        threading.Thread(target=busy, daemon=True).start()
        for number in range(10):
            child = os.fork()
            if child == 0:
                add(1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        print(database.reader().execute("SELECT sum(number) FROM seen").fetchone()[0])
    """)
    assert (ended.code, ended.out) == (0, "10\n"), ended.err


def test_orphan_of_a_closed_database_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that came too late to take the locks does not write where nobody would find it."""
    before = forks.shared_memory_of(database.home.database)
    assert before is not None
    monkeypatch.setattr(forks, "shared_memory_of", lambda _: (0, 0))
    assert not forks.take_locks(database.home.database, before)
    monkeypatch.setattr(database, "_orphaned", True)
    with pytest.raises(StoreError, match="forked from one that has ended"):
        database.new_reader()
