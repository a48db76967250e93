"""What the scheduler says of a pod that fits nowhere: the sentences of 1.34, for one node and for several."""

from typing import Any

import pytest

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.scheduler import pod_requests
from tests.demo.cluster.conftest import Start

UNHELPFUL = (
    "no new claims to deallocate, preemption: 0/{0} nodes are available: {0} Preemption is not helpful for scheduling."
)


def message(cluster: SimulatedCluster, app: str) -> str:
    """The condition's message; the event must say the same."""
    pod = cluster.pods("web", app)[0]
    found = next(each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
    events = cluster.events("web", pod["metadata"]["name"], "FailedScheduling")
    assert [each["message"] for each in events] == [found["message"]]
    assert (found["status"], found["reason"], found["observedGeneration"]) == ("False", "Unschedulable", 1)
    return str(found["message"])


async def one_node(start: Start) -> SimulatedCluster:
    cluster = await start()
    for name in ("worker-2", "worker-3"):
        cluster.delete("nodes", name)
    return cluster


async def refused(cluster: SimulatedCluster, **fields: Any) -> str:
    """What is said of one pod with these fields."""
    cluster.images.publish("web/app", "v1")
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", **fields))
    await cluster.settle()
    return message(cluster, "app")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cpu": "64"}, "Insufficient cpu"),
        ({"memory": "1Ti"}, "Insufficient memory"),
        ({"pod": {"nodeSelector": {"disk": "ssd"}}}, "node(s) didn't match Pod's node affinity/selector"),
        (
            {"resources": {"requests": {"example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}},
            "Insufficient example.com/gpu",
        ),
    ],
)
async def test_what_no_node_has(start: Start, fields: dict[str, Any], reason: str) -> None:
    cluster = await one_node(start)
    said = await refused(cluster, **fields)
    assert said == f"0/1 nodes are available: 1 {reason}. {UNHELPFUL.format(1)}"


async def test_reasons_are_counted_and_stand_in_the_order_of_their_text(start: Start) -> None:
    cluster = await start()
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    cluster.patch("nodes", "worker-1", "", {"spec": {"taints": [taint]}})
    cluster.patch("nodes", "worker-2", "", {"spec": {"unschedulable": True}})
    assert await refused(cluster, cpu="64", memory="1Ti") == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint(s), "
        f"1 node(s) were unschedulable. {UNHELPFUL.format(3)}"
    )


async def test_a_full_node_has_no_victims_and_one_that_is_too_small_is_beyond_help(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/big", "v1")
    cluster.apply(scenarios.deployment("big", "web", "web/big:v1", replicas=3, cpu="3"))
    await cluster.settle()
    cluster.patch("nodes", "worker-3", "", {"status": {"allocatable": {"cpu": "1"}}})
    cluster.patch_status("nodes", "worker-3", "", {"allocatable": {"cpu": "1"}})
    assert await refused(cluster, cpu="2") == (
        "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are "
        "available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )


async def test_a_pod_that_never_preempts(start: Start) -> None:
    cluster = await one_node(start)
    assert await refused(cluster, cpu="64", pod={"preemptionPolicy": "Never"}) == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to "
        "preemptionPolicy=Never."
    )


async def test_a_pod_of_one_node_counts_the_others_as_not_satisfying_its_affinity(start: Start) -> None:
    cluster = await start()
    field = {"key": "metadata.name", "operator": "In", "values": ["worker-2"]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert await refused(cluster, cpu="64", pod={"affinity": affinity}) == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        f"{UNHELPFUL.format(3)}"
    )


async def test_a_missing_claim_ends_the_attempt_before_any_node_is_looked_at(start: Start) -> None:
    cluster = await start()
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    said = await refused(cluster, pod={"volumes": [volume]})
    assert said == '0/3 nodes are available: persistentvolumeclaim "data" not found. not found'


async def test_ports_of_a_node_are_given_once(start: Start) -> None:
    cluster = await one_node(start)
    port = [{"containerPort": 8080, "hostPort": 8080}]
    cluster.images.publish("web/first", "v1")
    cluster.apply(scenarios.deployment("first", "web", "web/first:v1", ports=port))
    await cluster.settle()
    assert await refused(cluster, ports=port) == (
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. no new claims to "
        "deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


async def test_without_a_node(start: Start) -> None:
    cluster = await one_node(start)
    cluster.delete("nodes", "worker-1")
    assert await refused(cluster) == "no nodes available to schedule pods"


async def test_the_schedulers_events_have_a_time_an_action_and_no_source(start: Start) -> None:
    cluster = await start(speed=600)
    cluster.images.publish("web/app", "v1")
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1"))
    cluster.apply(scenarios.deployment("huge", "web", "web/app:v1", cpu="64"))
    await cluster.settle()
    bound = cluster.events("web", "app", "Scheduled")[0]
    assert (bound["action"], bound["source"], bound["type"]) == ("Binding", {}, "Normal")
    assert bound["reportingComponent"] == "default-scheduler"
    assert bound["reportingInstance"].startswith("default-scheduler-")
    assert (bound["firstTimestamp"], bound["lastTimestamp"]) == (None, None)
    assert "count" not in bound
    assert len(bound["eventTime"]) == len("2026-11-21T03:00:00.000000Z")
    await cluster.wait_for(lambda: any("series" in each for each in cluster.events("web", "huge")))
    failed = [each for each in cluster.events("web", "huge", "FailedScheduling") if "series" in each]
    assert (failed[0]["action"], failed[0]["series"]["count"]) == ("Scheduling", 2)


def test_requests_of_sidecars_count_for_ever_and_those_of_init_containers_once() -> None:
    def asks(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    sidecar = asks("500m", restartPolicy="Always")
    assert pod_requests({"containers": [asks("1")], "initContainers": [sidecar]}) == {"cpu": 1.5}
    assert pod_requests({"containers": [asks("1")], "initContainers": [asks("4"), sidecar]}) == {"cpu": 4.0}
    assert pod_requests({"containers": [asks("1")], "initContainers": [sidecar, asks("4")]}) == {"cpu": 4.5}
