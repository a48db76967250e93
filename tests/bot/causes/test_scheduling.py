"""Pods that no node can take: what they lack, and when fewer of them or an undo helps."""

import pytest

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
