"""The scenarios: a healthy cluster is quiet, the demo shows its stories, history lies in the past."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.cluster import SimulatedCluster, programs, scenarios
from demo.cluster.objects import parse_time
from tests.demo.cluster.conftest import Start


def sick(cluster: SimulatedCluster) -> set[str]:
    """Namespaced names of everything that a person on call would look at."""
    found = set()
    for pod in cluster.list("pods"):
        phase, where = pod["status"]["phase"], pod["metadata"]["namespace"]
        statuses = pod["status"].get("containerStatuses") or []
        well = phase == "Succeeded" or (phase == "Running" and all(each["ready"] for each in statuses))
        if not well or any(each["restartCount"] for each in statuses):
            found.add(f"{where}/{pod['metadata']['labels']['app']}")
    for deployment in cluster.list("deployments"):
        if deployment["status"].get("unavailableReplicas"):
            found.add(f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}")
    return found


async def test_healthy_cluster_has_nothing_wrong(start: Start) -> None:
    cluster = await start("healthy")
    assert sick(cluster) == set()
    assert len(cluster.list("pods")) >= 25
    assert len({pod["metadata"]["namespace"] for pod in cluster.list("pods")}) >= 7
    assert [event for event in cluster.list("events") if event["type"] == "Warning"] == []


async def test_demo_shows_exactly_its_stories(start: Start) -> None:
    cluster = await start("demo")
    assert sick(cluster) == {
        "payments/api",
        "web/storefront",
        "search/indexer",
        "batch/report-builder",
        "batch/ledger-export",
        "shop/recommender",
    }


async def test_history_lies_in_the_past_and_nothing_in_the_future(start: Start) -> None:
    cluster = await start("demo")
    now = datetime.now(UTC) + timedelta(seconds=2)
    created = [parse_time(pod["metadata"]["creationTimestamp"]) for pod in cluster.list("pods")]
    assert min(created) < now - timedelta(days=10)
    assert max(created) < now
    stamps = [parse_time(event["lastTimestamp"] or event["eventTime"]) for event in cluster.list("events")]
    assert max(stamps) < now
    assert min(stamps) > now - timedelta(hours=1, seconds=10)
    broken = next(p for p in cluster.pods("web", "storefront") if p["status"]["phase"] == "Pending")
    age = now - parse_time(broken["metadata"]["creationTimestamp"])
    assert timedelta(minutes=5) < age < timedelta(minutes=7)


@pytest.mark.parametrize(
    "make",
    [
        scenarios.crash_loop,
        scenarios.bad_image,
        scenarios.oom,
        scenarios.unschedulable,
        scenarios.config_error,
        scenarios.init_failing,
        scenarios.readiness_failing,
        scenarios.liveness_failing,
        scenarios.rollout_stuck,
        scenarios.job_failed,
        scenarios.quota_exceeded,
    ],
)
async def test_pieces_can_join_a_running_cluster(start: Start, make: Any) -> None:
    cluster = await start(speed=100)
    await cluster.add(make())
    await cluster.wait_for(lambda: bool(sick(cluster)) or bool(cluster.events("media", "", "FailedCreate")))


async def test_the_planted_secret_is_made_up_at_run_time(start: Start) -> None:
    cluster = await start([scenarios.crash_loop()])
    log = cluster.kubelets.logs
    pod = cluster.pods("payments", "api")[0]
    container = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["containerID"]
    assert any(programs.DATABASE_URL in text for _, text in log.lines(container))


async def test_unknown_scenarios_are_refused() -> None:
    with pytest.raises(ValueError, match="no such scenario"):
        SimulatedCluster("nothing")
    with pytest.raises(ValueError, match="speed"):
        SimulatedCluster(speed=0)


async def test_serving_logs_grow_with_time(start: Start) -> None:
    cluster = await start([scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1"), ago=600)])
    container = cluster.pods("web", "cart")[0]["status"]["containerStatuses"][0]["containerID"]
    lines = cluster.kubelets.logs.lines(container)
    assert 50 < len(lines) < 70
    assert lines == sorted(lines, key=lambda line: line[0])


async def test_private_and_unreachable_registries(start: Start) -> None:
    cluster = await start(speed=50)
    cluster.images.publish("registry.corp.example/team/app", "v1")
    cluster.images.require_login("registry.corp.example")
    cluster.images.make_unreachable("mirror.corp.example")
    cluster.apply(
        scenarios.deployment(
            "a", "web", "registry.corp.example/team/app:v1", pod={"imagePullSecrets": [{"name": "regcred"}]}
        )
    )
    cluster.apply(scenarios.deployment("b", "web", "mirror.corp.example/team/app:v1"))
    cluster.apply(scenarios.deployment("c", "web", "Not:A:Name"))
    await cluster.wait_for(lambda: bool(cluster.events("web", "a", "Failed") and cluster.events("web", "b", "Failed")))
    assert "401 Unauthorized" in cluster.events("web", "a", "Failed")[0]["message"]
    assert "i/o timeout" in cluster.events("web", "b", "Failed")[0]["message"]
    waiting = cluster.pods("web", "c")[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "InvalidImageName"
    cluster.apply(scenarios.secret("regcred", "web", "kubernetes.io/dockerconfigjson"))
    await cluster.wait_for(lambda: cluster.get("deployments", "a", "web")["status"].get("readyReplicas") == 1)


async def test_a_command_that_cannot_be_started(start: Start) -> None:
    cluster = await start(speed=50)
    cluster.images.publish("web/app", "v1", program=programs.unstartable())
    cluster.apply(scenarios.deployment("app", "web", "web/app:v1"))
    await cluster.wait_for(lambda: bool(cluster.events("web", "app", "BackOff")))
    last = cluster.pods("web", "app")[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("StartError", 128)
