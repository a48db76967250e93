"""pods/exec over WebSocket, the files of a container, and the probes that read them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from demo.cluster import Run, SimulatedCluster, scenarios
from demo.cluster.kubelet.files import FileSystem, NoBinaryError
from tests.demo.cluster.conftest import Raw, Start

HEALTHY = "/tmp/healthy"
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"


def exec_probe(*command: str, period: int = 2, failures: int = 2) -> dict[str, Any]:
    return {"exec": {"command": list(command)}, "periodSeconds": period, "failureThreshold": failures}


async def running(start: Start, run: Run, speed: float = 20.0, **fields: Any) -> SimulatedCluster:
    cluster = await start(speed=speed)
    cluster.images.publish("web/app", "v1", program=lambda _: run)
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", **fields))
    await cluster.settle()
    return cluster


def pod_of(cluster: SimulatedCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.pods("web", "app")[0]
    return found


def is_ready(cluster: SimulatedCluster) -> bool:
    return bool(pod_of(cluster)["status"]["containerStatuses"][0]["ready"])


class Outcome:
    """What came over the channels of one exec."""

    def __init__(self) -> None:
        self.stdout, self.stderr, self.frames = "", "", list[bytes]()
        self.status: dict[str, Any] = {}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def run(
    session: aiohttp.ClientSession,
    cluster: SimulatedCluster,
    *command: str,
    user: str = "admin",
    protocol: str = V4,
    **flags: str,
) -> Outcome:
    pairs = [("command", each) for each in command]
    pairs += list(({"stdout": "true", "stderr": "true"} | flags).items())
    path = f"{cluster.url}/api/v1/namespaces/web/pods/{pod_of(cluster)['metadata']['name']}/exec"
    headers = {"Authorization": f"Bearer {cluster.token(user)}"}
    outcome = Outcome()
    async with session.ws_connect(path, params=pairs, headers=headers, protocols=(protocol,)) as socket:
        assert socket.protocol == protocol
        async for message in socket:
            outcome.frames.append(message.data)
            channel, text = message.data[0], message.data[1:].decode()
            if channel == 3:
                outcome.status = msgspec.json.decode(text)
            outcome.stdout += text if channel == 1 else ""
            outcome.stderr += text if channel == 2 else ""
    return outcome


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_a_command_answers_on_its_channels(start: Start, session: aiohttp.ClientSession, protocol: str) -> None:
    cluster = await running(start, Run(files=((0, "/etc/motd", "hello\n"),)))
    outcome = await run(session, cluster, "cat", "/etc/motd", protocol=protocol)
    assert (outcome.stdout, outcome.stderr) == ("hello\n", "")
    assert outcome.frames[0] == b"\x01"
    assert outcome.status == {"metadata": {}, "status": "Success"}


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (V5, "command terminated with exit code 1"),
        (V4, f"error executing command [cat {HEALTHY}], exit code 1"),
    ],
)
async def test_an_exit_code_comes_as_a_status(
    start: Start, session: aiohttp.ClientSession, protocol: str, words: str
) -> None:
    cluster = await running(start, Run())
    outcome = await run(session, cluster, "cat", HEALTHY, protocol=protocol)
    assert outcome.stderr == f"cat: can't open '{HEALTHY}': No such file or directory\n"
    assert outcome.status == {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {words}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "1"}]},
    }
    merged = await run(session, cluster, "cat", HEALTHY, tty="true")
    assert (merged.stdout, merged.stderr) == (outcome.stderr.replace("\n", "\r\n"), "")


@pytest.mark.parametrize(
    ("command", "why"),
    [("bash", "executable file not found in $PATH"), ("/bin/sh", "stat /bin/sh: no such file or directory")],
)
async def test_a_missing_binary_is_the_runtimes_error(
    start: Start, session: aiohttp.ClientSession, command: str, why: str
) -> None:
    cluster = await running(start, Run())
    outcome = await run(session, cluster, command, "-c", "true")
    identity = pod_of(cluster)["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    assert (outcome.status["reason"], outcome.status["code"]) == ("InternalError", 500)
    assert outcome.status["message"] == (
        "Internal error occurred: error executing command in container: failed to exec in container: failed to start "
        f'exec "{identity}": OCI runtime exec failed: exec failed: unable to start container process: exec: '
        f'"{command}": {why}: unknown'
    )


async def test_what_is_refused_before_the_upgrade(start: Start, raw: Raw, session: aiohttp.ClientSession) -> None:
    cluster = await running(start, Run())
    path = f"/api/v1/namespaces/web/pods/{pod_of(cluster)['metadata']['name']}/exec?command=true&stdout=true"
    for user, verb, method in (("reader", "get", "GET"), ("writer", "create", "POST")):
        answer = await raw(cluster, method, path, user=user)
        assert f'User "{user}" cannot {verb} resource "pods/exec" in API group ""' in answer.json["message"]
    assert (await raw(cluster, "GET", path)).json["message"] == "Upgrade request required"
    answer = await raw(cluster, "GET", f"{path}&container=other")
    assert "container other is not valid for pod app-" in answer.json["message"]
    assert (await raw(cluster, "GET", path.replace("/app-", "/none-"))).status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await run(session, cluster, "true", protocol="v1.channel.k8s.io")
    cluster.allow("reader", "get", "pods/exec", "web")
    assert (await run(session, cluster, "true", user="reader")).status["status"] == "Success"


async def test_a_container_that_does_not_run(start: Start, session: aiohttp.ClientSession) -> None:
    cluster = await running(start, Run(exit_after=1.0, exit_code=1), speed=1.0)
    await cluster.wait_for(lambda: "running" not in pod_of(cluster)["status"]["containerStatuses"][0]["state"])
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await run(session, cluster, "true")
    assert caught.value.status == 500
    outcome = await run(session, cluster, "true", protocol=V5)
    assert outcome.status["message"] == (
        'Internal error occurred: unable to upgrade connection: container not found ("app")'
    )


async def test_an_exec_counts_as_a_write_of_its_user(start: Start, session: aiohttp.ClientSession) -> None:
    cluster = await running(start, Run())
    await run(session, cluster, "touch", HEALTHY)
    assert [(each.user, each.method, each.status) for each in cluster.journal.writes] == [("admin", "GET", 101)]


async def test_a_readiness_probe_reads_the_file_that_a_person_takes_away(
    start: Start, session: aiohttp.ClientSession
) -> None:
    cluster = await running(start, Run(files=((1.0, HEALTHY, ""),)), readinessProbe=exec_probe("cat", HEALTHY))
    assert is_ready(cluster)
    await run(session, cluster, "rm", HEALTHY)
    await cluster.wait_for(lambda: not is_ready(cluster))
    said = cluster.events("web", "app", "Unhealthy")[0]["message"]
    assert said == f"Readiness probe failed: cat: can't open '{HEALTHY}': No such file or directory\n"
    await run(session, cluster, "touch", HEALTHY)
    await cluster.wait_for(lambda: is_ready(cluster))


async def test_a_file_that_the_program_removes_ends_in_a_restart(start: Start) -> None:
    files = ((0.0, HEALTHY, ""), (6.0, HEALTHY, None))
    cluster = await running(start, Run(files=files), livenessProbe=exec_probe("test", "-f", HEALTHY))
    await cluster.wait_for(lambda: pod_of(cluster)["status"]["containerStatuses"][0]["restartCount"] > 0)
    assert cluster.events("web", "app", "Killing")[0]["message"] == (
        "Container app failed liveness probe, will be restarted"
    )


async def test_a_startup_probe_holds_the_others_back(start: Start) -> None:
    cluster = await running(
        start,
        Run(files=((5.0, HEALTHY, ""),)),
        startupProbe=exec_probe("cat", HEALTHY, failures=30),
        livenessProbe=exec_probe("true"),
    )
    assert is_ready(cluster)
    events = cluster.events("web", "app", "Unhealthy")
    assert {each["message"].partition(" probe")[0] for each in events} == {"Startup"}


async def test_a_startup_probe_that_never_succeeds_restarts(start: Start) -> None:
    cluster = await running(start, Run(), startupProbe=exec_probe("false"), readinessProbe=exec_probe("true"))
    await cluster.wait_for(lambda: pod_of(cluster)["status"]["containerStatuses"][0]["restartCount"] > 0)
    assert cluster.events("web", "app", "Killing")[0]["message"] == (
        "Container app failed startup probe, will be restarted"
    )
    assert not is_ready(cluster)


async def test_a_probe_whose_command_is_missing_counts_for_neither(start: Start) -> None:
    cluster = await running(start, Run(), livenessProbe=exec_probe("curl", "localhost"))
    await cluster.wait_for(lambda: bool(cluster.events("web", "app", "Unhealthy")))
    said = cluster.events("web", "app", "Unhealthy")[0]["message"]
    assert said.startswith(
        "Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in "
    )
    await asyncio.sleep(0.5)
    assert pod_of(cluster)["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_commands_of_a_container() -> None:
    found = FileSystem({"/etc/app/a": "1\n", "/etc/app/b": "2\n"})
    assert found.run(["/bin/cat", "/etc/app/a", "/etc/app/b"]).stdout == "1\n2\n"
    assert found.run(["ls", "/etc/app"]).stdout == "a\nb\n"
    assert found.run(["ls", "/"]).stdout == "etc\n"
    assert found.run(["ls", "/none"]).stderr == "ls: /none: No such file or directory\n"
    assert found.run(["ls", "/etc/app/a"]).stdout == "/etc/app/a\n"
    assert found.run(["rm", "/none"]).code == 1
    assert found.run(["rm", "-f", "/none"]).code == 0
    assert found.run(["rm", "/etc/app/a"]).code == 0
    assert found.run(["test", "-f", "/etc/app/a"]).code == 1
    assert found.run(["test", "-e", "/etc/app/b"]).code == 0
    assert (found.run(["true"]).code, found.run(["false"]).code) == (0, 1)
    with pytest.raises(NoBinaryError, match=r'exec: "sh": executable file not found in \$PATH'):
        found.run(["sh", "-c", "true"])
