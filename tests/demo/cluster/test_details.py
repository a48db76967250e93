"""Less common ways of the simulation: sidecars, exit 0, probes that turn, envFrom, partitions, budgets in percent."""

from typing import Any

from demo.cluster import Launch, Run, SimulatedCluster, programs, scenarios
from tests.demo.cluster.conftest import Raw, Start


def ready_replicas(cluster: SimulatedCluster, kind: str, name: str, namespace: str) -> int:
    return int(cluster.get(kind, name, namespace)["status"].get("readyReplicas", 0))


async def test_a_pod_that_turns_unready_leaves_the_endpoints_and_comes_not_back(start: Start) -> None:
    cluster = await start(speed=50)
    cluster.images.publish("web/app", "v1", program=lambda _: Run(ready_after=1.0, ready_until=20.0))
    cluster.apply(scenarios.service("app", "web"))
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", readiness=True))
    await cluster.wait_for(lambda: ready_replicas(cluster, "deployments", "app", "web") == 1)
    assert "addresses" in cluster.get("endpoints", "app", "web")["subsets"][0]
    await cluster.wait_for(lambda: ready_replicas(cluster, "deployments", "app", "web") == 0)
    assert "notReadyAddresses" in cluster.get("endpoints", "app", "web")["subsets"][0]
    assert cluster.events("web", "app", "Unhealthy")[0]["count"] >= 3


