"""The Postgres of the data folder: shared by processes, surviving crashes, and gone when the last user is."""

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bot import errors
from bot.store import embedded, engine
from tests import postgres
from tests.bot.store import examples

USER = """
import asyncio, sys
from pathlib import Path
from bot.store import embedded, engine

async def main():
    server = embedded.EmbeddedPostgres(Path(sys.argv[1]))
    await server.start()
    database = engine.Database(server.url)
    await database.ping()
    await database.close()
    print("up", flush=True)
    sys.stdin.readline()
    if sys.argv[2] == "stop":
        await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of the kind that killed test processes leave: whatever runs in it is stopped, however the test ends."""
    made = Path(tempfile.mkdtemp(prefix=postgres.PREFIX))
    yield made
    for server in _servers(made):
        server.kill()
        server.wait(20)
    shutil.rmtree(made)


def _servers(folder: Path) -> list[psutil.Process]:
    """The postmasters of this folder."""
    found = []
    for process in psutil.process_iter(["name", "cmdline", "ppid"]):
        line = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and any(str(folder) in word for word in line) and "-D" in line:
            found.append(process)
    return found


@contextlib.contextmanager
def _another_user(folder: Path, how: str = "stop") -> Iterator["subprocess.Popen[str]"]:
    """Another process that uses the folder's server until it is told to stop."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", USER, str(folder), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            while (line := process.stdout.readline()) and line != "up\n":
                pass
            assert line == "up\n"
            yield process
        finally:
            process.kill()


def _leave(process: "subprocess.Popen[str]") -> None:
    process.communicate("stop\n", timeout=60)
    assert process.returncode == 0


async def _works(server: embedded.EmbeddedPostgres) -> None:
    database = engine.Database(server.url)
    try:
        await database.ping()
    finally:
        await database.close()


async def test_it_starts_keeps_what_is_stored_and_stops(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder / "deep" / "down")
    await server.start()
    await server.start()
    store = engine.Database(server.url)
    await store.migrate()
    watch = await examples.watched(store)
    await store.close()
    assert len(_servers(folder)) == 1
    await server.stop()
    await server.stop()
    assert _servers(folder) == []
    async with embedded.EmbeddedPostgres(folder / "deep" / "down") as again:
        store = engine.Database(again.url)
        await store.migrate()
        async with store.begin() as tx:
            assert await tx.watches.all() == [watch]
        await store.close()
    assert _servers(folder) == []


async def test_it_listens_on_its_socket_only_and_keeps_its_folder_to_itself(folder: Path) -> None:
    async with embedded.EmbeddedPostgres(folder):
        (server,) = _servers(folder)
        families = {connection.family.name for connection in server.net_connections("all")}
        assert families <= {"AF_UNIX"}
        data = (folder / "data").stat()
        assert stat.S_IMODE(data.st_mode) == 0o700
        assert server.uids().effective == data.st_uid != 0
        assert server.gids().effective != 0


async def test_the_loop_goes_on_while_it_starts(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    starting = asyncio.create_task(server.start())
    longest, last = 0.0, time.monotonic()
    while not starting.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await starting
    await server.stop()
    assert longest < 1.0


async def test_the_last_process_stops_it(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    await server.start()
    with _another_user(folder) as other:
        assert len(_servers(folder)) == 1
        await server.stop()
        assert len(_servers(folder)) == 1, "the other process uses it still"
        _leave(other)
    assert _servers(folder) == []


async def test_two_users_within_one_process_share_it(folder: Path) -> None:
    one, other = embedded.EmbeddedPostgres(folder), embedded.EmbeddedPostgres(folder)
    await asyncio.gather(one.start(), other.start())
    assert len(_servers(folder)) == 1
    await one.stop()
    await _works(other)
    await other.stop()
    assert _servers(folder) == []


async def test_a_process_that_ends_without_stopping_it_stops_it_all_the_same(folder: Path) -> None:
    with _another_user(folder, "forget") as other:
        _leave(other)
    assert _servers(folder) == []


async def test_a_process_that_was_killed_leaves_nothing_that_hinders_the_next(folder: Path) -> None:
    with _another_user(folder) as other:
        other.kill()
        other.wait(20)
    assert len(_servers(folder)) == 1
    async with embedded.EmbeddedPostgres(folder) as server:
        assert len(_servers(folder)) == 1
        await _works(server)
    assert _servers(folder) == []


def test_what_a_killed_test_process_left_is_cleared_away(folder: Path) -> None:
    with _another_user(folder) as other:
        postgres.reap()
        assert len(_servers(folder)) == 1, "it is in use"
        other.kill()
        other.wait(20)
    postgres.reap()
    assert _servers(folder) == []
    assert not folder.exists()
    folder.mkdir()


async def test_a_server_that_was_killed_recovers_with_what_was_committed(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    await server.start()
    store = engine.Database(server.url)
    await store.migrate()
    watch = await examples.watched(store)
    (postmaster,) = _servers(folder)
    postmaster.kill()
    postmaster.wait(20)
    with pytest.raises(errors.StoreUnavailable):
        await store.ping()
    await server.stop()
    await server.start()
    async with store.begin() as tx:
        assert await tx.watches.all() == [watch]
    await store.close()
    await server.stop()


async def test_a_process_id_that_another_program_has_now_is_not_taken_for_the_server(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    await server.start()
    await server.stop()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n1\n5432\n\n\n1 1\nready\n")
    await server.start()
    await _works(server)
    await server.stop()


async def test_a_folder_with_a_long_name_has_its_socket_elsewhere(folder: Path) -> None:
    async with embedded.EmbeddedPostgres(folder / ("long" * 25)) as server:
        await _works(server)
        socket = server._socket
        assert len(str(socket)) < 108
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    socket.parent.rmdir()


async def test_a_socket_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder / ("long" * 25))
    server._socket.parent.mkdir(mode=0o777)
    server._socket.parent.chmod(0o777)
    with pytest.raises(errors.ConfigurationError, match="somebody else"):
        await server.start()
    server._socket.parent.rmdir()
    await server.start()
    await server.stop()
    server._socket.parent.rmdir()


async def test_a_folder_whose_name_has_a_space_and_a_quote_will_do(folder: Path) -> None:
    async with embedded.EmbeddedPostgres(folder / "on call's data") as server:
        await _works(server)


async def test_a_folder_that_cannot_be_used_is_said_with_what_to_do(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(errors.ConfigurationError, match=r"WATCHKEEPER_DATA_DIR.*DATABASE_URL"):
        await embedded.EmbeddedPostgres(folder / "file" / "data").start()


async def test_data_of_another_version_is_refused_and_left_alone(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    await server.start()
    await server.stop()
    version = folder / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(errors.ConfigurationError, match="Postgres 12"):
        await server.start()
    assert version.read_text() == "12\n"
    assert _servers(folder) == []


async def test_a_server_that_does_not_come_up_is_said_with_the_end_of_its_log(folder: Path) -> None:
    server = embedded.EmbeddedPostgres(folder)
    await server.start()
    await server.stop()
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("nonsense = 1\n")
    with pytest.raises(errors.StoreUnavailable, match="nonsense"):
        await server.start()
    await server.stop()
    assert _servers(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
async def test_root_opens_folders_for_passing_through_and_no_further(folder: Path) -> None:
    closed, opened = folder / "closed", folder / "closed" / "open"
    opened.mkdir(parents=True)
    closed.chmod(0o700)
    opened.chmod(0o755)
    async with embedded.EmbeddedPostgres(opened / "postgres") as server:
        await _works(server)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert stat.S_IMODE(opened.stat().st_mode) == 0o755
