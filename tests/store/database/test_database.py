"""state.db as threads and processes share it: nothing lost, nothing doubled, one sentence when it cannot be used."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowdeck import store
from flowdeck.rules.exceptions import StoreError
from flowdeck.store.database import connections, sqlite
from flowdeck.store.database import database as database_module
from flowdeck.store.database.database import Busy, Database
from flowdeck.store.home import Home
from tests.store.seen import Interrupted, Operation, Rows, add, fail
from tests.support.scripts import Scripts

# -- writing -----------------------------------------------------------------------------------------------------------


def test_write_returns_what_the_operation_returned(database: Database) -> None:
    """The result is that of the operation, after its commit."""
    assert database.write(lambda connection: connection.execute("SELECT 42").fetchone()[0]) == 42


def test_failed_operation_leaves_nothing(database: Database, rows: Rows) -> None:
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


def test_threads_commit_together(database: Database, rows: Rows) -> None:
    """Who commits takes along what others have queued."""
    before = database._commits
    assert written_together(database, [add(number) for number in range(40)]) == [None] * 40
    assert rows() == list(range(40))
    assert database._commits - before < 40


def test_one_failing_operation_fails_alone(database: Database, rows: Rows) -> None:
    """Its companions in the transaction are written, each once."""
    broken_sql: Operation = lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)")  # noqa: E731
    errors = written_together(database, [add(0), fail, add(2), broken_sql, add(4)])
    assert rows() == [0, 2, 4]
    assert [type(error) for error in errors] == [type(None), ValueError, type(None), StoreError, type(None)]


def test_larger_queue_than_a_batch(database: Database, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into one transaction goes into the next."""
    monkeypatch.setattr(database_module, "BATCH_MAX", 3)
    assert written_together(database, [add(number) for number in range(10)]) == [None] * 10
    assert rows() == list(range(10))


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


def test_write_waits_for_a_lock(database: Database, rows: Rows, held: sqlite.Connection) -> None:
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
        from flowdeck.store.database.database import Database
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


def test_full_disk_is_one_sentence(database: Database, rows: Rows) -> None:
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


def test_file_that_is_no_database(home: Home) -> None:
    """One sentence names it."""
    home.database.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=rf"{home.database} is damaged \(file is not a database\): `flowdeck doctor`"):
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


def test_old_sqlite_is_checkpointed_by_hand(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one that has the WAL-reset bug nothing checkpoints by itself, and the log stays bounded all the same."""
    monkeypatch.setattr(sqlite, "WAL_RESET_FIXED", False)
    monkeypatch.setattr(database_module, "COMMITS_PER_CHECKPOINT", 20)
    opened = Database(home)
    assert opened._writer is not None
    assert opened._writer.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    opened.write(lambda connection: connection.execute("CREATE TABLE seen(number INTEGER, blob BLOB)"))
    sizes: list[int] = []
    for _ in range(200):
        opened.write(lambda connection: connection.execute("INSERT INTO seen VALUES (1, zeroblob(4000))"))
        sizes.append((home.path / "state.db-wal").stat().st_size)
    assert max(sizes) < 2 * sizes[25]
    assert opened.reader().execute("SELECT count(*) FROM seen").fetchone() == (200,)
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
    for module in ("schema", "migration"):
        monkeypatch.delitem(sys.modules, f"flowdeck.store.database.{module}", raising=False)
        monkeypatch.delattr(store.database, module, raising=False)
    with pytest.raises(StoreError, match="no sqlite_utils to set it up"):
        Database(Home(tmp_path / "home"))


def test_failed_opening_leaves_no_connection(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened before it failed is closed."""
    opened: list[Any] = []
    connect = sqlite.connect

    def remember(*arguments: Any, **options: Any) -> Any:
        opened.append(connect(*arguments, **options))
        opened[-1].execute("INSERT INTO _sqlite_migrations VALUES (99, 'flowdeck', 'rebuild_all', '')")
        opened[-1].execute("PRAGMA user_version = 99")
        return opened[-1]

    monkeypatch.setattr(connections.sqlite, "connect", remember)
    with pytest.raises(StoreError):
        Database(home)
    with pytest.raises(sqlite.DatabaseError):
        opened[0].execute("SELECT 1")
