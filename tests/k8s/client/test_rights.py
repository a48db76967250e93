"""Which rights an action takes, and how one that is missing is told."""

import pytest

from k8s import catalogue, model
from k8s.client import rights
from tests.k8s import raw


def refusal(rest: str) -> str:
    return f'deployments.apps "api" is forbidden: User "system:serviceaccount:watchkeeper:writer" {rest}'


@pytest.mark.parametrize(
    ("message", "right"),
    [
        (
            refusal('cannot patch resource "deployments" in API group "apps" in the namespace "payments"'),
            rights.Right("patch", "deployments", "apps", "payments"),
        ),
        (
            refusal('cannot patch resource "deployments/scale" in API group "apps" in the namespace "payments"'),
            rights.Right("patch", "deployments/scale", "apps", "payments"),
        ),
        (
            refusal('cannot delete resource "pods" in API group "" in the namespace "payments"'),
            rights.Right("delete", "pods", "", "payments"),
        ),
        (
            refusal('cannot list resource "nodes" in API group "" at the cluster scope'),
            rights.Right("list", "nodes"),
        ),
        (refusal('cannot get path "/metrics"'), None),
        ("pods are forbidden: exceeded quota: few", None),
    ],
)
def test_a_servers_refusal_names_the_right(message: str, right: rights.Right | None) -> None:
    assert rights.refused(message) == right


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ([rights.Right("delete", "pods", "", "web")], "delete pods in namespace web"),
        ([rights.Right("patch", "deployments/scale", "apps", "web")], "patch deployments.apps/scale in namespace web"),
        ([rights.Right("list", "nodes")], "list nodes in the cluster"),
        (
            [
                rights.Right("patch", "deployments", "apps", "web"),
                rights.Right("get", "deployments", "apps", "web"),
                rights.Right("list", "pods", "", "web"),
            ],
            "patch deployments.apps, get deployments.apps or list pods in namespace web",
        ),
    ],
)
def test_what_is_missing_is_one_plain_sentence(lacking: list[rights.Right], told: str) -> None:
    assert rights.missing(lacking) == f"The bot's writing identity may not {told}."


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_what_comes_from_an_earlier_revision_takes_the_right_to_list_them(kind: str) -> None:
    action = model.RolloutUndo(raw.ref(kind), 2)
    plan = catalogue.plan(action, raw.stuck(kind), raw.NOW)
    plural = f"{kind.lower()}s"
    assert [str(each) for each in rights.needed(action, plan.operations)] == [
        f"patch {plural}.apps",
        f"get {plural}.apps",
        "list pods",
        "list controllerrevisions.apps",
    ]


def test_a_pod_takes_the_rights_to_delete_and_read_it_and_to_read_its_workload() -> None:
    pod = raw.pod(ready=False, owner=("ReplicaSet", raw.OWNER_UID))
    ref = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
    action = model.DeletePod(pod=ref, workload=raw.ref("ReplicaSet"))
    target = raw.target(pod, of=ref, owner=raw.workload("ReplicaSet"))
    plan = catalogue.plan(action, target, raw.NOW)
    assert [str(each) for each in rights.needed(action, plan.operations)] == [
        "delete pods",
        "get pods",
        "get replicasets.apps",
        "list pods",
    ]
