"""The small parts by themselves: quantities, selectors, rollout arithmetic, time, events, images."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.controllers import rollout
from demo.cluster.controllers.revisions import template_hash
from demo.cluster.images import PullError, canonical
from demo.cluster.objects import format_cpu, int_or_percent, quantity
from demo.cluster.selectors import format_selector, matches
from demo.cluster.timeline import Timeline
from tests.demo.cluster.conftest import Start


@pytest.mark.parametrize(
    ("text", "value"), [("250m", 0.25), ("64Mi", 67108864.0), ("2", 2.0), ("1k", 1000.0), ("1Gi", 2.0**30)]
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


def test_quantities_that_are_none() -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        quantity("4MiKi")
    assert [format_cpu(0.25), format_cpu(2.0)] == ["250m", "2"]
    assert int_or_percent("25%", 10, round_up=True) == 3
    assert int_or_percent("25%", 10, round_up=False) == 2
    assert int_or_percent(4, 10, round_up=False) == 4


def test_label_selectors_of_objects() -> None:
    expressions: list[dict[str, Any]] = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "x", "operator": "NotIn", "values": ["1"]},
        {"key": "app", "operator": "Exists"},
    ]
    selector = {"matchLabels": {"app": "api"}, "matchExpressions": expressions}
    assert matches(selector, {"app": "api", "tier": "a"})
    assert not matches(selector, {"app": "api", "tier": "c"})
    assert not matches(selector, {"app": "api", "tier": "a", "old": ""})
    assert not matches(None, {})
    assert matches({}, {"any": "thing"})
    assert format_selector(selector) == "app=api,tier in (a,b),!old,x notin (1),app"


def sized(uid: str, replicas: int, available: int, created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    metadata = {
        "uid": uid,
        "creationTimestamp": created,
        "annotations": {"deployment.kubernetes.io/max-replicas": "13"},
    }
    return {"metadata": metadata, "spec": {"replicas": replicas}, "status": {"availableReplicas": available}}


def rolling(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return {"spec": {"replicas": replicas, "strategy": strategy}}


def test_rolling_update_arithmetic() -> None:
    deployment = rolling(10)
    assert (rollout.max_surge(deployment), rollout.max_unavailable(deployment)) == (3, 2)
    assert rollout.max_unavailable(rolling(3, 0, 0)) == 1
    old = sized("old", 10, 10)
    assert rollout.new_size(deployment, [old], 0) == 3
    assert rollout.shrink_old(deployment, sized("new", 3, 0), [old]) == [(old, 8)]
    assert rollout.shrink_old(deployment, sized("new", 5, 0), [sized("old", 8, 8)]) == []
    unhealthy = sized("old", 10, 7)
    assert rollout.shrink_old(deployment, sized("new", 3, 0), [unhealthy]) == [(unhealthy, 8)]
    assert rollout.new_size({"spec": {"replicas": 4, "strategy": {"type": "Recreate"}}}, [], 0) == 4


def test_proportional_scaling_shares_the_difference() -> None:
    """The example of the Deployment page: 10 replicas in a rollout (8 old, 5 new) are scaled to 15."""
    sizes = rollout.proportional_sizes(
        rolling(15, 3, 2), [sized("old", 8, 8), sized("new", 5, 0, "2026-01-02T00:00:00Z")]
    )
    assert sum(sizes.values()) == 18
    assert sizes == {"old": 11, "new": 7}


def test_the_same_template_has_the_same_hash_with_or_without_its_hash_label() -> None:
    template = {"metadata": {"labels": {"app": "a"}, "creationTimestamp": None}, "spec": {"containers": []}}
    labelled = {"metadata": {"labels": {"app": "a", "pod-template-hash": "x"}}, "spec": {"containers": []}}
    assert template_hash(template) == template_hash(labelled)


def test_image_references() -> None:
    assert canonical("nginx") == ("docker.io/library/nginx", "latest")
    assert canonical("team/app:v1") == ("docker.io/team/app", "v1")
    assert canonical("registry.corp:5000/team/app:v1") == ("registry.corp:5000/team/app", "v1")
    assert canonical("Upper/Case") is None
    images = SimulatedCluster().images
    refused = images.pull("nowhere/at-all:v1")
    assert isinstance(refused, PullError)
    assert "pull access denied" in refused.message
    with pytest.raises(ValueError, match="not a repository"):
        images.publish("Not OK")


def test_history_is_played_in_order_with_timestamps_of_the_past() -> None:
    end = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    timeline = Timeline(4.0, lambda: end)
    timeline.begin_history(100)
    seen: list[tuple[str, datetime]] = []
    timeline.later(50, lambda: seen.append(("b", timeline.now())))
    timeline.later(10, lambda: seen.append(("a", timeline.now())))
    timeline.later(20, lambda: seen.append(("never", timeline.now()))).cancel()
    timeline.later(300, lambda: seen.append(("future", timeline.now())))
    timeline.run_history(100)
    assert seen == [("a", end - timedelta(seconds=90)), ("b", end - timedelta(seconds=50))]
    assert timeline.now() == end
    assert timeline.since(end - timedelta(seconds=30)) == pytest.approx(30)
    assert timeline.pending(250)
    assert not timeline.pending(100)


async def test_chatty_sources_are_held_back(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1"), ago=60)])
    pod = cluster.pods("web", "cart")[0]
    for _ in range(60):
        cluster.recorder.event("pods", pod, "BackOff", "again", ("kubelet", "worker-1"))
    assert cluster.events("web", "cart", "BackOff")[0]["count"] <= 25


async def test_old_replica_sets_go_beyond_the_history_limit(start: Start) -> None:
    manifest = scenarios.deployment("cart", "web", "web/cart:v0")
    manifest["spec"]["revisionHistoryLimit"] = 2
    cluster = await start([scenarios.running(manifest)], speed=100)
    tags = [f"v{number}" for number in range(1, 6)]
    cluster.images.publish("web/cart", *tags)
    for tag in tags:
        container = {"name": "cart", "image": f"web/cart:{tag}"}
        cluster.patch("deployments", "cart", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
        await cluster.settle()
    assert len(cluster.list("replicasets", "web")) == 3


async def test_autoscaler_takes_its_replicas_back(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=3))], speed=60)
    cluster.apply(scenarios.autoscaler("cart", "web", least=2, most=4))
    cluster.apply(scenarios.autoscaler("ghost", "web"))
    await cluster.settle()
    assert cluster.get("hpa", "cart", "web")["status"]["desiredReplicas"] == 3
    assert cluster.get("hpa", "ghost", "web")["status"]["conditions"][0]["reason"] == "FailedGetScale"
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 1}})
    await cluster.wait_for(lambda: cluster.get("deployments", "cart", "web")["spec"]["replicas"] == 2)
    assert cluster.events("web", "cart", "SuccessfulRescale")


async def test_a_deleted_namespace_empties_itself(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1"))])
    assert cluster.get("configmaps", "kube-root-ca.crt", "web")
    cluster.delete("namespaces", "web")
    assert cluster.get("namespaces", "web")["status"]["phase"] == "Terminating"
    await cluster.settle()
    assert cluster.find("namespaces", "web") is None
    assert cluster.list("pods", "web") == cluster.list("deployments", "web") == []


def test_a_seed_decides_the_names() -> None:
    first, second = SimulatedCluster(seed=1), SimulatedCluster(seed=2)
    assert first.store.new_uid() != second.store.new_uid()
    assert first.token("reader") != second.token("reader")
