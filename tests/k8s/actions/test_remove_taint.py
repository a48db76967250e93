"""One taint of a node, by its key and its effect; those that tell of the node's state stay."""

from typing import Any

import pytest

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

NODE = examples.NODE
TAKE = model.RemoveTaint(NODE, "team", "NoSchedule")


def test_the_exact_taint_is_tested_and_removed() -> None:
    other = {"key": "team", "effect": "NoExecute"}
    plan = catalogue.plan(TAKE, examples.node(taints=[other, dict(examples.TAINT)]), raw.NOW)
    (operation,) = plan.operations
    path = "/spec/taints/1"
    steps: list[model.Json] = [{"op": "test", "path": path, "value": examples.TAINT}, {"op": "remove", "path": path}]
    assert operation == model.Operation("patch", NODE, "json", steps)
    assert plan.pins == {"uid": "node-1", "taint": "team=batch:NoSchedule"}
    assert plan.kubectl == "kubectl taint nodes node-a team:NoSchedule-"
    assert plan.irreversible == "It is put back by hand: kubectl taint nodes node-a team=batch:NoSchedule."


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("node.kubernetes.io/unreachable", "the cluster puts it back"),
        ("karpenter.sh/disrupted", "is about to go"),
        ("gpu", "has no taint gpu:NoSchedule"),
    ],
)
def test_a_taint_that_tells_of_the_node_stays(key: str, why: str) -> None:
    taints = [] if key == "gpu" else [{"key": key, "effect": "NoSchedule"}]
    (problem,) = catalogue.problems(model.RemoveTaint(NODE, key, "NoSchedule"), examples.node(taints=taints))
    assert why in problem


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"key": "a b"}, "key"),
        ({"key": "/x"}, "key"),
        ({"effect": "Never"}, "effect"),
        ({"workload": {"kind": "Node", "namespace": "x", "name": "node-a"}}, "workload.namespace"),
    ],
)
def test_a_taint_has_a_key_and_an_effect(changed: dict[str, Any], field: str) -> None:
    ref = {"kind": "Node", "namespace": "", "name": "node-a"}
    tree = {"action": "remove-taint", "workload": ref, "key": "example.com/team", "effect": "NoSchedule"}
    catalogue.decode(tree)
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, **changed})
    assert caught.value.field == field
