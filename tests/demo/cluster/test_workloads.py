"""StatefulSets, DaemonSets, Jobs and what the node controller does to pods."""

from typing import Any

from demo.cluster import Run, SimulatedCluster, programs, scenarios
from demo.cluster.controllers.nodes import node
from tests.demo.cluster.conftest import Raw, Start


def image_patch(name: str, image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}}


def ready(cluster: SimulatedCluster, name: str) -> dict[str, Any]:
    conditions = cluster.get("nodes", name)["status"]["conditions"]
    return next(dict(each) for each in conditions if each["type"] == "Ready")


async def test_stateful_set_is_built_in_order_and_updated_from_the_end(start: Start) -> None:
    cluster = await start(speed=40)
    cluster.images.publish("data/db", "v1", "v2")
    cluster.apply(scenarios.stateful_set("db", "data", "data/db:v1", replicas=3, claim="1Gi"))
    await cluster.settle()
    pods = {pod["metadata"]["name"]: pod for pod in cluster.pods("data", "db")}
    assert list(pods) == ["db-0", "db-1", "db-2"]
    assert pods["db-0"]["status"]["startTime"] <= pods["db-2"]["status"]["startTime"]
    claims = cluster.list("persistentvolumeclaims", "data")
    assert (claims[0]["metadata"]["name"], claims[0]["status"]["phase"]) == ("data-db-0", "Bound")
    before = pods["db-0"]["metadata"]["uid"]
    cluster.patch("statefulsets", "db", "data", image_patch("db", "data/db:v2"))
    await cluster.settle()
    status = cluster.get("statefulsets", "db", "data")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["readyReplicas"] == status["updatedReplicas"] == 3
    assert cluster.get("pods", "db-0", "data")["metadata"]["uid"] != before
    assert [each["revision"] for each in cluster.list("controllerrevisions", "data")] in ([1, 2], [2, 1])


async def test_broken_stateful_set_stays_blocked_until_somebody_deletes_the_pod(start: Start) -> None:
    cluster = await start(speed=40)
    cluster.images.publish("data/db", "v1")
    cluster.apply(scenarios.stateful_set("db", "data", "data/db:v1", replicas=2))
    await cluster.settle()
    cluster.patch("statefulsets", "db", "data", image_patch("db", "data/db:oops"))
    await cluster.settle()
    broken = cluster.get("pods", "db-1", "data")
    assert broken["status"]["phase"] == "Pending"
    assert cluster.get("pods", "db-0", "data")["spec"]["containers"][0]["image"] == "data/db:v1"
    cluster.patch("statefulsets", "db", "data", image_patch("db", "data/db:v1"))
    await cluster.settle()
    assert cluster.get("pods", "db-1", "data")["metadata"]["uid"] == broken["metadata"]["uid"]
    cluster.delete("pods", "db-1", "data")
    await cluster.settle()
    assert cluster.get("statefulsets", "db", "data")["status"]["readyReplicas"] == 2


async def test_daemon_set_covers_every_node_and_rolls(start: Start) -> None:
    cluster = await start(speed=40)
    cluster.images.publish("ops/agent", "v1", "v2")
    cluster.apply(scenarios.daemon_set("agent", "ops", "ops/agent:v1"))
    await cluster.settle()
    assert {pod["spec"]["nodeName"] for pod in cluster.pods("ops", "agent")} == {"worker-1", "worker-2", "worker-3"}
    cluster.apply(node("worker-4", "172.18.0.9"))
    await cluster.settle()
    assert cluster.get("daemonsets", "agent", "ops")["status"]["numberReady"] == 4
    cluster.patch("daemonsets", "agent", "ops", image_patch("agent", "ops/agent:v2"))
    await cluster.settle()
    status = cluster.get("daemonsets", "agent", "ops")["status"]
    assert status["updatedNumberScheduled"] == status["numberAvailable"] == 4


async def test_failed_job_has_both_conditions_and_keeps_its_pods(start: Start) -> None:
    cluster = await start([scenarios.job_failed()])
    status = cluster.get("jobs", "ledger-export", "batch")["status"]
    assert [each["type"] for each in status["conditions"]] == ["FailureTarget", "Failed"]
    assert {each["reason"] for each in status["conditions"]} == {"BackoffLimitExceeded"}
    assert status["failed"] == 3
    assert {pod["status"]["phase"] for pod in cluster.pods("batch", "ledger-export")} == {"Failed"}
    assert cluster.events("batch", "ledger-export", "BackoffLimitExceeded")


