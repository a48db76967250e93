"""What breaks, breaks as in a real cluster; what is repaired heals through the states in between."""

from functools import partial
from typing import Any

from kubernetes.aio import client

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.controllers.revisions import HASH, REVISION
from tests.demo.cluster.conftest import Connect, Start


def waiting(pod: dict[str, Any]) -> str:
    statuses = pod["status"].get("containerStatuses") or [{}]
    return str(((statuses[0].get("state") or {}).get("waiting") or {}).get("reason", ""))


def by_revision(cluster: SimulatedCluster, namespace: str, app: str) -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["annotations"][REVISION]: each
        for each in cluster.list("replicasets", namespace)
        if each["metadata"]["labels"]["app"] == app
    }


def undo(cluster: SimulatedCluster, namespace: str, name: str, revision: str) -> list[dict[str, Any]]:
    """The JSON patch of `kubectl rollout undo --to-revision`."""
    template = by_revision(cluster, namespace, name)[revision]["spec"]["template"]
    del template["metadata"]["labels"][HASH]
    return [{"op": "replace", "path": "/spec/template", "value": template}]


def is_ready(cluster: SimulatedCluster, namespace: str, name: str) -> bool:
    return bool(cluster.get("deployments", name, namespace)["status"].get("readyReplicas") == 1)


async def test_crash_loop_is_visible_with_its_cause_and_undo_reuses_the_old_replica_set(
    start: Start, connect: Connect
) -> None:
    cluster = await start([scenarios.crash_loop()])
    pods = cluster.pods("payments", "api")
    assert [waiting(pod) for pod in pods] == ["CrashLoopBackOff"] * 3
    status = pods[0]["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["restartCount"] >= 4
    uid, name = pods[0]["metadata"]["uid"], pods[0]["metadata"]["name"]
    assert status["state"]["waiting"]["message"].endswith(f"restarting failed container=api pod={name}_payments({uid})")
    api = await connect(cluster)
    log = await client.CoreV1Api(api).read_namespaced_pod_log(name, "payments", previous=True)
    assert log.rstrip().endswith("KeyError: 'DB_URL'")
    old = by_revision(cluster, "payments", "api")["1"]
    patch = undo(cluster, "payments", "api", "1")
    await client.AppsV1Api(api).patch_namespaced_deployment("api", "payments", patch)
    await cluster.settle()
    healed = cluster.pods("payments", "api")
    assert [pod["status"]["containerStatuses"][0]["ready"] for pod in healed] == [True] * 3
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in healed} == {old["metadata"]["uid"]}
    assert by_revision(cluster, "payments", "api")["3"]["metadata"]["uid"] == old["metadata"]["uid"]
    deployment = cluster.get("deployments", "api", "payments")
    assert deployment["metadata"]["annotations"][REVISION] == "3"
    assert deployment["metadata"]["generation"] == deployment["status"]["observedGeneration"] == 3
    assert deployment["status"]["availableReplicas"] == 3


async def test_restart_does_not_heal_a_crash_loop(start: Start) -> None:
    cluster = await start([scenarios.crash_loop()])
    before = {pod["metadata"]["uid"] for pod in cluster.pods("payments", "api")}
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T03:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
    cluster.patch("deployments", "api", "payments", patch)
    await cluster.settle()
    pods = cluster.pods("payments", "api")
    assert not before & {pod["metadata"]["uid"] for pod in pods}
    await cluster.wait_for(lambda: all(waiting(pod) == "CrashLoopBackOff" for pod in cluster.pods("payments", "api")))
    assert len(by_revision(cluster, "payments", "api")) == 3


