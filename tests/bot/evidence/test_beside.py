"""What is read beside the failing container, as pure texts: bounds, Services, owners, usage."""

from typing import Any

from bot.evidence import bounds, network, owners, using
from k8s import model
from tests.bot.evidence import examples


def named(name: str, **parts: Any) -> model.Json:
    return {"metadata": {"name": name, "namespace": "payments", **parts.pop("metadata", {})}, **parts}


# --- bounds


def test_nothing_bounds_what_has_no_bounds() -> None:
    assert bounds.tell(examples.target(), (), ()) is None


def test_a_full_quota_is_told_with_its_numbers_and_an_empty_one_in_a_word() -> None:
    full = named("team", status={"hard": {"pods": "10", "limits.cpu": "4"}, "used": {"pods": "10", "limits.cpu": "1"}})
    idle = named("rest", status={"hard": {"pods": "10"}, "used": {"pods": "1"}})
    piece = bounds.tell(None, (full, idle), ())
    assert piece is not None
    assert piece.body.splitlines() == ["quota team: pods 10 of 10", "quota rest: nothing of it is used to 80%"]


def test_autoscaler_budget_and_limit_range_are_a_line_each() -> None:
    conditions = [
        {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "gone"},
        {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange", "message": "fine"},
    ]
    autoscaler = named(
        "api", spec={"maxReplicas": 9}, status={"currentReplicas": 2, "desiredReplicas": 3, "conditions": conditions}
    )
    budget = named("api", status={"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2})
    limits = [{"type": "Container", "max": {"memory": "1Gi"}, "default": {"cpu": "1", "memory": "256Mi"}}]
    target = model.Target(examples.API, {}, examples.NOW, budgets=(budget,), autoscalers=(autoscaler,))
    piece = bounds.tell(target, (), (named("small", spec={"limits": limits}),))
    assert piece is not None
    assert piece.body.splitlines() == [
        "autoscaler api: 2 replicas now, wants 3, may have 1 to 9; ScalingActive=False (FailedGetResourceMetric: gone)",
        "disruption budget api: allows 0 disruptions now (2 healthy, 2 needed)",
        "limit range small, for each Container: at most memory 1Gi; limits by default cpu 1, memory 256Mi",
    ]


# --- network


def service(target: object = None, **selector: str) -> model.Json:
    port = {"port": 80} | ({} if target is None else {"targetPort": target})
    return named("api", spec={"selector": selector or {"app": "api"}, "ports": [port]})


def template(*ports: dict[str, Any]) -> model.Json:
    return {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "app", "ports": list(ports)}]}}


def slices(*ready: bool) -> model.Json:
    endpoints = [{"conditions": {"ready": each}} for each in ready]
    return named("api-x", metadata={"labels": {"kubernetes.io/service-name": "api"}}, endpoints=endpoints)


def test_a_service_in_front_is_told_with_its_ready_endpoints() -> None:
    piece = network.tell([service(8080)], [slices(True, False)], {"app": "api"}, template({"containerPort": 8080}))
    assert piece is not None
    assert piece.body == "Service api (80 to 8080): 1 of 2 endpoints ready"


def test_a_target_port_by_a_name_that_no_container_has_is_told() -> None:
    shown = template({"name": "web", "containerPort": 8080})
    piece = network.tell([service("http")], [], {"app": "api"}, shown)
    assert piece is not None
    assert "no container has a port named http" in piece.body


def test_a_number_that_is_not_declared_is_told_with_its_doubt() -> None:
    piece = network.tell([service(9090)], [], {"app": "api"}, template({"containerPort": 8080}))
    assert piece is not None
    assert "target port 9090 is not among the ports that the containers declare (8080)" in piece.body


def test_services_of_other_pods_are_nobodys_business_here() -> None:
    assert network.tell([service(app="web"), named("none", spec={})], [], {"app": "api"}, template()) is None


# --- owners


def test_a_plain_healthy_workload_has_nothing_to_tell_of_its_owners() -> None:
    conditions = [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True"}]
    assert owners.tell([{"kind": "Deployment", **named("api", status={"conditions": conditions})}]) is None
    assert owners.tell([]) is None


def test_conditions_that_are_not_well_are_told_and_who_keeps_the_object() -> None:
    conditions = [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "no"}]
    one = named(
        "api",
        metadata={"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:payments/api"}},
        spec={"paused": True},
        status={"conditions": conditions},
    )
    piece = owners.tell([{"kind": "Deployment", **one}])
    assert piece is not None
    assert piece.title == "Owners: Deployment api"
    assert piece.body.splitlines() == [
        "Deployment api: Available=False since an unknown time, MinimumReplicasUnavailable: no",
        "Deployment api: its rollout is paused",
        "Deployment api is kept by Argo CD shop: what is changed by hand may be put back",
    ]


def test_an_owner_of_a_kind_that_is_not_read_is_named() -> None:
    owner = [{"kind": "Rollout", "name": "api", "uid": "u", "controller": True}]
    piece = owners.tell([{"kind": "ReplicaSet", **named("api-5d", metadata={"ownerReferences": owner})}])
    assert piece is not None
    assert piece.body == "ReplicaSet api-5d belongs to Rollout api, which decides what it looks like"


# --- usage


def test_usage_is_told_against_request_and_limit_the_failing_container_first() -> None:
    resources = {"limits": {"memory": "256Mi", "cpu": "1"}, "requests": {"memory": "128Mi"}}
    containers = [{"name": "proxy"}, {"name": "app", "resources": resources}]
    pod = examples.pod(examples.status(), spec={"containers": containers})
    used = [
        {"name": "proxy", "usage": {"memory": "10Mi", "cpu": "5m"}},
        {"name": "app", "usage": {"memory": "243Mi", "cpu": "250000000n"}},
    ]
    piece = using.tell([named("api-5d-x", containers=used)], [pod], "app")
    assert piece is not None
    assert piece.body.splitlines() == [
        "api-5d-x, app: memory 243Mi of 256Mi (95%), requests 128Mi; cpu 250m of 1 (25%)",
        "api-5d-x, proxy: memory 10Mi, no limit; cpu 5m, no limit",
    ]


def test_without_metrics_of_its_pods_there_is_no_piece() -> None:
    assert using.tell([], [examples.pod(examples.status())], "app") is None
