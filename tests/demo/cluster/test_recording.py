"""Events as the components of 1.34 write them: who, about what, how often; and the words of the less common ones."""

from typing import Any

from demo.cluster import Run, SimulatedCluster, programs, scenarios
from demo.cluster.scenarios import running
from tests.demo.cluster.conftest import Raw, Start

SOURCE = ("replicaset-controller", "")


def replica_set(cluster: SimulatedCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.list("replicasets", "web")[0]
    return found


async def test_a_repetition_raises_the_count_and_keeps_the_first_time(start: Start) -> None:
    cluster = await start([running(scenarios.deployment("cart", "web", "web/cart:v1"))])
    owner = replica_set(cluster)
    for _ in range(3):
        cluster.recorder.event("replicasets", owner, "FailedCreate", "no", SOURCE, warning=True)
    event = cluster.events("web", "cart", "FailedCreate")[0]
    assert (event["count"], event["type"], event["eventTime"]) == (3, "Warning", None)
    assert event["firstTimestamp"] <= event["lastTimestamp"]
    assert event["source"] == {"component": "replicaset-controller"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("replicaset-controller", "")
    assert event["involvedObject"] == {
        "kind": "ReplicaSet",
        "namespace": "web",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "apiVersion": "apps/v1",
        "resourceVersion": owner["metadata"]["resourceVersion"],
    }
    assert "action" not in event


async def test_from_the_tenth_text_of_a_reason_on_they_are_combined(start: Start) -> None:
    cluster = await start([running(scenarios.deployment("cart", "web", "web/cart:v1"))])
    owner = replica_set(cluster)
    for number in range(12):
        cluster.recorder.event("replicasets", owner, "FailedCreate", f"no {number}", SOURCE, warning=True)
    events = {each["message"]: each["count"] for each in cluster.events("web", "cart", "FailedCreate")}
    assert dict.fromkeys((f"no {number}" for number in range(9)), 1).items() <= events.items()
    assert events["(combined from similar events): no 11"] == 3
    assert len(events) == 10


async def test_a_source_that_says_too_much_is_held_back_and_its_count_goes_on(start: Start) -> None:
    cluster = await start([running(scenarios.deployment("cart", "web", "web/cart:v1"))], speed=1000)
    owner = replica_set(cluster)
    for _ in range(40):
        cluster.recorder.event("replicasets", owner, "Chatty", "again", SOURCE, warning=True)
    assert cluster.events("web", "cart", "Chatty")[0]["count"] == 25
    began = cluster.timeline.seconds
    await cluster.wait_for(lambda: cluster.timeline.seconds - began > 310)
    cluster.recorder.event("replicasets", owner, "Chatty", "again", SOURCE, warning=True)
    assert cluster.events("web", "cart", "Chatty")[0]["count"] == 41


async def test_nodes_are_named_by_their_kubelet_and_known_by_uid_to_the_controllers(start: Start) -> None:
    cluster = await start(speed=100)
    uid = cluster.get("nodes", "worker-1")["metadata"]["uid"]
    cluster.patch("nodes", "worker-1", "", {"spec": {"unschedulable": True}})
    await cluster.settle()
    cluster.nodes.lose("worker-1")
    await cluster.wait_for(lambda: bool(cluster.events("default", "worker-1", "NodeNotReady")))
    cordoned = cluster.events("default", "worker-1", "NodeNotSchedulable")[0]
    assert cordoned["message"] == "Node worker-1 status is now: NodeNotSchedulable"
    assert cordoned["involvedObject"] == {"kind": "Node", "name": "worker-1", "uid": "worker-1"}
    lost = cluster.events("default", "worker-1", "NodeNotReady")[0]
    assert (lost["source"], lost["type"]) == ({"component": "node-controller"}, "Normal")
    assert lost["involvedObject"] == {"kind": "Node", "name": "worker-1", "uid": uid, "apiVersion": "v1"}


async def test_pressure_that_is_over_is_told(start: Start) -> None:
    cluster = await start()
    cluster.nodes.press("worker-2", "DiskPressure")
    cluster.nodes.relieve("worker-2", "DiskPressure")
    said = {each["reason"]: each["message"] for each in cluster.events("default", "worker-2")}
    assert said["NodeHasDiskPressure"] == "Node worker-2 status is now: NodeHasDiskPressure"
    assert said["NodeHasNoDiskPressure"] == "Node worker-2 status is now: NodeHasNoDiskPressure"


async def test_an_evicted_pod_says_who_ended_it(start: Start) -> None:
    cluster = await start([running(scenarios.deployment("cart", "web", "web/cart:v1"))])
    pod = cluster.pods("web", "cart")[0]
    cluster.nodes.press(pod["spec"]["nodeName"], "MemoryPressure", evict=("cart",))
    await cluster.wait_for(lambda: cluster.get("pods", pod["metadata"]["name"], "web")["status"]["phase"] == "Failed")
    status = cluster.get("pods", pod["metadata"]["name"], "web")["status"]
    target = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (status["reason"], target["status"], target["reason"]) == ("Evicted", "True", "TerminationByKubelet")
    assert target["message"] == status["message"] == cluster.events("web", "cart", "Evicted")[0]["message"]


async def test_a_volume_that_cannot_be_mounted_is_given_up_after_two_minutes(start: Start) -> None:
    cluster = await start(speed=400)
    cluster.images.publish("web/app", "v1")
    volume = {"name": "settings", "configMap": {"name": "absent"}}
    mounts = [{"name": "settings", "mountPath": "/etc/app"}]
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", pod={"volumes": [volume]}, volumeMounts=mounts))
    await cluster.wait_for(lambda: len(cluster.events("web", "app", "FailedMount")) > 1)
    why = "unmounted volumes=[settings], unattached volumes=[], failed to process volumes=[]: context deadline exceeded"
    assert {each["message"] for each in cluster.events("web", "app", "FailedMount")} == {
        'MountVolume.SetUp failed for volume "settings" : configmap "absent" not found',
        f"Unable to attach or mount volumes: {why}",
    }


async def test_a_pull_secret_that_is_missing_is_told(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/app", "v1")
    secrets = {"imagePullSecrets": [{"name": "regcred"}]}
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", pod=secrets))
    await cluster.settle()
    event = cluster.events("web", "app", "FailedToRetrieveImagePullSecret")[0]
    assert event["message"] == (
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed."
    )


async def test_claims_of_a_stateful_set_are_told(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("data/db", "v1")
    cluster.apply(scenarios.stateful_set("db", "data", "data/db:v1", claim="1Gi"))
    await cluster.settle()
    said = [each["message"] for each in cluster.events("data", "db", "SuccessfulCreate")]
    assert "create Claim data-db-0 Pod db-0 in StatefulSet db success" in said
    assert "create Pod db-0 in StatefulSet db successful" in said


async def test_refused_pods_have_their_whole_name_and_the_first_refusal_stays_in_the_status(start: Start) -> None:
    cluster = await start([scenarios.quota_exceeded()], speed=200)
    await cluster.wait_for(lambda: len(cluster.events("media", "thumbnailer", "FailedCreate")) > 2)
    said = [each["message"] for each in cluster.events("media", "thumbnailer", "FailedCreate")]
    assert len(set(said)) == len(said)
    owner = cluster.list("replicasets", "media")[0]
    prefix = f'Error creating: pods "{owner["metadata"]["name"]}-'
    assert all(prefix in each for each in said)
    failure = owner["status"]["conditions"][0]
    assert (failure["type"], failure["reason"]) == ("ReplicaFailure", "FailedCreate")


async def test_pods_count_their_generation_and_say_which_was_seen(start: Start, raw: Raw) -> None:
    cluster = await start([running(scenarios.deployment("cart", "web", "web/cart:v1"))])
    cluster.images.publish("web/cart", "v2")
    name = cluster.pods("web", "cart")[0]["metadata"]["name"]
    pod = cluster.get("pods", name, "web")
    assert (pod["metadata"]["generation"], pod["status"]["observedGeneration"]) == (1, 1)
    seen = {each["type"]: each["observedGeneration"] for each in pod["status"]["conditions"]}
    assert seen == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), 1
    )
    cluster.patch("pods", name, "web", {"spec": {"containers": [{"name": "cart", "image": "web/cart:v2"}]}})
    assert cluster.get("pods", name, "web")["metadata"]["generation"] == 2


async def test_a_daemon_set_counts_the_changes_of_its_template(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/agent", "v1", "v2")
    cluster.apply(scenarios.daemon_set("agent", "web", "web/agent:v1"))
    await cluster.settle()
    counter = "deprecated.daemonset.template.generation"
    assert cluster.get("daemonsets", "agent", "web")["metadata"]["annotations"][counter] == "1"
    change = {"spec": {"template": {"spec": {"containers": [{"name": "agent", "image": "web/agent:v2"}]}}}}
    cluster.patch("daemonsets", "agent", "web", change)
    await cluster.settle()
    assert cluster.get("daemonsets", "agent", "web")["metadata"]["annotations"][counter] == "2"
    labels = {pod["metadata"]["labels"]["pod-template-generation"] for pod in cluster.pods("web", "agent")}
    assert labels == {"2"}


async def test_a_job_is_complete_once_it_is_decided(start: Start) -> None:
    cluster = await start(speed=50)
    cluster.images.publish("batch/task", "v1", program=programs.finishes("done"))
    cluster.apply(scenarios.job("task", "batch", "batch/task:v1"))
    await cluster.wait_for(lambda: "completionTime" in cluster.get("jobs", "task", "batch")["status"])
    conditions = cluster.get("jobs", "task", "batch")["status"]["conditions"]
    assert [(each["type"], each["reason"]) for each in conditions] == [
        ("SuccessCriteriaMet", "CompletionsReached"),
        ("Complete", "CompletionsReached"),
    ]


async def test_a_job_that_runs_too_long_has_failed_when_its_pod_has_ended(start: Start) -> None:
    cluster = await start(speed=20)
    cluster.images.publish("batch/task", "v1", program=lambda _: Run(stop_after=10.0))
    manifest = scenarios.job("task", "batch", "batch/task:v1")
    manifest["spec"]["activeDeadlineSeconds"] = 5
    cluster.apply(manifest)

    def kinds() -> list[str]:
        status = cluster.get("jobs", "task", "batch")["status"]
        return [each["type"] for each in status.get("conditions") or []]

    await cluster.wait_for(lambda: bool(kinds()))
    assert kinds() == ["FailureTarget"]
    assert cluster.get("jobs", "task", "batch")["status"]["terminating"] == 1
    assert cluster.events("batch", "task", "DeadlineExceeded") == []
    await cluster.wait_for(lambda: len(kinds()) == 2)
    assert kinds() == ["FailureTarget", "Failed"]
    assert cluster.events("batch", "task", "DeadlineExceeded")[0]["message"] == (
        "Job was active longer than specified deadline"
    )
