"""Results that nobody can ask for any more go; all others stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from flowdeck import flow, task
from flowdeck.cache_policies import INPUTS
from flowdeck.deck import Deck
from flowdeck.service.eviction import GRACE_SECONDS, Eviction
from flowdeck.store.database.database import Database
from flowdeck.store.home import Home


@task
def plain(size: int) -> bytes:
    return b"p" * size


@task(cache_policy=INPUTS, cache_expiration=3600, result_storage_key="kept.bin")
def cached(size: int) -> bytes:
    return b"c" * size


@flow
def child(size: int) -> bytes:
    return b"f" * size


@flow
def main() -> None:
    plain(10_000)
    cached(10_000)
    child(10_000)


@pytest.fixture
def eviction(database: Database) -> Eviction:
    return Eviction(database)


def files(home: Home) -> list[Path]:
    return [path for path in home.results.glob("??/*") if path.is_file()]


def age(home: Home) -> None:
    """Let all files be old."""
    for path in files(home):
        os.utime(path, (time.time() - 2 * GRACE_SECONDS,) * 2)


def test_what_a_row_names_stays(home: Home, eviction: Eviction) -> None:
    """Of calls, of subflows, of the cache."""
    main()
    age(home)
    assert eviction.clear() == 0
    assert len(files(home)) == 3


def test_files_of_a_deleted_run_go_but_what_is_cached_stays(home: Home, eviction: Eviction, deck: Deck) -> None:
    """The cached result outlives its run; its name leads to it."""
    main()
    deck.flow_runs.delete(deck.flow_runs.select()[0].id)
    assert eviction.clear() == 0  # all of them are young
    age(home)
    assert eviction.clear() == 2
    assert (home.results / "named" / "kept.bin").read_bytes().count(b"c") >= 10_000


def test_expired_result_goes(home: Home, eviction: Eviction, deck: Deck, database: Database) -> None:
    """Once neither a run nor the cache needs it; its name goes with it."""
    main()
    deck.flow_runs.delete(deck.flow_runs.select()[0].id)
    age(home)
    database.write(lambda connection: connection.execute("UPDATE cached_result SET expires_at = 1"))
    assert eviction.clear() == 3
    assert not (home.results / "named" / "kept.bin").is_symlink()
    assert database.reader().execute("SELECT count(*) FROM cached_result").fetchone()[0] == 0


def test_drafts_of_killed_writers_go(home: Home, eviction: Eviction) -> None:
    """What a SIGKILL has left half written."""
    main()
    draft = files(home)[0].with_name(".abc.1.2")
    draft.write_bytes(b"half")
    age(home)
    assert eviction.clear() == 1
    assert not draft.exists()


def test_home_without_results(eviction: Eviction) -> None:
    """Nothing to do is done without a word."""
    assert eviction.clear() == 0