async def test_the_missing_variable_put_back_heals_in_a_new_revision(start: Start) -> None:
    cluster = await start([scenarios.crash_loop()])
    container = {"name": "api", "env": [{"name": "DB_URL", "value": "db.payments.svc:5432"}]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    cluster.patch("deployments", "api", "payments", patch)
    await cluster.settle()
    assert cluster.get("deployments", "api", "payments")["status"]["readyReplicas"] == 3
    assert "3" in by_revision(cluster, "payments", "api")


async def test_bad_image_leaves_the_old_pods_serving_and_undo_heals(start: Start) -> None:
    cluster = await start([scenarios.bad_image()])
    pods = cluster.pods("web", "storefront")
    assert sorted(waiting(pod) for pod in pods) == ["", "", "", "ImagePullBackOff"]
    broken = next(pod for pod in pods if waiting(pod))
    message = broken["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    assert message.startswith(
        'Back-off pulling image "web/storefront:v5.2.0-rc1": ErrImagePull: rpc error: code = NotFound'
    )
    reasons = {event["reason"] for event in cluster.events("web", broken["metadata"]["name"])}
    assert {"Scheduled", "Pulling", "Failed", "BackOff"} <= reasons
    deployment = cluster.get("deployments", "storefront", "web")
    assert deployment["status"]["unavailableReplicas"] == 1
    assert deployment["status"]["availableReplicas"] == 3
    survivors = {pod["metadata"]["uid"] for pod in pods if not waiting(pod)}
    cluster.patch("deployments", "storefront", "web", undo(cluster, "web", "storefront", "1"), type="json")
    await cluster.settle()
    assert {pod["metadata"]["uid"] for pod in cluster.pods("web", "storefront")} == survivors
    status = cluster.get("deployments", "storefront", "web")["status"]
    assert status["updatedReplicas"] == status["availableReplicas"] == 3
    progressing = next(each for each in status["conditions"] if each["type"] == "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"


async def test_a_tag_that_appears_later_is_pulled_at_the_next_try(start: Start) -> None:
    cluster = await start([scenarios.bad_image(ago=5)], speed=60)
    cluster.images.publish("web/storefront", "v5.2.0-rc1")
    await cluster.wait_for(
        lambda: cluster.get("deployments", "storefront", "web")["status"].get("updatedReplicas") == 3
    )
    await cluster.settle()
    assert not any(waiting(pod) for pod in cluster.pods("web", "storefront"))


async def test_image_pulls_alternate_between_the_error_and_the_back_off(start: Start) -> None:
    cluster = await start(speed=30)
    cluster.apply(scenarios.deployment("lone", "web", "web/nothing:v1"))
    seen = set[str]()

    def both() -> bool:
        seen.update(waiting(pod) for pod in cluster.pods("web", "lone"))
        return {"ErrImagePull", "ImagePullBackOff"} <= seen

    await cluster.wait_for(both)
    assert "ContainerCreating" in seen


async def test_oom_restarts_again_and_again_and_only_a_higher_limit_helps(start: Start) -> None:
    cluster = await start([scenarios.oom()], speed=40)
    status = cluster.pods("search", "indexer")[0]["status"]["containerStatuses"][0]
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert status["restartCount"] >= 3
    assert any(event["reason"] == "OOMKilling" for event in cluster.list("events", "default"))
    resources = {"limits": {"memory": "2Gi"}}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "indexer", "resources": resources}]}}}}
    cluster.patch("deployments", "indexer", "search", patch)
    await cluster.settle()
    pods = cluster.pods("search", "indexer")
    assert [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods] == [0]
    assert "running" in pods[0]["status"]["containerStatuses"][0]["state"]


async def test_unschedulable_pod_says_why_and_fits_once_it_asks_for_less(start: Start) -> None:
    cluster = await start([scenarios.unschedulable()])
    pod = cluster.pods("batch", "report-builder")[0]
    scheduled = pod["status"]["conditions"][0]
    assert (scheduled["type"], scheduled["reason"]) == ("PodScheduled", "Unschedulable")
    assert scheduled["message"].startswith("0/3 nodes are available: 3 Insufficient cpu. ")
    assert cluster.events("batch", "report-builder", "FailedScheduling")
    container = {"name": "report-builder", "resources": {"requests": {"cpu": "1"}}}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    cluster.patch("deployments", "report-builder", "batch", patch)
    await cluster.settle()
    assert cluster.get("deployments", "report-builder", "batch")["status"]["readyReplicas"] == 1


