"""The eviction of one pod: only where a controller will replace it; the server asks its budget."""

from dataclasses import replace

import pytest

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

EVICT = model.EvictPod(pod=examples.POD, workload=raw.API)


def target_of(pod: model.Json | None, *budgets: str) -> model.Target:
    found = raw.target(pod, of=examples.POD, owner=raw.workload(), replicasets=(raw.replicaset(5, "web:1.5"),))
    listed = tuple({"metadata": {"name": name}, "status": {"disruptionsAllowed": 0}} for name in budgets)
    return replace(found, budgets=listed)


def test_it_asks_for_the_very_pod_that_was_seen() -> None:
    plan = catalogue.plan(EVICT, target_of(raw.pod()), raw.NOW)
    assert plan.operations == (model.Operation("evict", examples.POD),)
    assert plan.pins == {"uid": "pod-1", "owner": "rs-5"}
    assert plan.kubectl == "kubectl -n payments create --raw /api/v1/namespaces/payments/pods/api-h5-a/eviction -f -"
    assert (plan.risk, plan.blast.pods, plan.inverse) == ("medium", 1, None)
    assert plan.summary.startswith("Evicts pod api-h5-a, which is ready now, as far as its disruption budget allows;")


def test_a_budget_without_room_is_for_the_server_to_tell() -> None:
    assert catalogue.problems(EVICT, target_of(raw.pod(), "api")) == ()


def test_a_pod_of_two_budgets_cannot_be_evicted() -> None:
    (problem,) = catalogue.problems(EVICT, target_of(raw.pod(), "api", "all"))
    assert "more than one PodDisruptionBudget (api, all)" in problem


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (None, "is gone"),
        (raw.pod(owner=None), "has no controller"),
        (raw.pod(owner=("Job", "job-1")), "belongs to a Job"),
        (raw.pod(owner=("ReplicaSet", "rs-9")), "is not a pod of Deployment payments/api"),
        (raw.pod(uid="pod-2"), "created anew"),
        (raw.pod(deletionTimestamp=raw.at(1)), "is being deleted"),
    ],
)
def test_what_nothing_would_put_back_is_not_evicted(pod: model.Json | None, why: str) -> None:
    (problem,) = catalogue.problems(EVICT, target_of(pod))
    assert why in problem