async def test_sidecars_start_before_the_main_container_and_keep_running(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/app", "v1")
    sidecar = scenarios.container("mesh", "web/app:v1", restartPolicy="Always")
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", pod={"initContainers": [sidecar]}))
    await cluster.settle()
    status = cluster.pods("web", "app")[0]["status"]
    assert status["phase"] == "Running"
    assert "running" in status["initContainerStatuses"][0]["state"]
    assert status["containerStatuses"][0]["ready"]


async def test_environment_comes_from_maps_secrets_and_fields(start: Start) -> None:
    seen: list[Launch] = []

    def program(launch: Launch) -> Run:
        seen.append(launch)
        return Run()

    cluster = await start()
    cluster.images.publish("web/app", "v1", program=program)
    cluster.apply(scenarios.config_map("settings", "web", COLOR="blue"))
    cluster.apply(scenarios.secret("keys", "web", TOKEN="c2VjcmV0"))
    sources: list[Any] = [
        {"prefix": "X_", "configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "absent", "optional": True}},
    ]
    env: dict[str, Any] = {
        "PLAIN": "1",
        "POD": {"fieldRef": {"fieldPath": "metadata.name"}},
        "NONE": {"secretKeyRef": {"name": "absent", "key": "x", "optional": True}},
        "LESS": {"configMapKeyRef": {"name": "settings", "key": "absent", "optional": True}},
    }
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", env=env, envFrom=sources, memory_limit="64Mi"))
    await cluster.settle()
    name = cluster.pods("web", "app")[0]["metadata"]["name"]
    assert seen[0].env == {"X_COLOR": "blue", "TOKEN": "secret", "PLAIN": "1", "POD": name}
    assert seen[0].memory_limit == 64 * programs.MIB


async def test_env_from_something_missing(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/app", "v1")
    sources = [{"secretRef": {"name": "absent"}}]
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1", envFrom=sources))
    await cluster.settle()
    waiting = cluster.pods("web", "app")[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "absent" not found'}


async def test_a_job_that_restarts_in_place_fails_at_its_limit(start: Start) -> None:
    cluster = await start(speed=100)
    cluster.images.publish("batch/task", "v1", program=programs.fails("no"))
    cluster.apply(scenarios.job("task", "batch", "batch/task:v1", restart_policy="OnFailure", backoff_limit=1))

    def conditions() -> list[tuple[str, str]]:
        status = cluster.get("jobs", "task", "batch")["status"]
        return [(each["type"], each["reason"]) for each in status.get("conditions") or []]

    await cluster.wait_for(lambda: bool(conditions()))
    assert conditions()[0] == ("FailureTarget", "BackoffLimitExceeded")
    await cluster.wait_for(lambda: len(conditions()) == 2)
    assert conditions()[1] == ("Failed", "BackoffLimitExceeded")
    assert cluster.pods("batch", "task") == []


async def test_stateful_set_partition_and_scaling_down(start: Start) -> None:
    cluster = await start(speed=60)
    cluster.images.publish("data/db", "v1", "v2")
    cluster.apply(scenarios.stateful_set("db", "data", "data/db:v1", replicas=3))
    await cluster.settle()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    template = {"spec": {"containers": [{"name": "db", "image": "data/db:v2"}]}}
    cluster.patch("statefulsets", "db", "data", {"spec": {"updateStrategy": strategy, "template": template}})
    await cluster.settle()
    images = [pod["spec"]["containers"][0]["image"] for pod in cluster.pods("data", "db")]
    assert images == ["data/db:v1", "data/db:v1", "data/db:v2"]
    cluster.delete("pods", "db-0", "data")
    await cluster.settle()
    assert cluster.get("pods", "db-0", "data")["spec"]["containers"][0]["image"] == "data/db:v1"
    cluster.patch("statefulsets", "db", "data", {"spec": {"replicas": 1}})
    await cluster.settle()
    assert [pod["metadata"]["name"] for pod in cluster.pods("data", "db")] == ["db-0"]


async def test_two_budgets_over_one_pod_and_percentages(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=4))])
    cluster.apply(scenarios.disruption_budget("half", "web", app="cart", minAvailable="50%"))
    await cluster.settle()
    status = cluster.get("pdb", "half", "web")["status"]
    assert (status["expectedPods"], status["desiredHealthy"], status["disruptionsAllowed"]) == (4, 2, 2)
    cluster.apply(scenarios.disruption_budget("more", "web", app="cart", maxUnavailable=1))
    await cluster.settle()
    name = cluster.pods("web", "cart")[0]["metadata"]["name"]
    answer = await raw(cluster, "POST", f"/api/v1/namespaces/web/pods/{name}/eviction", body={})
    assert (answer.status, answer.json["status"], answer.json["code"]) == (201, "Failure", 500)
    assert "more than one PodDisruptionBudget" in answer.json["message"]


async def test_unhealthy_pods_are_evicted_by_the_policy(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.readiness_failing()])
    cluster.apply(scenarios.disruption_budget("recommender", "shop", minAvailable=1))
    await cluster.settle()
    name = cluster.pods("shop", "recommender")[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/shop/pods/{name}/eviction"
    assert (await raw(cluster, "POST", path, body={})).status == 429
    cluster.patch("pdb", "recommender", "shop", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    await cluster.settle()
    assert (await raw(cluster, "POST", path, body={})).status == 201


async def test_a_quota_on_limits_wants_them_named(start: Start) -> None:
    cluster = await start()
    cluster.images.publish("web/app", "v1")
    cluster.apply(scenarios.quota("limits", "web", {"limits.memory": "1Gi", "pods": "5"}))
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1"))
    await cluster.wait_for(lambda: bool(cluster.events("web", "app", "FailedCreate")))
    message = cluster.events("web", "app", "FailedCreate")[0]["message"]
    assert message.endswith("failed quota: limits: must specify limits.memory for: app")
    assert cluster.get("quota", "limits", "web")["status"]["used"] == {"limits.memory": "0", "pods": "0"}


async def test_queries_that_make_no_sense_are_400(start: Start, raw: Raw) -> None:
    cluster = await start()
    for path in ("/api/v1/pods?limit=many", "/api/v1/pods?watch=1&resourceVersion=old", "/api/v1/pods?continue=x"):
        assert (await raw(cluster, "GET", path)).status == 400
    assert (await raw(cluster, "POST", "/api/v1/nodes/worker-1", user="admin", body={})).status == 405
    assert (await raw(cluster, "PUT", "/api/v1/pods", user="admin", body={})).status == 405
    assert (await raw(cluster, "POST", "/api/v1/pods", user="admin", body={})).status == 405


async def test_a_broken_controller_is_noticed_and_the_rest_goes_on(caplog: Any) -> None:
    class Broken:
        def keys(self, change: Any) -> list[tuple[str, str]]:
            return [("", "x")] if change.storage == "configmaps" and change.kind == "ADDED" else []

        def sync(self, key: tuple[str, str]) -> None:
            raise RuntimeError("broken on purpose")

    cluster = SimulatedCluster([scenarios.crash_loop()], speed=20)
    cluster.manager.add(Broken())
    async with cluster:
        await cluster.settle()
        assert {str(each) for each in cluster.manager.failures} == {"broken on purpose"}
        assert cluster.pods("payments", "api")
    assert "Broken failed" in caplog.text