async def test_pods_that_need_more_than_is_left_wait_for_room(start: Start) -> None:
    big = scenarios.running(scenarios.deployment("big", "batch", "batch/big:v1", replicas=4, cpu="2500m"))
    cluster = await start([big])
    pending = [pod for pod in cluster.pods("batch", "big") if not pod["spec"].get("nodeName")]
    assert len(pending) == 1
    message = pending[0]["status"]["conditions"][0]["message"]
    assert message.endswith("preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.")
    bound = next(pod for pod in cluster.pods("batch", "big") if pod["spec"].get("nodeName"))
    cluster.patch("deployments", "big", "batch", {"spec": {"replicas": 3}})
    await cluster.settle()
    assert all(pod["spec"].get("nodeName") for pod in cluster.pods("batch", "big"))
    assert cluster.find("pods", bound["metadata"]["name"], "batch") is not None


async def test_config_error_names_what_is_missing_and_heals_when_it_is_there(start: Start) -> None:
    texts = {
        "secret": 'secret "mailer-smtp" not found',
        "configmap": 'configmap "mailer-settings" not found',
        "key": "couldn't find key SMTP_HOST in ConfigMap notify/mailer-settings",
    }
    for kind, text in texts.items():
        cluster = await start([scenarios.config_error(kind=kind)], speed=100)
        state = cluster.pods("notify", "mailer")[0]["status"]["containerStatuses"][0]["state"]["waiting"]
        assert state == {"reason": "CreateContainerConfigError", "message": text}
        cluster.apply(scenarios.secret("mailer-smtp", "notify", password="eA=="))
        cluster.apply(scenarios.config_map("mailer-settings", "notify", SMTP_HOST="mail"))
        await cluster.wait_for(partial(is_ready, cluster, "notify", "mailer"))


async def test_a_missing_volume_holds_the_pod_in_container_creating(start: Start) -> None:
    cluster = await start(speed=50)
    cluster.images.publish("web/app", "v1")
    volume = {"name": "settings", "configMap": {"name": "app-settings"}}
    mount = {"name": "settings", "mountPath": "/etc/app"}
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", pod={"volumes": [volume]}, volumeMounts=[mount]))
    await cluster.wait_for(lambda: bool(cluster.events("web", "app", "FailedMount")))
    text = cluster.events("web", "app", "FailedMount")[0]["message"]
    assert text == 'MountVolume.SetUp failed for volume "settings" : configmap "app-settings" not found'
    assert waiting(cluster.pods("web", "app")[0]) == "ContainerCreating"
    cluster.apply(scenarios.config_map("app-settings", "web", color="blue"))
    await cluster.wait_for(lambda: cluster.get("deployments", "app", "web")["status"].get("readyReplicas") == 1)


