"""What the API server says to a command in a container: its words, its exit code, and what it does not run. On every
ground, by the writer alone: what people see of it is told in test_actions_on_both_others.py.
"""

import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from bot import parts, settings
from k8s import model
from k8s.client import connection, errors, running, writer
from tests import grounds
from tests.grounds import behaviours, manifests

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

HERE = behaviours.HEALTHY
ROLE = "watchkeeper-writer-exec"


class Shell:
    """Runs commands in the pod of `api` as the bot's writer does."""

    def __init__(self, hand: writer.Writer, pod: model.ResourceRef, patience: float) -> None:
        self.pod = pod
        self._hand = hand
        self._seconds = int(20 * patience)

    async def run(self, *argv: str, container: str = "app", seconds: int = 0, name: str = "") -> running.Ran:
        pod = self.pod if not name else model.ResourceRef("Pod", self.pod.namespace, name, "gone")
        body = {"container": container, "command": list(argv), "seconds": seconds or self._seconds}
        return await self._hand.run(model.Operation("exec", pod, None, body), as_user=None)


@contextlib.asynccontextmanager
async def opened(ground: grounds.Ground) -> AsyncIterator[Shell]:
    serving = ground.container(behaviours.serving(), readinessProbe=manifests.asks(period=1))
    await ground.admin.apply(manifests.deployment("api", serving, deadline=600))
    await ground.rolled_out("Deployment", "api")
    metadata = (await ground.admin.pods("api"))[0]["metadata"]
    pod = model.ResourceRef("Pod", metadata["namespace"], metadata["name"], metadata["uid"])
    chosen = settings.load({f"WATCHKEEPER_{name}": text for name, text in ground.settings().items()})
    (access,) = parts.accesses_of(chosen)
    over = await connection.Connection.open(parts.writer_access(chosen, access))
    try:
        yield Shell(writer.Writer(over), pod, ground.patience)
    finally:
        await over.close()


@pytest.fixture
async def shell(ground: grounds.Ground) -> AsyncIterator[Shell]:
    await ground.bind(ROLE)
    async with opened(ground) as found:
        yield found


async def test_what_it_prints_and_how_it_ends(ground: grounds.Ground, shell: Shell) -> None:
    begun = time.monotonic()
    assert await shell.run("/bin/echo", "$(id)", "; rm -rf /", "ä") == running.Ran(0, "$(id) ; rm -rf / ä\n", "")
    assert time.monotonic() - begun < 8.0 * ground.patience, "it was not waited for longer than it took"
    assert await shell.run("/bin/true") == running.Ran(0, "", "")
    assert await shell.run("/bin/false") == running.Ran(1, "", "")
    missing = await shell.run("/bin/cat", "/nothing")
    assert missing == running.Ran(1, "", "cat: can't open '/nothing': No such file or directory\n")
    assert [each.resource for each in await ground.writes()] == ["pods/exec"] * 4


async def test_it_does_what_it_is_there_for(ground: grounds.Ground, shell: Shell) -> None:
    assert (await shell.run("/bin/rm", HERE)).code == 0
    assert (await shell.run("/bin/ls", HERE)).code == 1
    assert (await shell.run("/bin/touch", HERE)).code == 0
    assert (await ground.exec(shell.pod.name, "/bin/ls", HERE)).strip() == HERE


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("/bin/nothing",), "stat /bin/nothing: no such file or directory"),
        (("nothing",), "executable file not found in $PATH"),
    ],
)
async def test_a_program_that_is_not_there_was_not_run(shell: Shell, argv: tuple[str, ...], told: str) -> None:
    with pytest.raises(errors.Rejected, match="unable to start container process") as refused:
        await shell.run(*argv)
    assert told in str(refused.value)


async def test_what_is_refused_before_anything_runs(ground: grounds.Ground, shell: Shell) -> None:
    with pytest.raises(errors.NotFound):
        await shell.run("/bin/true", name="nobody")
    with pytest.raises(errors.Rejected, match="container nobody is not valid"):
        await shell.run("/bin/true", container="nobody")


async def test_one_that_goes_on_is_left_behind(shell: Shell) -> None:
    begun = time.monotonic()
    assert await shell.run("/bin/sleep", "3600", seconds=2) == running.Ran(None, "", "")
    assert time.monotonic() - begun > 2.0


async def test_who_may_not_runs_nothing(ground: grounds.Ground) -> None:
    async with opened(ground) as shell:
        with pytest.raises(errors.Forbidden):
            await shell.run("/bin/true")
    assert await ground.writes() == []
