"""What has to be seen before certain actions are proposed, and what falls short of it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import diagnoses
from bot.evidence import collecting, proving, room, telling
from bot.flow import diagnosing
from demo.cluster import Piece, scenarios
from demo.cluster.scenarios import deployment
from k8s import detection, model
from tests.bot.evidence import examples as e
from tests.bot.flow import worlds

NODE = model.ResourceRef("Node", "", "worker-1", "")
JOB = model.ResourceRef("Job", "payments", "export", "uid-job")
BEFORE, AFTER = "2026-11-21T02:50:00Z", "2026-11-21T02:58:00Z"

# --- how long it ran --------------------------------------------------------------------------------------------------


def ended(begin: str = "2026-11-21T02:50:00Z", end: str = "2026-11-21T02:56:00Z") -> dict[str, Any]:
    return {"terminated": {"exitCode": 137, "startedAt": begin, "finishedAt": end}}


def test_how_long_a_container_ran_is_of_its_last_life_that_ended() -> None:
    for state in ({"lastState": ended()}, {"state": ended()}):
        found = proving.of_container(telling.Suspect(e.POD, "app", True, True, e.status("app", **state)))
        assert found.facts == {"lived": "360"}
        assert found.lines == ["container app had run for 6 min when it last ended"]


@pytest.mark.parametrize("state", [{}, ended(begin=""), ended(end="2026-11-21T02:40:00Z")])
def test_how_long_a_container_ran_is_not_guessed(state: dict[str, Any]) -> None:
    status = e.status(lastState=state)
    assert proving.of_container(telling.Suspect(e.POD, "app", True, True, status)).facts == {}
    assert proving.of_container(None).facts == {}


# --- a Job's pods -----------------------------------------------------------------------------------------------------


def lost(reason: str = "DeletionByTaintManager", phase: str = "Failed", message: str = "") -> model.Json:
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": reason}] if reason else []
    return {"metadata": {"name": "export-a"}, "status": {"phase": phase, "message": message, "conditions": conditions}}


def run(*pods: model.Json, reason: str = "BackoffLimitExceeded", failed: str = "1") -> str:
    problem = e.problem(e.finding("JobFailed", resource=JOB, facts={"reason": reason, "failed": failed}), subject=JOB)
    return proving.of_run(problem, pods).facts.get("disrupted", "")


SHUT = "Pod was terminated in response to imminent node shutdown."


def test_pods_that_were_taken_away_from_outside_are_told_apart() -> None:
    assert run(lost()) == "1 pod taken off a node that had stopped working"
    assert run(lost("DeletionByPodGC", phase="Running")) == "1 pod lost with their node"
    assert run(lost("TerminationByKubelet", message=SHUT)) == "1 pod ended by the shutdown of their node"
    both = run(lost("EvictionByEvictionAPI"), lost(), failed="2")
    assert both == "2 pods evicted, as a drain does or taken off a node that had stopped working"
    assert run(lost(), lost("", phase="Succeeded")) == "1 pod taken off a node that had stopped working"


@pytest.mark.parametrize(
    ("pods", "more"),
    [
        ((), {}),
        ((lost(""),), {}),
        ((lost(), lost("")), {"failed": "2"}),
        ((lost(),), {"failed": "2"}),
        ((lost(),), {"failed": ""}),
        ((lost(),), {"reason": "DeadlineExceeded"}),
        ((lost("PreemptionByScheduler"),), {}),
        ((lost("TerminationByKubelet", message="The node was low on resource: memory."),), {}),
    ],
    ids=["gone", "by itself", "one by itself", "one gone", "uncounted", "too long", "preempted", "pressure"],
)
def test_a_pod_that_may_have_failed_by_itself_proves_nothing(
    pods: tuple[model.Json, ...], more: dict[str, str]
) -> None:
    assert run(*pods, **more) == ""


# --- nodes ------------------------------------------------------------------------------------------------------------


def placed(at: str, owner: str = "ReplicaSet", status: str = "True") -> model.Json:
    condition = {"type": "PodScheduled", "status": status, "lastTransitionTime": at}
    owners = [{"kind": owner, "name": "o", "uid": "u", "controller": True}] if owner else []
    return {"metadata": {"name": "web-1", "ownerReferences": owners}, "status": {"conditions": [condition]}}


def pressed(*pods: model.Json, nodes: tuple[model.Json, ...] = (), kind: str = "NodePressure") -> proving.Proof:
    problem = e.problem(e.finding(kind, resource=NODE, since=e.NOW - timedelta(minutes=5)), subject=NODE)
    return proving.of_node(problem, (e.node(), *nodes), {"worker-1": pods})


def test_pods_that_came_after_a_node_got_into_trouble_are_counted_and_named() -> None:
    found = pressed(placed(AFTER), placed(BEFORE), nodes=(e.node("worker-2"), e.node("worker-3", ready="False")))
    assert found.facts == {"placed_since": "1", "other_nodes": "1"}
    assert found.lines == ["pods placed on it since then: 1 (web-1); other nodes that take pods: 1"]


@pytest.mark.parametrize("pod", [placed(AFTER, "DaemonSet"), placed(AFTER, "Node"), placed(AFTER, ""), placed("")])
def test_pods_that_belong_to_the_node_or_whose_time_is_not_known_did_not_come(pod: model.Json) -> None:
    assert pressed(pod).facts["placed_since"] == "0"


def test_a_node_whose_pods_were_not_read_or_that_does_not_report_is_not_judged() -> None:
    assert pressed(placed(AFTER), kind="NodeNotReady").facts == {}
    problem = e.problem(e.finding("NodePressure", resource=NODE), subject=NODE)
    assert proving.of_node(problem, (e.node(),), {}).facts == {}


@pytest.mark.parametrize(
    "spec",
    [{"unschedulable": True}, {"taints": [{"key": "team", "effect": "NoSchedule"}]}],
)
def test_nodes_that_take_no_ordinary_pods_are_no_others(spec: dict[str, Any]) -> None:
    assert pressed(placed(AFTER), nodes=(e.node("worker-2", **spec),)).facts["other_nodes"] == "0"


# --- room -------------------------------------------------------------------------------------------------------------


def asking(cpu: str = "1", memory: str = "1Gi", **spec: Any) -> model.Json:
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    whole = {"containers": [{"name": "app", "resources": {"requests": requests}}], **spec}
    return e.pod(e.status(), spec=whole)


def sized(name: str = "worker-1", pods: str = "110", **spec: Any) -> model.Json:
    made = e.node(name, **spec)
    made["status"]["allocatable"]["pods"] = pods
    return made


def test_room_is_counted_by_whatever_runs_out_first_on_each_node() -> None:
    assert room.fitting([sized()], {"worker-1": ()}, asking()) == 4
    assert room.fitting([sized()], {"worker-1": (asking(), asking())}, asking()) == 2
    assert room.fitting([sized()], {"worker-1": ()}, asking("100m", "3Gi")) == 2
    assert room.fitting([sized(pods="3")], {"worker-1": (asking("1m", "1Mi"),)}, asking("1m", "1Mi")) == 2
    two = [sized(), sized("worker-2", unschedulable=True)]
    assert room.fitting(two, {"worker-1": (), "worker-2": ()}, asking()) == 4
    assert room.fitting(two[1:], {"worker-2": ()}, asking()) == 0


HARD = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    "pod",
    [
        asking(cpu=""),
        asking(memory=""),
        asking(affinity={"podAntiAffinity": {HARD: [{"topologyKey": "kubernetes.io/hostname"}]}}),
        asking(topologySpreadConstraints=[{"whenUnsatisfiable": "DoNotSchedule"}]),
        asking(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
        asking(hostNetwork=True),
        asking(
            containers=[{"name": "a", "resources": {"requests": {"cpu": 1, "memory": 1}}, "ports": [{"hostPort": 80}]}]
        ),
    ],
)
def test_room_is_not_known_where_more_than_sizes_decides(pod: model.Json) -> None:
    assert room.fitting([sized()], {"worker-1": ()}, pod) is None


def test_room_is_not_known_where_no_pods_could_be_read_and_none_where_labels_do_not_fit() -> None:
    assert room.fitting([sized()], {}, asking()) is None
    assert room.fitting([sized()], {"worker-1": ()}, asking(nodeSelector={"disk": "fast"})) == 0
    preferred = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
    assert room.fitting([sized()], {"worker-1": ()}, asking(affinity=preferred)) == 4


def test_room_is_of_a_pod_that_is_ready() -> None:
    there = asking()
    sick = {**there, "status": {**there["status"], "conditions": [{"type": "Ready", "status": "False"}]}}
    assert proving.of_room([sized()], {"worker-1": ()}, e.target(there)).facts == {"room_for": "4"}
    assert proving.of_room([sized()], {"worker-1": ()}, e.target(sick)).facts == {}
    assert proving.of_room([sized()], {"worker-1": ()}, None).facts == {}


@given(st.lists(st.integers(1, 4000), max_size=6), st.integers(1, 4000))
def test_as_many_as_there_is_room_for_fit_and_one_more_does_not(taken: list[int], asked: int) -> None:
    here = [asking(f"{amount}m", "1Mi") for amount in taken]
    more = room.fitting([sized(pods="100000")], {"worker-1": here}, asking(f"{asked}m", "1Mi"))
    assert more is not None
    left = 4000 - sum(taken)
    assert more == 0 or more * asked <= left + 1e-6
    assert (more + 1) * asked > left - 1e-6


# --- finalizers -------------------------------------------------------------------------------------------------------


def held(**metadata: Any) -> model.Json:
    entry = {
        "manager": "backup-operator",
        "operation": "Update",
        "time": "2026-11-21T02:00:00Z",
        "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, 'v:"a.example/x"': {}}}},
    }
    return {"metadata": {"name": "p", "finalizers": ["a.example/x"], "managedFields": [entry], **metadata}}


def test_who_set_the_finalizers_is_told_where_they_hold_the_pod() -> None:
    problem = e.problem(e.finding("StuckTerminating", facts={"class": "finalizers"}))
    found = proving.of_deletion(problem, held())
    assert found.facts == {"finalizers_by": "backup-operator at 2026-11-21 02:00 UTC"}
    assert found.lines == ["the finalizers were last set by backup-operator at 2026-11-21 02:00 UTC"]
    assert proving.of_deletion(problem, held(managedFields=[])).facts == {}
    assert proving.of_deletion(problem, held(finalizers=[])).facts == {}
    assert proving.of_deletion(e.problem(e.finding("StuckTerminating", facts={"class": "running"})), held()).facts == {}


# --- read from a cluster ----------------------------------------------------------------------------------------------


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A world that stores nothing."""
    async with contextlib.AsyncExitStack() as stack:

        async def made(*scenario: Piece) -> worlds.World:
            return await stack.enter_async_context(worlds.World.made("", tmp_path, scenario, speed=40.0))

        yield made