async def test_failing_init_container_keeps_the_main_one_waiting(start: Start) -> None:
    cluster = await start([scenarios.init_failing()])
    pod = cluster.pods("shop", "catalog")[0]
    assert pod["status"]["phase"] == "Pending"
    init = pod["status"]["initContainerStatuses"][0]
    assert init["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert waiting(pod) == "PodInitializing"
    initialized = next(each for each in pod["status"]["conditions"] if each["type"] == "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")


async def test_readiness_failing_pod_runs_but_serves_nobody(start: Start) -> None:
    cluster = await start([scenarios.readiness_failing()])
    pod = cluster.pods("shop", "recommender")[0]
    assert pod["status"]["phase"] == "Running"
    ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    unhealthy = cluster.events("shop", "recommender", "Unhealthy")
    assert unhealthy[0]["message"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert unhealthy[0]["count"] > 5
    subset = cluster.get("endpoints", "recommender", "shop")["subsets"][0]
    assert "addresses" not in subset
    assert len(subset["notReadyAddresses"]) == 2


async def test_liveness_failures_kill_and_restart(start: Start) -> None:
    cluster = await start([scenarios.liveness_failing()])
    assert cluster.pods("shop", "gateway")[0]["status"]["containerStatuses"][0]["restartCount"] >= 2
    killing = cluster.events("shop", "gateway", "Killing")
    assert killing[0]["message"] == "Container gateway failed liveness probe, will be restarted"


async def test_rollout_beyond_its_deadline_says_so_and_undo_clears_it(start: Start) -> None:
    cluster = await start([scenarios.rollout_stuck()])
    conditions = cluster.get("deployments", "checkout", "shop")["status"]["conditions"]
    progressing = next(each for each in conditions if each["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert progressing["message"].endswith("has timed out progressing.")
    cluster.patch("deployments", "checkout", "shop", undo(cluster, "shop", "checkout", "1"), type="json")
    await cluster.settle()
    status = cluster.get("deployments", "checkout", "shop")["status"]
    assert status["availableReplicas"] == 4
    progressing = next(each for each in status["conditions"] if each["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")


async def test_a_deadline_passes_while_the_cluster_runs(start: Start) -> None:
    cluster = await start(speed=50)
    await cluster.add(scenarios.rollout_stuck(deadline=10))
    await cluster.wait_for(
        lambda: any(
            each["reason"] == "ProgressDeadlineExceeded"
            for each in cluster.get("deployments", "checkout", "shop")["status"]["conditions"]
        )
    )


async def test_quota_stops_pods_with_the_real_sentence(start: Start) -> None:
    cluster = await start([scenarios.quota_exceeded()])
    deployment = cluster.get("deployments", "thumbnailer", "media")
    failure = next(each for each in deployment["status"]["conditions"] if each["type"] == "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert (
        "exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=1, limited: requests.cpu=1"
        in (failure["message"])
    )
    assert cluster.get("resourcequotas", "compute", "media")["status"]["used"] == {"requests.cpu": "1"}
    assert cluster.events("media", "thumbnailer", "FailedCreate")


async def test_scaling_and_deleting_pods(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=2))])
    uid = cluster.list("replicasets", "web")[0]["metadata"]["uid"]
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 5}})
    await cluster.settle()
    assert cluster.get("deployments", "cart", "web")["status"]["availableReplicas"] == 5
    assert [each["metadata"]["uid"] for each in cluster.list("replicasets", "web")] == [uid]
    victim = cluster.pods("web", "cart")[0]["metadata"]["name"]
    cluster.delete("pods", victim, "web")
    assert cluster.get("pods", victim, "web")["metadata"]["deletionGracePeriodSeconds"] == 30
    await cluster.settle()
    assert cluster.find("pods", victim, "web") is None
    assert len(cluster.pods("web", "cart")) == 5
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 0}})
    await cluster.settle()
    assert cluster.pods("web", "cart") == []
    texts = [event["message"] for event in cluster.events("web", "cart", "ScalingReplicaSet")]
    assert any(text.startswith("Scaled down replica set") and text.endswith("from 5 to 0") for text in texts)


async def test_rollout_passes_through_states_within_surge_and_unavailability(start: Start) -> None:
    manifest = scenarios.deployment("cart", "web", "web/cart:v1", replicas=4, readiness=True)
    cluster = await start([scenarios.running(manifest)], speed=10)
    cluster.images.publish("web/cart", "v2")
    steps = set[tuple[int, int]]()

    def done() -> bool:
        status = cluster.get("deployments", "cart", "web")["status"]
        steps.add((status.get("updatedReplicas", 0), status.get("replicas", 0)))
        assert status.get("availableReplicas", 0) >= 3
        assert sum(each["spec"]["replicas"] for each in cluster.list("replicasets", "web")) <= 5
        return bool(status["observedGeneration"] == 2 and status.get("updatedReplicas") == status["replicas"] == 4)

    container = {"name": "cart", "image": "web/cart:v2"}
    cluster.patch("deployments", "cart", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
    await cluster.wait_for(done)
    assert len(steps) >= 3


async def test_paused_rollout_waits_and_resumes(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=2))])
    cluster.images.publish("web/cart", "v2")
    cluster.patch("deployments", "cart", "web", {"spec": {"paused": True}})
    container = {"name": "cart", "image": "web/cart:v2"}
    cluster.patch("deployments", "cart", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
    await cluster.settle()
    assert len(cluster.list("replicasets", "web")) == 1
    cluster.patch("deployments", "cart", "web", {"spec": {"paused": None}}, type="merge")
    await cluster.settle()
    images = {pod["spec"]["containers"][0]["image"] for pod in cluster.pods("web", "cart")}
    assert images == {"web/cart:v2"}


async def test_deleting_a_deployment_takes_its_pods_along(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=2))])
    cluster.delete("deployments", "cart", "web")
    await cluster.settle()
    assert cluster.list("replicasets", "web") == []
    assert cluster.list("pods", "web") == []
