"""Commands of the policy on a simulated cluster: run once, as they were approved, and told as they ended."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.cluster import Fault, Run, scenarios
from k8s import commands, model, policy
from tests.k8s import executing

HOME = "payments"
SECRET = "password=correct-horse-battery"
FILES = ((0.0, "/etc/motd", "hello <!channel>\n"), (0.0, "/etc/env", f"DB_{SECRET}\n"), (0.0, "/tmp/cache", "old"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    piece = scenarios.running(
        scenarios.deployment("store", HOME, "payments/store:v1"), program=lambda _: Run(files=FILES)
    )
    async with executing.world(tmp_path, [piece], speed=50.0) as found:
        await found.cluster.settle()
        found.cluster.allow("writer", "get", "pods/exec", HOME)
        found.cluster.allow("writer", "create", "pods/exec", HOME)
        yield found


def command(world: executing.World, *argv: str, seconds: int = 10, pod: int = 0) -> model.ExecCommand:
    name = world.cluster.pods(HOME, "store")[pod]["metadata"]["name"]
    return model.ExecCommand(
        world.ref("Pod", name, HOME), world.ref("Deployment", "store", HOME), "store", "a command", argv, seconds
    )


def rules(action: model.ExecCommand) -> policy.Policy:
    entry = policy.Command(name=action.command, line=commands.line(action.argv), seconds=action.seconds)
    return policy.Policy(approvers=("U1", "U2"), commands=(policy.Commands(entries=(entry,)),))


def execs(world: executing.World) -> int:
    return sum(entry.path.endswith("/exec") for entry in world.cluster.journal)


async def done(world: executing.World, *argv: str, seconds: int = 10, **changed: Any) -> model.Outcome:
    """Proposed, tried without being sent, and executed."""
    action = command(world, *argv, seconds=seconds)
    made = await world.propose(action, rules(action))
    assert await world.executor.lacking(made.plan) == ""
    tried = await world.executor.dry_run(made.plan)
    assert tried.accepted
    assert tried.diff[0].startswith(f"> {argv[0]}")
    assert execs(world) == 0
    return await world.execute(made, **changed)


async def test_a_command_is_run_once_and_its_output_told(world: executing.World) -> None:
    outcome = await done(world, "cat", "/etc/motd")
    assert (outcome.status, outcome.output) == ("succeeded", "hello <!channel>")
    assert outcome.detail == "The command ended with exit code 0."
    assert execs(world) == 1
    (entry,) = [entry for entry in world.cluster.journal if entry.path.endswith("/exec")]
    assert (entry.method, entry.dry_run, entry.query["stdin"], entry.query["tty"]) == ("GET", False, "false", "false")


async def test_words_go_as_they_are_and_no_shell_reads_them(world: executing.World) -> None:
    outcome = await done(world, "echo", "$(id)", "; rm -rf /", "a b", "&")
    assert outcome.output == "$(id) ; rm -rf / a b &"


async def test_another_exit_code_is_a_failure_of_what_was_run(world: executing.World) -> None:
    outcome = await done(world, "cat", "/etc/nothing")
    assert (outcome.status, outcome.written) == ("failed", True)
    assert outcome.detail == "The command was run, and ended with exit code 1. It is not run again."
    assert "can't open '/etc/nothing'" in outcome.output
    assert execs(world) == 1


async def test_what_looks_like_a_secret_is_not_told(world: executing.World) -> None:
    outcome = await done(world, "cat", "/etc/env")
    assert outcome.status == "succeeded"
    assert "correct-horse" not in msgspec.json.encode(outcome).decode()


async def test_a_command_that_does_not_end_is_of_unknown_end_and_cannot_be_looked_for(world: executing.World) -> None:
    action = command(world, "sleep", "30", seconds=1)
    outcome = await done(world, "sleep", "30", seconds=1)
    assert outcome.status == "unknown"
    assert "had not ended after 1 s. It may run on" in outcome.detail
    assert execs(world) == 1
    assert await world.executor.look(action, ()) is None


async def test_a_program_that_is_not_there_was_not_run(world: executing.World) -> None:
    outcome = await done(world, "app-ctl", "flush")
    assert (outcome.status, outcome.written) == ("refused", None)
    assert "executable file not found" in outcome.detail


async def test_a_missing_right_is_said_before_and_by_the_server(world: executing.World) -> None:
    action = command(world, "rm", "/tmp/cache")
    made = await world.propose(action, rules(action))
    world.cluster.forbid("writer", "create", "pods/exec")
    told = await world.executor.lacking(made.plan)
    assert told == "The bot's writing identity may not create pods/exec in namespace payments."
    world.cluster.forbid("writer", "get", "pods/exec")
    outcome = await world.execute(made)
    assert outcome.status == "refused"
    assert outcome.detail == "The bot's writing identity may not get pods/exec in namespace payments."


async def test_a_policy_that_changed_since_runs_nothing(world: executing.World) -> None:
    action = command(world, "rm", "/tmp/cache")
    other = rules(msgspec.structs.replace(action, argv=("rm", "/tmp/cache", "/etc/motd")))
    outcome = await done(world, "rm", "/tmp/cache", policy=other)
    assert outcome.status in ("refused", "stale")
    assert execs(world) == 0


async def test_a_node_that_does_not_answer_leaves_an_open_end_and_no_second_try(world: executing.World) -> None:
    action = command(world, "true")
    made = await world.propose(action, rules(action))
    node = world.cluster.get("Pod", action.pod.name, HOME)["spec"]["nodeName"]
    world.cluster.nodes.lose(node)
    outcome = await world.execute(made)
    assert outcome.status == "unknown"
    assert execs(world) == 1


async def test_where_the_pod_cannot_be_read_again_nothing_is_run(world: executing.World) -> None:
    """No uid goes with a command: what tells that the pod is still the same one is that look alone."""
    action = command(world, "rm", "/tmp/cache")
    made = await world.propose(action, rules(action))
    path = f"/api/v1/namespaces/{HOME}/pods/{action.pod.name}"
    # Three times: one look, as often as it is tried. The command itself would then be taken.
    world.reader.changes.append(lambda: world.cluster.faults.add(Fault(path=path, method="GET", status=503, times=3)))
    outcome = await world.execute(made)
    assert (outcome.status, outcome.written) == ("failed", None)
    assert execs(world) == 0


async def test_the_fence_is_asked_after_the_last_look_at_the_pod(world: executing.World) -> None:
    action = command(world, "rm", "/tmp/cache")
    made = await world.propose(action, rules(action))
    path = f"/api/v1/namespaces/{HOME}/pods/{action.pod.name}"

    async def fence() -> bool:
        return sum(entry.path == path for entry in world.cluster.journal) < 2

    outcome = await world.execute(made, fence=fence)
    assert (outcome.status, execs(world)) == ("refused", 0)