async def proposed(world: worlds.World, problem: model.Problem) -> tuple[diagnoses.Dossier, diagnoses.Diagnosis]:
    dossier = await collecting.Collector(world.eyes.reader, world.clock).collect(worlds.CLUSTER, problem)
    return dossier, diagnosing.diagnose(problem, dossier, world.clock())


async def seen(world: worlds.World, kind: str) -> model.Problem:
    snapshot = await world.eyes.look(worlds.CLUSTER, model.Scope())
    return next(one for one in detection.detect(snapshot).problems if kind in one.kinds)


async def test_a_node_under_pressure_to_which_pods_still_come_is_cordoned(begin: Callable[..., Any]) -> None:
    world = await begin(scenarios.base(), scenarios.node_pressure("worker-2"))
    before = await seen(world, "NodePressure")
    assert (await proposed(world, before))[1].candidates == ()
    world.cluster.images.publish("shop/web", "v1")
    manifest = deployment("web", "shop", "shop/web:v1", replicas=2)
    manifest["spec"]["template"]["spec"] |= {
        "nodeSelector": {"kubernetes.io/hostname": "worker-2"},
        "tolerations": [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}],
    }
    world.cluster.apply(manifest)
    await world.cluster.settle()
    dossier, found = await proposed(world, await seen(world, "NodePressure"))
    assert [one.action for one in found.candidates] == [model.Cordon(before.subject)]
    assert "2 pods were placed on it since then [E" in found.cause
    evidence = dossier.of("scheduling")
    assert evidence is not None
    assert "pods placed on it since then: 2 (web-" in evidence.body


