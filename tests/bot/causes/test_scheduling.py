"""Pods that no node can take: what they lack, and when fewer of them or an undo helps."""

from dataclasses import replace

import pytest

from bot.domain import diagnoses
from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_what_no_node_can_take_since_a_rollout_asked_for_more_is_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("Unschedulable", facts={"class": "cpu"}),
        d.dossier("scheduling", "rollout", facts=d.rolled_out("cpu request 1 → 64")),
        d.NOW,
    )
    assert (found.confidence, d.actions(found)) == ("high", [model.RolloutUndo(d.API, 3)])


def test_replicas_that_all_fit_before_are_not_scaled_below_what_is_ready() -> None:
    found = diagnosing.diagnose(
        d.problem("Unschedulable", ready=9, facts={"class": "cpu"}),
        d.dossier("scheduling", facts={"scaled_from": "3", "scaled_to": "9"}),
        d.NOW,
    )
    assert d.actions(found) == []


def test_what_no_node_can_take_is_for_a_person() -> None:
    found = diagnosing.diagnose(d.problem("Unschedulable", facts={"class": "cpu"}), d.dossier("scheduling"), d.NOW)
    assert d.actions(found) == []
    assert "Ask for less cpu" in found.next_step


def test_what_a_pod_asks_for_is_told_beside_what_the_nodes_have() -> None:
    facts = {
        "room": "worker-1 has most free: 250m of its 4 CPU",
        "kept_off": "It does not tolerate a:NoSchedule (node b).",
    }
    found = diagnosing.diagnose(
        d.problem("Unschedulable", facts={"class": "cpu"}), d.dossier("events", "scheduling", facts=facts), d.NOW
    )
    assert found.cause == (
        "Container app of pod api-5d-x shows Unschedulable [E1]. worker-1 has most free: 250m of its 4 CPU [E2]. "
        "It does not tolerate a:NoSchedule (node b) [E2]."
    )


def test_what_is_larger_than_any_node_needs_a_larger_one() -> None:
    facts = {"room": "The largest node, worker-1, holds 4 CPU in all", "room_never": "true"}
    found = diagnosing.diagnose(
        d.problem("Unschedulable", facts={"class": "cpu"}), d.dossier("scheduling", facts=facts), d.NOW
    )
    assert "It fits on no node, even an empty one: the largest node, worker-1, holds 4 CPU in all [E1]." in found.cause
    assert found.next_step == "Ask for less cpu, or add a larger node."


@pytest.mark.parametrize(("kind", "scaled"), [("gpu", True), ("affinity", True), ("ports", True), ("pvc", False)])
def test_more_replicas_than_fit_are_scaled_back_whatever_they_lack_but_a_volume(kind: str, scaled: bool) -> None:
    found = diagnosing.diagnose(
        d.problem("Unschedulable", ready=3, facts={"class": kind}),
        d.dossier("events", facts={"scaled_from": "3", "scaled_to": "9"}),
        d.NOW,
    )
    assert (d.actions(found) == [model.Scale(d.API, 3)]) == scaled


def test_replicas_beyond_what_the_cluster_holds_may_be_scaled_back() -> None:
    found = diagnosing.diagnose(
        d.problem("Unschedulable", ready=3, facts={"class": "cpu"}),
        d.dossier("events", "scheduling", facts={"scaled_from": "3", "scaled_to": "9"}),
        d.NOW,
    )
    assert d.actions(found) == [model.Scale(d.API, 3)]
    assert found.confidence == "medium"


def rolled(diff: str, template: model.Json | None = None, kind: str = "memory") -> diagnoses.Diagnosis:
    dossier = d.dossier("scheduling", "rollout", facts=d.rolled_out(diff))
    if template is not None:
        obj = {"metadata": {"name": "api"}, "spec": {"template": template}}
        dossier = replace(dossier, target=model.Target(d.API, obj, d.NOW))
    return diagnosing.diagnose(d.problem("Unschedulable", facts={"class": kind}), dossier, d.NOW)


@pytest.mark.parametrize(
    ("diff", "kind"),
    [
        ("env MEMORY_CACHE changed", "memory"),
        ("cpu-agent: image: a:1 → a:2", "cpu"),
        ("volume flags added (ConfigMap flags)", "memory"),
        ("label affinity changed", "affinity"),
        ("memory limit 1Gi → 2Gi", "memory"),
    ],
)
def test_a_change_that_only_sounds_like_what_a_node_must_have_is_not_blamed(diff: str, kind: str) -> None:
    asks = {"spec": {"containers": [{"name": "app", "resources": {"requests": {"memory": "1Gi"}}}]}}
    found = rolled(diff, asks, kind)
    assert d.actions(found) == []
    assert "The last rollout" not in found.cause


@pytest.mark.parametrize(
    ("diff", "kind"),
    [
        ("app: memory request 1Gi → 2Gi", "memory"),
        ("memory limit 1Gi → 2Gi", "memory"),
        ("tolerations removed", "taint"),
        ("topologySpreadConstraints added", "affinity"),
        ("container agent added", "cpu"),
        ("port 80/TCP added", "ports"),
        ("volume data changed (claim data)", "pvc"),
    ],
)
def test_a_change_of_what_a_node_must_have_is_undone(diff: str, kind: str) -> None:
    found = rolled(diff, {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "2Gi"}}}]}}, kind)
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]
