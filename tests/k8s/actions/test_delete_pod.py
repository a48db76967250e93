"""The deletion of one pod: only where a controller will replace it, and never against a disruption budget."""

from typing import Any

import pytest

from k8s import catalogue, model
from tests.k8s import raw

POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")


def delete(kind: str = "Deployment") -> model.DeletePod:
    return model.DeletePod(pod=POD, workload=raw.ref(kind))


def target_of(pod: model.Json | None, kind: str = "Deployment", **more: Any) -> model.Target:
    more.setdefault("owner", raw.workload(kind))
    return raw.target(pod, of=POD, replicasets=(raw.replicaset(5, "web:1.5"),), **more)


def test_it_deletes_the_very_pod_that_was_seen() -> None:
    plan = catalogue.plan(delete(), target_of(raw.pod(ready=False)), raw.NOW)
    assert plan.operations == (model.Operation("delete", POD),)
    assert plan.pins == {"uid": "pod-1", "owner": "rs-5"}
    assert plan.kubectl == "kubectl -n payments delete pod/api-h5-a"
    assert plan.summary == (
        "Deletes pod api-h5-a, which is not ready now; Deployment payments/api puts a new one in its place."
    )
    assert plan.inverse is None
    assert plan.irreversible
    assert plan.blast.pods == 1


@pytest.mark.parametrize(
    ("kind", "owner", "ready", "risk", "note"),
    [
        ("Deployment", ("ReplicaSet", "rs-5"), False, "low", ""),
        ("Deployment", ("ReplicaSet", "rs-5"), True, "medium", ""),
        ("DaemonSet", ("DaemonSet", raw.OWNER_UID), False, "low", "same node, node-a"),
        ("StatefulSet", ("StatefulSet", raw.OWNER_UID), False, "medium", "same name and volumes"),
        ("ReplicaSet", ("ReplicaSet", raw.OWNER_UID), True, "medium", ""),
    ],
)
def test_the_risk_is_what_can_be_lost(kind: str, owner: tuple[str, str], ready: bool, risk: str, note: str) -> None:
    target = target_of(raw.pod(owner=owner, ready=ready), kind)
    assert catalogue.problems(delete(kind), target) == ()
    plan = catalogue.plan(delete(kind), target, raw.NOW)
    assert plan.risk == risk
    assert note in plan.blast.note
    assert bool(plan.blast.note) == bool(note)


@pytest.mark.parametrize(
    ("pod", "more", "said"),
    [
        (None, {}, "is gone"),
        (raw.pod(uid="another"), {}, "created anew"),
        (raw.pod(deletionTimestamp=raw.at(1)), {}, "is being deleted"),
        (raw.pod(owner=None), {}, "no controller"),
        (raw.pod(owner=("Node", "n")), {}, "static pod"),
        (raw.pod(annotations={"kubernetes.io/config.mirror": "x"}), {}, "static pod"),
        (raw.pod(owner=("Job", "j")), {}, "belongs to a Job"),
        (raw.pod(), {"owner": None}, "workload of pod payments/api-h5-a is gone"),
        (raw.pod(owner=("ReplicaSet", "rs-of-another")), {}, "is not a pod of Deployment payments/api"),
        (raw.pod(owner=("StatefulSet", "another")), {}, "is not a pod of"),
        (raw.pod(), {"owner": raw.workload(metadata={"uid": "another"})}, "was created anew"),
        (raw.pod(), {"owner": raw.workload(replicas=0)}, "no new pod would come"),
        (raw.pod(), {"owner": raw.workload(metadata={"deletionTimestamp": raw.at(1)})}, "no new pod would come"),
        (raw.pod(), {"headroom": 0}, "is ready, and PodDisruptionBudget "),
    ],
)
def test_what_stands_in_the_way_is_said(pod: model.Json | None, more: dict[str, Any], said: str) -> None:
    (problem,) = catalogue.problems(delete(), target_of(pod, **more))
    assert said in problem


def test_a_budget_without_headroom_does_not_hold_a_pod_that_is_not_ready() -> None:
    assert catalogue.problems(delete(), target_of(raw.pod(ready=False), headroom=0)) == ()
    assert catalogue.problems(delete(), target_of(raw.pod(), headroom=1)) == ()


def test_a_pod_whose_replica_set_belongs_to_another_deployment_is_left_alone() -> None:
    foreign = raw.replicaset(5, "web:1.5", owner="another")
    target = raw.target(raw.pod(), of=POD, owner=raw.workload(), replicasets=(foreign,))
    (problem,) = catalogue.problems(delete(), target)
    assert "is not a pod of" in problem


def test_it_counts_as_applied_once_the_pod_is_gone_going_or_another() -> None:
    plan = catalogue.plan(delete(), target_of(raw.pod()), raw.NOW)
    for pod, applied in [
        (raw.pod(), False),
        (None, True),
        (raw.pod(deletionTimestamp=raw.at(1)), True),
        (raw.pod(uid="another"), True),
    ]:
        assert catalogue.applied(plan.action, plan.operations, target_of(pod)) is applied


def test_a_pod_without_a_controller_has_no_owner_to_pin() -> None:
    assert catalogue.plan(delete(), target_of(raw.pod(owner=None)), raw.NOW).pins["owner"] == ""