async def test_jobs_complete_in_parallel_and_within_their_deadline(start: Start) -> None:
    cluster = await start(speed=60)
    cluster.images.publish("batch/task", "ok", program=programs.finishes("working", "done"))
    cluster.images.publish("batch/task", "slow", program=lambda _: Run(exit_after=500.0))
    manifest = scenarios.job("good", "batch", "batch/task:ok")
    manifest["spec"] |= {"completions": 4, "parallelism": 2}
    cluster.apply(manifest)
    slow = scenarios.job("slow", "batch", "batch/task:slow")
    slow["spec"]["activeDeadlineSeconds"] = 20
    cluster.apply(slow)

    def over() -> bool:
        return all((each["status"].get("conditions")) for each in cluster.list("jobs", "batch"))

    await cluster.wait_for(over)
    good = cluster.get("jobs", "good", "batch")["status"]
    assert ([each["type"] for each in good["conditions"]], good["succeeded"]) == (["SuccessCriteriaMet", "Complete"], 4)
    failed = cluster.get("jobs", "slow", "batch")["status"]["conditions"]
    assert failed[-1]["reason"] == "DeadlineExceeded"


async def test_lost_node_is_unknown_and_its_pods_move(start: Start, raw: Raw) -> None:
    manifest = scenarios.deployment("cart", "web", "web/cart:v1", replicas=3)
    cluster = await start([scenarios.running(manifest)], speed=200)
    victim = next(pod for pod in cluster.pods("web", "cart") if pod["spec"]["nodeName"] == "worker-2")
    name = victim["metadata"]["name"]
    cluster.nodes.lose("worker-2")
    await cluster.wait_for(lambda: ready(cluster, "worker-2")["status"] == "Unknown")
    assert ready(cluster, "worker-2")["message"] == "Kubelet stopped posting node status."
    assert {taint["key"] for taint in cluster.get("nodes", "worker-2")["spec"]["taints"]} == {
        "node.kubernetes.io/unreachable"
    }
    assert cluster.events("default", "worker-2", "NodeNotReady")
    assert cluster.events("web", name, "NodeNotReady")
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/web/pods/{name}/log")
    assert (answer.status, "connect: no route to host" in answer.json["message"]) == (500, True)
    await cluster.wait_for(lambda: "deletionTimestamp" in cluster.get("pods", name, "web")["metadata"])
    await cluster.wait_for(lambda: cluster.get("deployments", "cart", "web")["status"].get("readyReplicas") == 3)
    assert cluster.find("pods", name, "web") is not None
    cluster.nodes.recover("worker-2")
    await cluster.settle()
    assert ready(cluster, "worker-2")["status"] == "True"
    assert cluster.find("pods", name, "web") is None
    assert "taints" not in cluster.get("nodes", "worker-2")["spec"]


async def test_node_that_says_it_is_not_ready(start: Start) -> None:
    cluster = await start([scenarios.node_not_ready("worker-3")])
    assert (ready(cluster, "worker-3")["status"], ready(cluster, "worker-3")["reason"]) == ("False", "KubeletNotReady")


async def test_pressure_evicts_and_keeps_new_pods_away(start: Start) -> None:
    manifest = scenarios.deployment("cart", "web", "web/cart:v1", replicas=3)
    cluster = await start([scenarios.running(manifest)])
    cluster.nodes.press("worker-1", "MemoryPressure", evict=["cart"])
    await cluster.settle()
    evicted = [pod for pod in cluster.pods("web", "cart") if pod["status"].get("reason") == "Evicted"]
    assert [pod["status"]["phase"] for pod in evicted] == ["Failed"]
    assert evicted[0]["status"]["message"].startswith("The node was low on resource: memory.")
    others = [pod["spec"]["nodeName"] for pod in cluster.pods("web", "cart") if pod not in evicted]
    assert "worker-1" not in others
    cluster.nodes.relieve("worker-1")
    conditions = cluster.get("nodes", "worker-1")["status"]["conditions"]
    assert [each["status"] for each in conditions] == ["False", "False", "False", "True"]
