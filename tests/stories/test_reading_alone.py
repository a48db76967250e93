"""Who only reads never holds the writer's credential: its file is not opened and may be absent."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from demo.cluster import SimulatedCluster, scenarios
from tests.stories import world as worlds

pytestmark = [pytest.mark.story]

RUN = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from bot import __main__ as cli
code = cli.main(sys.argv[2:])
with open(sys.argv[1], "w") as told:
    json.dump({"code": code, "opened": opened}, told)
"""
"""A command, with every file that Python opens in it on record. https://peps.python.org/pep-0578/"""
WRITE = "PATCH", "POST", "PUT", "DELETE"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster([scenarios.crash_loop()], speed=worlds.SPEED) as found:
        found.write_kubeconfig(tmp_path / "reader.kubeconfig")
        found.write_kubeconfig(tmp_path / "writer.kubeconfig")
        yield found


async def opened(folder: Path, environ: Mapping[str, str], *arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the files that it opened."""
    told = folder / "told.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        str(told),
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert told.exists(), said.decode()
    found = json.loads(told.read_text())
    return int(found["code"]), set(found["opened"])


def settings(folder: Path, **more: str) -> dict[str, str]:
    given = {
        "KUBECONFIG": str(folder / "reader.kubeconfig"),
        "CONTEXTS": "demo",
        "WRITER_KUBECONFIG": str(folder / "writer.kubeconfig"),
        "WRITER_USER": "writer",
        **more,
    }
    return {f"WATCHKEEPER_{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("sweep",), 1),
        (("policy", "show"), 0),
        (("rbac",), 0),
        (("kinds",), 0),
        (("config",), 0),
        (("audit", "verify"), 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
async def test_a_command_never_opens_the_writers_kubeconfig(
    arguments: tuple[str, ...], code: int, cluster: SimulatedCluster, tmp_path: Path, postgres_url: str
) -> None:
    environ = settings(tmp_path, DATABASE_URL=postgres_url)
    if arguments[0] == "audit":
        await opened(tmp_path, environ, "migrate")
    ended, files = await opened(tmp_path, environ, *arguments)
    assert ended == code
    assert str(tmp_path / "writer.kubeconfig") not in files
    assert (str(tmp_path / "reader.kubeconfig") in files) == (arguments == ("sweep",)), "what is opened is on record"
    assert {entry.user for entry in cluster.journal} <= {"reader"}


async def test_a_sweep_needs_no_writer_at_all(cluster: SimulatedCluster, tmp_path: Path) -> None:
    (tmp_path / "writer.kubeconfig").unlink()
    ended, _ = await opened(tmp_path, settings(tmp_path), "sweep")
    assert ended == 1, "it found something"
    assert {entry.user for entry in cluster.journal} == {"reader"}


async def test_a_replica_that_only_reads_comes_up_without_the_writers_file_and_asks_as_the_reader(
    begin: worlds.Start, tmp_path: Path
) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot(READ_ONLY="true", WRITER_USER="", WRITER_KUBECONFIG=str(tmp_path / "absent"))
    parent = await world.parent("payments/api")
    await world.eventually(lambda: "read-only" in world.now(parent).lower(), what="the card says that it only reads")
    assert worlds.button(parent, "wk:approve") is None
    users = {entry.user for entry in world.cluster.journal}
    assert users == {"reader"}
    assert [entry for entry in world.cluster.journal if entry.method in WRITE] == []
