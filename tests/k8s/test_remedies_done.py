"""Each remedy of workload templates on a simulated cluster: proposed, tried, done with the writer's rights, undone."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.cluster import scenarios
from k8s import catalogue, guardrails, model, verification, workloads
from tests.k8s import executing

POLICY = guardrails.Policy(approvers=("U1", "U2"))
VALUE = "mostly-harmless"
MAKE: Mapping[str, Callable[..., Any]] = {
    "Deployment": scenarios.deployment,
    "StatefulSet": scenarios.stateful_set,
    "DaemonSet": scenarios.daemon_set,
}
LISTS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
SPOILT = {
    "name": "store",
    "image": "payments/store:missing",
    "env": [{"name": "TRACE", "value": "1"}, {"name": "GREETING", "value": None, "$patch": "delete"}],
    "resources": {"limits": {"memory": "64Mi"}},
}


@dataclass
class Bench:
    """A world, and in it a workload whose second revision cannot pull its image; pods of the first one still serve."""

    world: executing.World
    kind: str

    @property
    def ref(self) -> model.ResourceRef:
        return self.world.ref(self.kind, "store", "payments")

    @property
    def object(self) -> model.Json:
        return self.world.cluster.get(self.kind, "store", "payments")

    @property
    def container(self) -> model.Json:
        found: model.Json = workloads.template(self.object)["spec"]["containers"][0]
        return found

    async def target(self, action: model.Action) -> model.Target:
        return await self.world.reader.read_target(action)

    async def do(self, action: model.Action) -> model.Plan:
        """Proposed, tried, done, seen by a look, and after that nothing that could be done again."""
        made = await self.world.propose(action, POLICY)
        tried = await self.world.executor.dry_run(made.plan)
        assert tried.accepted, tried.message
        assert tried.diff
        assert (
            VALUE
            not in msgspec.json.encode([tried.diff, made.plan.summary, made.plan.kubectl, made.plan.pins]).decode()
        )
        outcome = await self.world.execute(made)
        assert outcome.status == "succeeded", outcome
        assert await self.world.executor.look(action, made.plan.operations) is True
        assert (await self.world.execute(made)).status == "already-fixed"
        target = await self.target(action)
        assert catalogue.remedy_for(action).overridden(action, target) == ""
        return made.plan


def _revisions(world: executing.World, kind: str) -> int:
    listed = world.cluster.list("replicasets" if kind == "Deployment" else "controllerrevisions", "payments")
    return sum(each["metadata"]["name"].startswith("store-") for each in listed)


@pytest.fixture(params=sorted(MAKE))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    kind: str = request.param
    manifest = MAKE[kind]("store", "payments", "payments/store:v1", env={"GREETING": VALUE})
    if kind == "StatefulSet":
        manifest["spec"]["replicas"] = 3
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "128Mi"}}
    async with executing.world(tmp_path, [scenarios.running(manifest)], speed=50.0) as world:
        world.cluster.patch(
            LISTS[kind], "store", "payments", {"spec": {"template": {"spec": {"containers": [SPOILT]}}}}
        )
        await world.cluster.wait_for(lambda: _revisions(world, kind) == 2)
        await world.cluster.wait_for(lambda: _waiting(world))
        yield Bench(world, kind)


def _waiting(world: executing.World) -> bool:
    """A pod of the new revision is there, and pods of the old one are still ready."""
    pods = world.cluster.pods("payments", "store")
    images = {pod["spec"]["containers"][0]["image"]: workloads.pod_ready(pod) for pod in pods}
    return images.get("payments/store:missing") is False and images.get("payments/store:v1") is True


async def test_the_target_comes_with_its_revisions(bench: Bench) -> None:
    target = await bench.target(model.RolloutUndo(bench.ref, 1))
    assert [each.number for each in workloads.revisions(target)] == [1, 2]
    current, good = workloads.current_revision(target), workloads.healthy_revision(target, executing.ROUND)
    assert current is not None
    assert current.number == 2
    first = workloads.revisions(target)[0]
    assert (first.health, first.template["spec"]["containers"][0]["image"]) == ("serving", "payments/store:v1")
    assert good is None or good.number == 1
    if bench.kind == "Deployment":
        assert target.revisions == ()
    unread = await bench.target(model.RolloutRestart(bench.ref))
    assert unread.revisions == ()


async def test_a_rollout_is_undone_and_the_undo_taken_back(bench: Bench) -> None:
    good = (await bench.target(model.RolloutUndo(bench.ref, 1))).revisions
    plan = await bench.do(model.RolloutUndo(bench.ref, 1))
    assert bench.container["image"] == "payments/store:v1"
    assert "$patch" not in workloads.template(bench.object)
    assert len(good) in (0, 2)
    assert plan.inverse is not None
    assert plan.inverse == model.RolloutUndo(bench.ref, 2)


async def test_an_image_goes_back_and_the_rest_of_the_rollout_stays(bench: Bench) -> None:
    action = model.SetImage(bench.ref, "store", "payments/store:v1")
    plan = await bench.do(action)
    assert bench.container["image"] == "payments/store:v1"
    assert [each["name"] for each in bench.container["env"]] == ["TRACE"]
    assert plan.inverse == model.SetImage(bench.ref, "store", "payments/store:missing")
    started = executing.ROUND
    found = verification.assess(
        action,
        started=started,
        target=await bench.target(action),
        now=started,
        hold=timedelta(minutes=2),
        timeout=timedelta(minutes=10),
    )
    assert found.status == "pending", found


async def test_a_variable_comes_back_without_its_value_being_shown(bench: Bench) -> None:
    plan = await bench.do(model.SetEnv(bench.ref, "store", "GREETING", 1))
    assert {each["name"]: each["value"] for each in bench.container["env"]} == {"TRACE": "1", "GREETING": VALUE}
    assert isinstance(plan.inverse, model.UnsetEnv)
    assert bench.container["image"] == "payments/store:missing"


async def test_a_variable_that_is_new_goes(bench: Bench) -> None:
    plan = await bench.do(model.UnsetEnv(bench.ref, "store", "TRACE", 1))
    assert bench.container.get("env", []) == []
    assert isinstance(plan.inverse, model.SetEnv)


async def test_resources_change_and_go_back(bench: Bench) -> None:
    plan = await bench.do(model.SetResources(bench.ref, "store", memory_limit="128Mi"))
    assert bench.container["resources"]["limits"] == {"memory": "128Mi"}
    assert plan.inverse == model.SetResources(bench.ref, "store", memory_limit="64Mi")
    back = await bench.do(plan.inverse)
    assert bench.container["resources"]["limits"] == {"memory": "64Mi"}
    assert back.inverse == plan.action


async def test_a_change_by_somebody_else_makes_every_one_of_them_stale(bench: Bench) -> None:
    ref = bench.ref
    made = [
        await bench.world.propose(action, POLICY)
        for action in (
            model.RolloutUndo(ref, 1),
            model.SetImage(ref, "store", "payments/store:v1"),
            model.SetEnv(ref, "store", "GREETING", 1),
            model.UnsetEnv(ref, "store", "TRACE", 1),
            model.SetResources(ref, "store", memory_limit="128Mi"),
        )
    ]
    labels = {"spec": {"template": {"metadata": {"labels": {"team": "other"}}}}}
    bench.world.cluster.patch(LISTS[bench.kind], "store", "payments", labels)
    before = bench.object["spec"]
    for each in made:
        outcome = await bench.world.execute(each)
        assert (outcome.status, outcome.pre_image) == ("stale", None), outcome
        assert outcome.moved
    assert bench.object["spec"] == before


@pytest.mark.parametrize("bench", ["Deployment"], indirect=True)
async def test_a_rollout_is_paused_and_resumed(bench: Bench) -> None:
    plan = await bench.do(model.RolloutPause(bench.ref))
    assert bench.object["spec"]["paused"] is True
    assert plan.inverse == model.RolloutResume(bench.ref)
    await bench.do(plan.inverse)
    assert not bench.object["spec"].get("paused")


@pytest.mark.parametrize("bench", ["StatefulSet"], indirect=True)
async def test_revisions_that_may_not_be_read_are_an_error_and_not_an_absence(bench: Bench) -> None:
    bench.world.cluster.forbid("writer", "list", "controllerrevisions")
    with pytest.raises(Exception, match="controllerrevisions") as caught:
        await bench.target(model.RolloutUndo(bench.ref, 1))
    assert type(caught.value).__name__ == "Forbidden"
