"""Cordoning a node: in no namespace, and in nobody's scope but its own."""

from k8s import catalogue, guardrails, model
from tests.k8s import raw
from tests.k8s.actions import examples

NODE = examples.NODE


def test_it_is_a_patch_of_one_field_and_there_is_a_way_back() -> None:
    plan = catalogue.plan(model.Cordon(NODE), examples.node(), raw.NOW)
    assert plan.operations == (model.Operation("patch", NODE, "merge", {"spec": {"unschedulable": True}}),)
    assert (plan.risk, plan.inverse, plan.blast.pods) == ("medium", model.Uncordon(NODE), 0)
    assert plan.kubectl == "kubectl cordon node-a"


def test_what_is_so_already_is_not_done() -> None:
    action, remedy = model.Cordon(NODE), catalogue.REMEDIES["cordon"]
    assert catalogue.problems(action, examples.node(unschedulable=True)) == ("Node node-a is cordoned already.",)
    assert catalogue.problems(action, raw.target(None, of=NODE)) == ("Node node-a is gone.",)
    assert remedy.overridden(action, examples.node()) == "node-a was uncordoned since."


def test_a_rule_for_namespaces_does_not_speak_of_nodes_and_protection_of_the_node_does() -> None:
    marked = examples.node()
    assert marked.object is not None
    marked.object["metadata"]["annotations"] = {"watchkeeper.io/protected": "true"}
    for target, allowed in ((examples.node(), True), (marked, False)):
        verdict = guardrails.judge(
            model.Cordon(NODE),
            catalogue.plan(model.Cordon(NODE), target, raw.NOW),
            target,
            subject=NODE,
            policy=guardrails.Policy(approvers=("U1",)),
            history=guardrails.History(),
            mode="approve",
            now=raw.NOW,
        )
        assert verdict.allowed == allowed, verdict.reasons
        assert verdict.warnings == ()
