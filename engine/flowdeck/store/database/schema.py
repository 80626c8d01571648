"""The tables of state.db, as sqlite-utils migrations: the only CREATE statements of flowdeck.

Imported only when a home is new or older than this flowdeck (importing sqlite-utils costs a script 0.1 s).
Times are whole microseconds since 1970 UTC. Triggers write the history of states, the counts and the change feed,
so that no path in Python can forget them. DESIGN.md says what each table is for.

A migration that does more than add is named `rebuild_…`: processes of an older flowdeck could not live with it, see
`migration`. A column that is added to `state` needs the triggers that write there made anew.
"""

from __future__ import annotations

import sqlite_utils
from sqlite_utils.migrations import Migrations

from flowdeck.store.database.index_expressions import BY_DURATION, BY_STATE, FAILED_RUNS, LIVE_RUNS, MOMENT

migrations = Migrations("flowdeck")

CHANGES_KEPT = 65_536
"""The feed keeps at least this many changes; a reader that is further behind reads everything again."""


@migrations()
def create_flow_runs(db: sqlite_utils.Database) -> None:
    """Flow runs, and beside each the small row of counts that changes with every task call."""
    # AUTOINCREMENT: the key of a deleted run is never allocated again, or what its process still says of it would be
    # taken for another run's.
    db.execute(
        """CREATE TABLE flow_run(
            key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, name TEXT NOT NULL, flow_name TEXT NOT NULL,
            entrypoint TEXT, working_dir TEXT, source_file TEXT, function TEXT,
            state_type TEXT NOT NULL, state_name TEXT NOT NULL, state_message TEXT,
            attempt INTEGER NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER,
            created_at INTEGER NOT NULL, scheduled_at INTEGER, started_at INTEGER, ended_at INTEGER, state_at INTEGER,
            parent_key INTEGER, parent_task_run_id INTEGER, parent_attempt INTEGER, root_run_id TEXT,
            origin_run_id TEXT, deployment_id TEXT, dedup_key TEXT,
            triggered_by TEXT, tags TEXT, parameters TEXT, environment TEXT,
            interpreter TEXT, pid INTEGER, pid_token TEXT, host_pid INTEGER, host_token TEXT,
            exit_code INTEGER, signal INTEGER, error TEXT, cancel_forced INTEGER) STRICT"""
    )
    flow_run = db.table("flow_run")
    flow_run.create_index(["id"], unique=True)
    flow_run.create_index(["name"])
    flow_run.create_index(["flow_name", "key"])
    for statement in (
        f"CREATE INDEX flow_run_live ON flow_run(state_type, scheduled_at) WHERE {LIVE_RUNS}",
        f"CREATE INDEX flow_run_failed ON flow_run(ended_at) WHERE {FAILED_RUNS}",
        "CREATE INDEX flow_run_children ON flow_run(parent_key) WHERE parent_key IS NOT NULL",
        "CREATE UNIQUE INDEX flow_run_dedup ON flow_run(dedup_key) WHERE dedup_key IS NOT NULL",
        "CREATE INDEX flow_run_source ON flow_run(source_file, function, key) WHERE parent_key IS NULL",
        """CREATE TABLE flow_run_count(
            flow_run INTEGER PRIMARY KEY, total INTEGER NOT NULL DEFAULT 0, completed INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0, running INTEGER NOT NULL DEFAULT 0,
            warnings INTEGER NOT NULL DEFAULT 0, errors INTEGER NOT NULL DEFAULT 0) STRICT""",
    ):
        db.execute(statement)


@migrations()
def create_task_runs(db: sqlite_utils.Database) -> None:
    """Task calls: id = flow run's key * 100,000,000 + number of the call, so a run's calls lie side by side."""
    db.execute(
        """CREATE TABLE task_run(
            id INTEGER PRIMARY KEY, flow_run INTEGER NOT NULL, flow_attempt INTEGER NOT NULL,
            incarnation INTEGER NOT NULL, attempt INTEGER NOT NULL, seq INTEGER NOT NULL,
            task_name TEXT NOT NULL, call_index INTEGER NOT NULL, name TEXT, group_number INTEGER, parent_id INTEGER,
            task_key TEXT NOT NULL, input_key BLOB, occurrence INTEGER NOT NULL,
            state_type TEXT NOT NULL, state_name TEXT NOT NULL, state_message TEXT, state_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
            from_cache INTEGER NOT NULL DEFAULT 0, reused INTEGER NOT NULL DEFAULT 0, worker TEXT, upstream TEXT,
            tags TEXT, result BLOB, result_hash TEXT, result_preview TEXT, error TEXT) STRICT"""
    )


