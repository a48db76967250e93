"""The restart of a rollout: what is written, how bad it can get, when it would do nothing."""

from datetime import timedelta, timezone
from typing import Any

import pytest

from k8s import catalogue, model
from tests.k8s import raw


def restart(kind: str = "Deployment", uid: str = raw.OWNER_UID) -> model.RolloutRestart:
    return model.RolloutRestart(raw.ref(kind, uid=uid))


def test_it_writes_the_time_of_the_plan_into_the_template_as_kubectl_does() -> None:
    plan = catalogue.plan(restart(), raw.target(raw.workload()), raw.NOW.astimezone(timezone(timedelta(hours=2))))
    (operation,) = plan.operations
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T03:00:00Z"}
    assert operation.body == {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    assert (operation.verb, operation.patch_type, operation.target) == ("patch", "merge", raw.API)
    assert plan.kubectl == "kubectl -n payments rollout restart deployment/api"
    assert plan.summary == "Restarts 3 pods of Deployment payments/api: each old pod kept until a new one is ready."
    assert plan.inverse is None
    assert plan.irreversible


def test_the_operation_is_pinned_to_the_uid_that_the_object_has_now() -> None:
    plan = catalogue.plan(restart(uid=""), raw.target(raw.workload()), raw.NOW)
    assert plan.operations[0].target.uid == raw.OWNER_UID
    assert plan.pins["uid"] == raw.OWNER_UID
    assert plan.pins["paused"] == "false"


def test_a_changed_template_moves_a_pin() -> None:
    one = catalogue.plan(restart(), raw.target(raw.workload()), raw.NOW)
    other = catalogue.plan(restart(), raw.target(raw.workload(template=raw.pod_template("web:2"))), raw.NOW)
    assert one.pins["template"] != other.pins["template"]


@pytest.mark.parametrize(
    ("kind", "made", "risk", "note"),
    [
        ("Deployment", {}, "low", ""),
        ("Deployment", {"replicas": 1, "ready": 1}, "medium", ""),
        ("Deployment", {"strategy": {"type": "Recreate"}}, "medium", "For a while no pod will be ready."),
        (
            "Deployment",
            {"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}},
            "medium",
            "For a while no pod will be ready.",
        ),
        ("Deployment", {"ready": 0}, "low", "Nothing is ready now, so nothing is lost."),
        ("StatefulSet", {}, "medium", ""),
        ("StatefulSet", {"ready": 0}, "low", "Nothing is ready now, so nothing is lost."),
        ("DaemonSet", {}, "medium", ""),
    ],
)
def test_the_risk_is_what_can_be_lost(kind: str, made: dict[str, Any], risk: str, note: str) -> None:
    plan = catalogue.plan(restart(kind), raw.target(raw.workload(kind, **made)), raw.NOW)
    assert (plan.risk, plan.blast.note) == (risk, note)


def test_the_blast_radius_tells_pods_readiness_and_headroom() -> None:
    plan = catalogue.plan(restart(), raw.target(raw.workload(ready=2), headroom=1), raw.NOW)
    assert plan.blast == model.BlastRadius(pods=3, ready=2, desired=3, headroom=1)


def test_a_partition_of_a_stateful_set_spares_its_lower_ordinals() -> None:
    staged = raw.workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 2}})
    plan = catalogue.plan(restart("StatefulSet"), raw.target(staged), raw.NOW)
    assert plan.blast.pods == 1
    assert plan.summary.startswith("Restarts 1 pod of StatefulSet")


@pytest.mark.parametrize(
    ("kind", "obj", "said"),
    [
        ("Deployment", None, "is gone"),
        ("Deployment", raw.workload(paused=True), "is paused"),
        ("Deployment", raw.workload(replicas=0, ready=0), "no pods to restart"),
        ("DaemonSet", raw.workload("DaemonSet", replicas=0, ready=0), "no pods to restart"),
        ("DaemonSet", raw.workload("DaemonSet", updateStrategy={"type": "OnDelete"}), "update strategy OnDelete"),
        ("StatefulSet", raw.workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 3}}), "partition 3"),
        ("Deployment", raw.workload(metadata={"deletionTimestamp": raw.at(1)}), "is being deleted"),
        ("Deployment", raw.workload(metadata={"uid": "another"}), "created anew"),
        ("Deployment", raw.workload(metadata={"uid": None}), "without a uid"),
        ("Deployment", {"spec": [], "metadata": "odd"}, "without a uid"),
    ],
)
def test_what_stands_in_the_way_is_said(kind: str, obj: model.Json | None, said: str) -> None:
    (problem,) = catalogue.problems(restart(kind), raw.target(obj))
    assert said in problem


def test_a_healthy_workload_has_no_problems() -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        assert catalogue.problems(restart(kind), raw.target(raw.workload(kind))) == ()


def test_it_counts_as_applied_only_once_the_target_has_this_very_time() -> None:
    target = raw.target(raw.workload())
    plan = catalogue.plan(restart(), target, raw.NOW)
    assert not catalogue.applied(plan.action, plan.operations, target)
    done = raw.pod_template()
    done["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T03:00:00Z"}
    assert catalogue.applied(plan.action, plan.operations, raw.target(raw.workload(template=done)))
    namesake = raw.workload(template=done, metadata={"uid": "another"})
    assert not catalogue.applied(plan.action, plan.operations, raw.target(namesake))
    assert not catalogue.applied(plan.action, plan.operations, raw.target(None))
    assert not catalogue.applied(plan.action, (), raw.target(raw.workload(template=done)))
