"""Both forms of a behaviour do the same: the script, run by this machine's shell, and the program of the simulation."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from demo.cluster import images
from tests.grounds import behaviours

SHELL = shutil.which("sh") or "sh"
ENDING = {
    "fails": behaviours.fails("it's $HOME", 'a "quoted" \\n line', code=3),
    "finishes": behaviours.finishes("first", "second"),
    "lacks its variable": behaviours.needs_env("DB_URL"),
    "cannot finish without its variable": behaviours.finishes_with_env("DB_URL"),
    "finishes with its variable": behaviours.finishes_with_env("HOME"),
}
LIVING = {
    "serves": behaviours.serving(),
    "has its variable": behaviours.needs_env("HOME"),
    "is never ready": behaviours.never_ready(),
    "is ready with its variable": behaviours.ready_with_env("HOME"),
    "is not ready without its variable": behaviours.ready_with_env("DB_URL"),
    "floods": behaviours.floods(),
}


def launched(**env: str) -> images.Launch:
    return images.Launch("a:v1", "v1", env, (), None, "a-1", "default", "app", 0)


class Container:
    """A script that runs, as pid 1 of a container would: what it started ends with it."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    def lines(self) -> list[str]:
        return (self._folder / "said").read_text().splitlines()

    def healthy(self) -> bool:
        return (self._folder / "healthy").exists()

    async def says(self, expected: list[str]) -> None:
        await self.comes_to(lambda: self.lines()[: len(expected)] == expected)

    async def comes_to(self, state: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not state():  # noqa: ASYNC110 - a file is looked at, there is no event
                await asyncio.sleep(0.05)

    async def ended(self) -> int:
        async with asyncio.timeout(3):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def running(behaviour: behaviours.Behaviour, folder: Path) -> AsyncIterator[Container]:
    """The file of the probe is in this folder, instead of in the container's own /tmp."""
    script = behaviour.script().replace(behaviours.HEALTHY, str(folder / "healthy"))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            SHELL, "-c", script, env=env, stdout=said, start_new_session=True
        )
    try:
        yield Container(process, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("behaviour", ENDING.values(), ids=ENDING)
async def test_what_ends_says_the_same_and_ends_with_the_same_code(
    behaviour: behaviours.Behaviour, tmp_path: Path
) -> None:
    run = behaviour.program()(launched(HOME="/root"))
    async with running(behaviour, tmp_path) as container:
        assert await container.ended() == run.exit_code
        assert container.lines() == [line for _, line in run.lines]


@pytest.mark.parametrize("behaviour", LIVING.values(), ids=LIVING)
async def test_what_lives_says_the_same_has_what_the_probe_asks_for_and_ends_when_told(
    behaviour: behaviours.Behaviour, tmp_path: Path
) -> None:
    run = behaviour.program()(launched(HOME="/root"))
    assert run.exit_after is None
    async with running(behaviour, tmp_path) as container:
        await container.says([line for _, line in run.lines])
        if run.ready_after is not None:
            await container.comes_to(container.healthy)
        container.process.terminate()
        assert await container.ended() == 0
        assert container.healthy() == (run.ready_after is not None)


async def test_the_file_of_the_probe_goes_away_by_itself(tmp_path: Path) -> None:
    async with running(behaviours.forgets_healthy(1), tmp_path) as container:
        await container.comes_to(container.healthy)
        await container.comes_to(lambda: not container.healthy())
        container.process.terminate()
        assert await container.ended() == 0


async def test_a_flood_that_fails_ends_with_its_last_words(tmp_path: Path) -> None:
    last = "ERROR  it's full"
    run = behaviours.floods_then_fails(1, last, code=4).program()(launched())
    async with running(behaviours.floods_then_fails(1, last, code=4), tmp_path) as container:
        assert await container.ended() == run.exit_code == 4
        said = container.lines()
    assert said[-1] == run.lines[-1][1] == last
    assert set(said[:-1]) == {line for _, line in run.lines[:-1]}
    assert len(said) > 1000


async def test_one_line_goes_on_and_on(tmp_path: Path) -> None:
    async with running(behaviours.one_line(), tmp_path) as container:
        await container.comes_to(lambda: (tmp_path / "said").stat().st_size > 100_000)
        container.process.terminate()
        assert await container.ended() == 0
    assert b"\n" not in (tmp_path / "said").read_bytes()


async def test_garbage_is_what_no_text_is_and_its_last_line_is_one(tmp_path: Path) -> None:
    async with running(behaviours.garbles("ERROR  no index", code=5), tmp_path) as container:
        assert await container.ended() == 5
    said = (tmp_path / "said").read_bytes()
    assert said.endswith(b"\nERROR  no index\n")
    with pytest.raises(UnicodeDecodeError):
        said.decode()
    assert {0, 0x1B, 0x0D} <= set(said)


async def test_what_eats_memory_is_a_script_too() -> None:
    process = await asyncio.create_subprocess_exec(SHELL, "-n", "-c", behaviours.eats_memory().script())
    assert await process.wait() == 0


def test_memory_is_enough_or_it_is_killed() -> None:
    program = behaviours.eats_memory().program()
    for limit, reason in ((32 * 2**20, "OOMKilled"), (256 * 2**20, ""), (None, "")):
        launch = images.Launch("a:v1", "v1", {}, (), limit, "a-1", "default", "app", 0)
        assert program(launch).reason == reason
