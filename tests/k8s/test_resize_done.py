"""A pod resized as it runs, on a simulated cluster: done, seen to be there, taken back; what its node cannot give."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.cluster import scenarios
from k8s import model, verification
from k8s.client import errors
from tests.k8s import executing

HOME = "payments"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    store = scenarios.deployment("store", HOME, "payments/store:v1", cpu="2", memory_limit="128Mi")
    async with executing.world(tmp_path, [scenarios.running(store)], speed=50.0) as found:
        await found.cluster.settle()
        found.cluster.allow("writer", "patch", "pods/resize", HOME)
        yield found


def action(world: executing.World, **amounts: str) -> model.ResizePod:
    name = world.cluster.pods(HOME, "store")[0]["metadata"]["name"]
    return model.ResizePod(world.ref("Pod", name, HOME), world.ref("Deployment", "store", HOME), "store", **amounts)


async def done(world: executing.World, wanted: model.ResizePod) -> executing.Proposal:
    made = await world.propose(wanted)
    assert await world.executor.lacking(made.plan) == ""
    tried = await world.executor.dry_run(made.plan)
    assert tried.accepted, tried
    assert any("resources" in line for line in tried.diff)
    outcome = await world.execute(made)
    assert outcome.status == "succeeded", outcome
    assert world.cluster.journal.writes[-1].path.endswith(f"/pods/{wanted.pod.name}/resize")
    return made


async def ended(world: executing.World, wanted: model.ResizePod) -> verification.Assessment:
    await world.cluster.settle()
    target = await world.reader.read_target(wanted)
    now = datetime.now(UTC)
    limit = timedelta(minutes=10)
    return verification.assess(
        wanted, started=now - timedelta(minutes=1), target=target, now=now, hold=limit, timeout=limit
    )


def status(world: executing.World, wanted: model.ResizePod) -> model.Json:
    found: model.Json = world.cluster.get("Pod", wanted.pod.name, HOME)["status"]
    return found


async def test_it_is_done_without_a_restart_seen_to_be_there_and_taken_back(world: executing.World) -> None:
    wanted = action(world, memory_request="96Mi", cpu_request="1")
    template = world.cluster.get("Deployment", "store", HOME)["spec"]["template"]
    made = await done(world, wanted)
    found = await ended(world, wanted)
    assert found.status == "verified", found
    (container,) = status(world, wanted)["containerStatuses"]
    assert container["resources"]["requests"] == container["allocatedResources"] == {"cpu": "1", "memory": "96Mi"}
    assert container["restartCount"] == 0
    assert world.cluster.get("Deployment", "store", HOME)["spec"]["template"] == template
    assert isinstance(made.plan.inverse, model.ResizePod)
    await done(world, made.plan.inverse)
    assert (await ended(world, made.plan.inverse)).status == "verified"
    (container,) = status(world, wanted)["containerStatuses"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "64Mi"}


async def test_what_its_node_can_never_give_is_not_verified_and_can_be_taken_back(world: executing.World) -> None:
    wanted = action(world, cpu_request="8")
    made = await done(world, wanted)
    found = await ended(world, wanted)
    assert found.status == "not-verified"
    assert "Node didn't have enough capacity: cpu, requested: 8000" in found.reason
    (container,) = status(world, wanted)["containerStatuses"]
    assert container["resources"]["requests"]["cpu"] == "2"
    assert isinstance(made.plan.inverse, model.ResizePod)
    await done(world, made.plan.inverse)
    assert (await ended(world, made.plan.inverse)).status == "verified"
    assert not [each for each in status(world, wanted)["conditions"] if each["type"] == "PodResizePending"]


async def test_a_pod_that_changed_meanwhile_is_not_resized(world: executing.World) -> None:
    made = await world.propose(action(world, cpu_request="1"))
    await done(world, action(world, memory_request="96Mi"))
    before = len(world.cluster.journal.writes)
    outcome = await world.execute(made)
    assert outcome.status == "stale"
    assert len(world.cluster.journal.writes) == before


async def test_without_the_right_it_is_said_before(world: executing.World) -> None:
    made = await world.propose(action(world, cpu_request="1"))
    world.cluster.forbid("writer", "patch", "pods/resize")
    told = await world.executor.lacking(made.plan)
    assert told == "The bot's writing identity may not patch pods/resize in namespace payments."


async def test_the_server_refuses_what_a_resize_may_not_do_and_takes_nothing_else(world: executing.World) -> None:
    wanted = action(world, cpu_request="1")
    at = "/spec/containers/0"

    async def send(*steps: model.Json) -> model.Json:
        operation = model.Operation("resize", wanted.pod, "json", list(steps))
        return await world.writer.apply(operation, resource_version=None, dry_run=True, as_user=None)

    with pytest.raises(errors.Rejected, match="Pod QOS Class may not change as a result of resizing"):
        await send(
            {"op": "add", "path": f"{at}/resources/limits/cpu", "value": "2"},
            {"op": "add", "path": f"{at}/resources/requests/memory", "value": "128Mi"},
        )
    with pytest.raises(errors.Rejected, match="resource limits cannot be removed"):
        await send({"op": "remove", "path": f"{at}/resources/limits/memory"})
    with pytest.raises(errors.Rejected, match="must be less than or equal to memory limit"):
        await send({"op": "add", "path": f"{at}/resources/requests/memory", "value": "1Gi"})
    answer = await send({"op": "add", "path": f"{at}/image", "value": "other:v2"})
    assert answer["spec"]["containers"][0]["image"] == "payments/store:v1"
