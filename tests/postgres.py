"""The Postgres that the tests run on: one embedded server for each test process, a fresh database for each test.

Databases are copies of one that is migrated once. The server keeps nothing safe (`fsync=off`), and lies in memory where
there is room for it: a copy is some 300 files, and on a disk most of a test's time went into making and dropping them
(one file of 38 tests: 42 s, and 14 s in memory). It lives for one test run. It is stopped by the fixture that started
it, when the process ends in any other orderly way by itself, and, where a test process was killed, by the next one that
starts.
"""

import asyncio
import concurrent.futures
import contextlib
import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from bot.store import embedded, engine

PREFIX = "watchkeeper-tests-"
TEMPLATE = "migrated"
FAST = (
    *("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off"),
    *("max_wal_size = '128MB'", "min_wal_size = '64MB'"),
)
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that must be free in it. In a container it is often 64 MB."""


class Server:
    """One server; `database` makes a database on it."""

    def __init__(self) -> None:
        reap()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
        self._embedded = embedded.EmbeddedPostgres(self._folder)
        self._names = (f"test_{number}" for number in itertools.count(1))
        try:
            self._embedded.start_here()
            in_a_loop_of_its_own(self._prepare())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._embedded.stop_here()
        shutil.rmtree(self._folder)

    def pause(self) -> None:
        """Stops the server and keeps its data."""
        self._embedded.stop_here()

    def resume(self) -> None:
        self._embedded.start_here()

    def url(self, database: str) -> str:
        return self._embedded.url.replace("@/postgres?", f"@/{database}?")

    @contextlib.asynccontextmanager
    async def database(self, template: str = TEMPLATE) -> AsyncIterator[str]:
        """The URL of a fresh migrated database (an empty one: `template0`), dropped afterwards."""
        name = next(self._names)
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            await self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def _prepare(self) -> None:
        await self._administer(*(f"ALTER SYSTEM SET {setting}" for setting in FAST), "SELECT pg_reload_conf()")
        await self._administer(f"CREATE DATABASE {TEMPLATE}")
        database = engine.Database(self.url(TEMPLATE))
        try:
            await database.migrate()
        finally:
            await database.close()

    async def _administer(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._embedded.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def in_a_loop_of_its_own(work: Coroutine[Any, Any, None]) -> None:
    """Runs it in another thread, so that the loops of the tests stay as they are."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _place() -> Path:
    """Where a server lies: in memory, where that is there and large enough."""
    try:
        roomy = os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    except OSError:
        roomy = False
    return MEMORY if roomy else Path(tempfile.gettempdir())


def reap() -> None:
    """Stops the servers of test processes that were killed, and removes their folders."""
    left_in = {MEMORY, Path(tempfile.gettempdir())}
    for folder in (folder for place in left_in for folder in place.glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            if (folder / "data" / "postmaster.pid").exists() and not _used(folder):
                left = embedded.EmbeddedPostgres(folder)
                left.start_here()
                left.stop_here()
                shutil.rmtree(folder)


def _used(folder: Path) -> bool:
    users = os.open(folder / "users.lock", os.O_RDWR)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(users)
    return False