@migrations()
def create_state_history(db: sqlite_utils.Database) -> None:
    """Every state that a flow run (task_run = 0) or a task call has been in."""
    db.execute(
        """CREATE TABLE state(
            flow_run INTEGER NOT NULL, task_run INTEGER NOT NULL, seq INTEGER NOT NULL,
            attempt INTEGER NOT NULL, incarnation INTEGER NOT NULL,
            state_type TEXT NOT NULL, state_name TEXT NOT NULL, message TEXT, at INTEGER NOT NULL,
            PRIMARY KEY(flow_run, task_run, seq)) STRICT, WITHOUT ROWID"""
    )


@migrations()
def create_catalogue(db: sqlite_utils.Database) -> None:
    """Watched folders, the files in them and the flows found there; and the one row of the engine."""
    for statement in (
        "CREATE TABLE watched_folder(path TEXT PRIMARY KEY, added_at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE flow_file(
            folder TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, interpreter TEXT NOT NULL,
            status TEXT NOT NULL, error TEXT, PRIMARY KEY(folder, file)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE flow(
            folder TEXT NOT NULL, file TEXT NOT NULL, function TEXT NOT NULL, name TEXT NOT NULL, line INTEGER,
            description TEXT, parameter_schema TEXT NOT NULL,
            PRIMARY KEY(folder, file, function)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE engine(
            id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, pid_token TEXT NOT NULL,
            started_at INTEGER NOT NULL, version TEXT NOT NULL, started_by TEXT NOT NULL,
            spares_ready INTEGER NOT NULL DEFAULT 0) STRICT""",
    ):
        db.execute(statement)


@migrations()
def create_change_feed(db: sqlite_utils.Database) -> None:
    """One row per change, its seq ever growing; the oldest go when the newest come."""
    db.execute("CREATE TABLE change(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, key INTEGER) STRICT")
    db.execute(
        f"""CREATE TRIGGER change_prune AFTER INSERT ON change WHEN new.seq % 1024 = 0 BEGIN
            DELETE FROM change WHERE seq <= new.seq - {CHANGES_KEPT}; END"""
    )
    for table in ("watched_folder", "flow_file", "flow", "engine"):
        kind = "engine" if table in {"watched_folder", "engine"} else "flow"
        for event in ("INSERT", "UPDATE", "DELETE"):
            db.execute(
                f"""CREATE TRIGGER {table}_{event.lower()}_change AFTER {event} ON {table} BEGIN
                    INSERT INTO change(kind) VALUES ('{kind}'); END"""
            )


_RUN_STATE = """INSERT INTO state VALUES (new.key, 0, new.seq, new.attempt, new.incarnation,
    new.state_type, new.state_name, new.state_message, new.state_at)"""
_TASK_STATE = """INSERT INTO state VALUES (new.flow_run, new.id, new.seq, new.attempt, new.incarnation,
    new.state_type, new.state_name, new.state_message, new.state_at)"""


@migrations()
def create_run_triggers(db: sqlite_utils.Database) -> None:
    """History, counts and feed follow from the run tables by themselves."""
    changed = "INSERT INTO change(kind, key) VALUES ('run', {});"
    failed = "({0}.state_type IN ('FAILED','CRASHED'))"
    for statement in (
        f"""CREATE TRIGGER flow_run_insert AFTER INSERT ON flow_run BEGIN
            INSERT INTO flow_run_count(flow_run) VALUES (new.key); {_RUN_STATE}; {changed.format("new.key")} END""",
        f"""CREATE TRIGGER flow_run_state AFTER UPDATE OF seq ON flow_run BEGIN {_RUN_STATE}; END""",
        f"CREATE TRIGGER flow_run_update AFTER UPDATE ON flow_run BEGIN {changed.format('new.key')} END",
        f"CREATE TRIGGER flow_run_delete AFTER DELETE ON flow_run BEGIN {changed.format('old.key')} END",
        # A retry starts counting anew.
        """CREATE TRIGGER flow_run_attempt AFTER UPDATE OF attempt ON flow_run WHEN new.attempt <> old.attempt BEGIN
            UPDATE flow_run_count SET total = 0, completed = 0, failed = 0, running = 0, warnings = 0, errors = 0
            WHERE flow_run = new.key; END""",
        f"""CREATE TRIGGER task_run_insert AFTER INSERT ON task_run BEGIN
            {_TASK_STATE};
            UPDATE flow_run_count SET total = total + 1,
                running = running + (new.state_type = 'RUNNING'),
                completed = completed + (new.state_type = 'COMPLETED'), failed = failed + {failed.format("new")}
            WHERE flow_run = new.flow_run;
            {changed.format("new.flow_run")} END""",
        f"""CREATE TRIGGER task_run_state AFTER UPDATE OF seq ON task_run BEGIN
            {_TASK_STATE};
            UPDATE flow_run_count SET
                running = running + (new.state_type = 'RUNNING') - (old.state_type = 'RUNNING'),
                completed = completed + (new.state_type = 'COMPLETED') - (old.state_type = 'COMPLETED'),
                failed = failed + {failed.format("new")} - {failed.format("old")}
            WHERE flow_run = new.flow_run;
            {changed.format("new.flow_run")} END""",
        f"""CREATE TRIGGER flow_run_count_logs AFTER UPDATE OF warnings, errors ON flow_run_count
            WHEN new.warnings <> old.warnings OR new.errors <> old.errors BEGIN {changed.format("new.flow_run")} END""",
    ):
        db.execute(statement)


@migrations()
def add_resource_use(db: sqlite_utils.Database) -> None:
    """Peak memory and processor time of a run's process tree; how often a run may start again after a crash."""
    _add_columns(
        db,
        "flow_run",
        "peak_rss_bytes INTEGER",
        "cpu_seconds REAL",
        "crash_retries INTEGER NOT NULL DEFAULT 0",
        "crashes INTEGER NOT NULL DEFAULT 0",  # how often it was started again since it last had a final state
        "hooks TEXT",  # JSON array of the ends (crashed, cancellation) for which its flow has hooks
    )


@migrations()
def add_results(db: sqlite_utils.Database) -> None:
    """Recorded results: of calls for replay, and under keys of their own for caching.

    A result lies inline (`result`) or in a file of the home's results folder (`result_hash`).
    `call_key` stands for (call key of the parent, task, inputs, occurrence): the same call in every attempt of a run.
    """
    _add_columns(
        db,
        "flow_run",
        "call_key BLOB",
        "reused INTEGER NOT NULL DEFAULT 0",
        "result BLOB",
        "result_hash TEXT",
        "result_preview TEXT",
        "unused_results TEXT",  # JSON object: count, and the names of some of the recorded calls that nothing asked for
    )
    _add_columns(
        db,
        "task_run",
        "call_key BLOB",
        "reused_from INTEGER",  # id of the task run of an earlier attempt whose result this one has
        "cache_key TEXT",
        "cache_reason TEXT",
        "result_bytes INTEGER",
        "committed_at INTEGER",  # when a transaction that the call belongs to was committed
        "transaction_values BLOB",  # what its body has set in its transaction, pickled
    )
    for statement in (
        """CREATE TABLE cached_result(
            cache_key TEXT PRIMARY KEY, task_run INTEGER, flow_run_id TEXT, recorded_at INTEGER NOT NULL,
            expires_at INTEGER, result BLOB, result_hash TEXT) STRICT""",
        "CREATE INDEX task_run_result ON task_run(result_hash) WHERE result_hash IS NOT NULL",
        "CREATE INDEX flow_run_result ON flow_run(result_hash) WHERE result_hash IS NOT NULL",
        "CREATE INDEX cached_result_file ON cached_result(result_hash) WHERE result_hash IS NOT NULL",
        "CREATE INDEX cached_result_expiry ON cached_result(expires_at) WHERE expires_at IS NOT NULL",
    ):
        db.execute(statement)


@migrations()
def add_run_orders(db: sqlite_utils.Database) -> None:
    """Flow runs by duration, by state and by when they were: what lists are sorted and filtered by."""
    for name, expression in (("duration", BY_DURATION), ("by_state", BY_STATE), ("moment", MOMENT)):
        db.execute(f"CREATE INDEX flow_run_{name} ON flow_run({expression})")


def _add_columns(db: sqlite_utils.Database, table: str, *columns: str) -> None:
    for column in columns:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