async def test_a_container_that_is_killed_soon_after_each_start_is_given_more_memory(begin: Callable[..., Any]) -> None:
    world = await begin(scenarios.oom())
    dossier, found = await proposed(world, await seen(world, "OOMKilled"))
    assert int(dossier.facts["lived"]) < 3600
    assert [one.action for one in found.candidates] == [
        model.SetResources(found.candidates[0].action.workload, "indexer", memory_limit="384Mi")
    ]


def at_its_maximum(ready: int = 2) -> model.Problem:
    web = model.ResourceRef("Deployment", "shop", "web", "")
    finding = e.finding(
        "HPABroken",
        resource=model.ResourceRef("HorizontalPodAutoscaler", "shop", "web", ""),
        owner=web,
        facts={"class": "at-maximum", "maximum": "2"},
    )
    return model.Problem(web, (finding,), "P3", ready, 2)


async def test_room_is_read_for_an_autoscaler_at_its_maximum_and_forbidden_nodes_are_no_gap(
    begin: Callable[..., Any],
) -> None:
    manifest = deployment("web", "shop", "shop/web:v1", replicas=2, cpu="1", memory="256Mi")
    world = await begin(scenarios.base(), scenarios.running(manifest))
    dossier, _ = await proposed(world, at_its_maximum())
    assert int(dossier.facts["room_for"]) > 0
    assert dossier.of("scheduling") is not None
    assert dossier.changes == () or all(change.kind != "node" for change in dossier.changes)
    world.cluster.forbid("reader", "list", "nodes")
    blind, found = await proposed(world, at_its_maximum())
    assert "room_for" not in blind.facts
    assert blind.missing == ()
    assert found.candidates == ()
