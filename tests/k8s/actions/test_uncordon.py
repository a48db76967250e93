"""Uncordoning a node: what somebody did on purpose is not undone lightly."""

import pytest

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

NODE = examples.NODE


@pytest.mark.parametrize(("ready", "note"), [("True", ""), ("Unknown", "The node is not ready now.")])
def test_it_is_a_patch_of_one_field_and_there_is_a_way_back(ready: str, note: str) -> None:
    plan = catalogue.plan(model.Uncordon(NODE), examples.node(ready=ready, unschedulable=True), raw.NOW)
    assert plan.operations == (model.Operation("patch", NODE, "merge", {"spec": {"unschedulable": False}}),)
    assert (plan.risk, plan.inverse, plan.blast.note) == ("medium", model.Cordon(NODE), note)
    assert plan.kubectl == "kubectl uncordon node-a"


def test_what_is_so_already_is_not_done() -> None:
    action, remedy = model.Uncordon(NODE), catalogue.REMEDIES["uncordon"]
    assert catalogue.problems(action, examples.node()) == ("Node node-a is not cordoned.",)
    assert remedy.overridden(action, examples.node(unschedulable=True)) == "node-a was cordoned since."
