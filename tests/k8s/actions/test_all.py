"""What holds for every remedy of the catalogue: its shape and no other, its way back, its words, its rights."""

import copy
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from demo.cluster import patches
from k8s import catalogue, guardrails, kubectl, model, names, scopes, verification
from k8s.client import rights
from tests.k8s import raw
from tests.k8s.actions import examples

PAGE = Path(__file__).resolve().parents[3] / "docs" / "actions.md"
NAMES = sorted(catalogue.REMEDIES)
ENDING = ("delete-pod", "evict-pod", "force-delete-pod", "delete-job", "restart-on-node")
"""What is done when the object is gone."""
CREATING = ("run-cronjob", "rerun-job")
CHECKS: Mapping[model.Check, str] = {
    "rollout": "rolled out",
    "replaced": "replaced",
    "replicas": "number of replicas",
    "field": "field",
    "gone": "gone",
    "job": "complete",
    "drained": "pods are gone",
    "resized": "runs with what was set",
}


ALIKE = ({"delete-pod", "restart-on-node"}, {"cordon", "drain"})
"""They write the very same and differ in what is asked before: an ordinary delete of one pod, the first step of a
drain."""
STEPS = (("drain", "evict-pod"),)
"""What the first does in its later steps is what the second does once. A drain takes an eviction for its own of a pod
that it names alone, uid and all (test_drain.py), and the approved action says which of the two it is."""
UNSEEN = ("exec-command",)
"""What leaves nothing that could be looked for."""


def rows() -> Mapping[str, list[str]]:
    found = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in found}


def planned(name: str) -> model.Plan:
    example = examples.EXAMPLES[name]
    assert catalogue.problems(example.action, example.target) == ()
    return catalogue.plan(example.action, example.target, raw.NOW)


def after(name: str) -> model.Target:
    """The target as an API server would leave it."""
    target = examples.EXAMPLES[name].target
    if name in ENDING:
        return replace(target, object=None)
    if name == "drain":
        return replace(target, object=written(name), pods=())
    if name in CREATING:
        (operation,) = planned(name).operations
        assert isinstance(operation.body, dict)
        stamped = {**operation.body["metadata"], "uid": "new", "creationTimestamp": raw.at(0)}
        return replace(target, extras=(*target.extras, {**operation.body, "metadata": stamped}))
    return target if name in UNSEEN else replace(target, object=written(name))


def written(name: str) -> model.Json:
    """The target's object as an API server would leave it."""
    operation = planned(name).operations[0]
    content = "application/json-patch+json" if operation.patch_type == "json" else "application/merge-patch+json"
    obj = examples.EXAMPLES[name].target.object
    assert obj is not None
    return patches.apply_patch(copy.deepcopy(obj), operation.body, content)


def test_every_remedy_has_an_example() -> None:
    assert sorted(examples.EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_lets_the_example_be_done_within_its_own_incident_alone(name: str) -> None:
    example, plan = examples.EXAMPLES[name], planned(name)
    for subject, allowed in ((example.action.workload, True), (raw.ref(name="other", uid="other"), False)):
        verdict = guardrails.judge(
            example.action,
            plan,
            example.target,
            subject=subject,
            policy=guardrails.Policy(approvers=("U1", "U2"), commands=examples.LISTED),
            history=guardrails.History(),
            mode="approve",
            now=raw.NOW,
        )
        assert verdict.allowed == allowed, verdict.reasons


@pytest.mark.parametrize("name", NAMES)
def test_no_other_remedy_takes_its_operation_for_one_of_its_own(name: str) -> None:
    example, operation = examples.EXAMPLES[name], planned(name).operations[0]
    for other, remedy in catalogue.REMEDIES.items():
        own = other == name or {other, name} in ALIKE or (other, name) in STEPS
        assert remedy.shaped(operation, examples.EXAMPLES[other].action) == own, other
    assert catalogue.remedy_for(example.action).needs(example.action).object.same(operation.target)


@pytest.mark.parametrize("name", NAMES)
def test_anything_more_in_the_operation_is_refused(name: str) -> None:
    example, operation = examples.EXAMPLES[name], planned(name).operations[0]
    extra = {"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}
    odd: list[object] = [{}, [], None, {"spec": {"replicas": 0}}, [extra], [None]]
    if isinstance(operation.body, list):
        odd += [[*operation.body, extra], [extra, *operation.body], [operation.body[0], *operation.body]]
        odd += [[*operation.body[:-1], {**operation.body[-1], "path": "/spec/template/spec/serviceAccountName"}]]
        odd += [[*operation.body[:-1], {**operation.body[-1], "op": "copy", "from": "/metadata"}]]
    elif isinstance(operation.body, dict):
        odd += [{**operation.body, "metadata": {"labels": {"a": "b"}}}]
        odd += [{"spec": {**operation.body.get("spec", {}), "minReadySeconds": 1}}]
        odd += [{**operation.body, "spec": {"minReadySeconds": 1}}]
    for body in odd:
        if body == operation.body:
            continue
        forged = msgspec.structs.replace(operation, body=body)
        assert scopes.faults(example.action, (forged,), example.target, example.action.workload), body


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_counts_as_applied_and_what_was_not_does_not(name: str) -> None:
    example, plan = examples.EXAMPLES[name], planned(name)
    if name in UNSEEN:
        assert not catalogue.REMEDIES[name].seen
        assert not catalogue.applied(example.action, plan.operations, example.target)
        return
    there = after(name)
    assert catalogue.applied(example.action, plan.operations, there)
    assert not catalogue.applied(example.action, plan.operations, example.target)
    if name not in ENDING:
        assert there.object is not None
        stranger = {**there.object, "metadata": {**there.object["metadata"], "uid": "another"}}
        for other in (None, stranger):
            found = catalogue.applied(example.action, plan.operations, replace(there, object=other))
            assert found == (name == "remove-finalizer"), "what only ends something is done where it is gone"


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_not_taken_for_overridden(name: str) -> None:
    example, remedy = examples.EXAMPLES[name], catalogue.REMEDIES[name]
    if name not in ENDING:
        assert remedy.overridden(example.action, after(name)) == ""


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_way_back_or_a_reason_why_not(name: str) -> None:
    plan = planned(name)
    assert (plan.inverse is None) == bool(plan.irreversible)
    if plan.inverse is not None:
        assert catalogue.decode(msgspec.json.encode(plan.inverse)) == plan.inverse


@pytest.mark.parametrize("name", NAMES)
def test_it_is_pinned_to_the_object_and_says_what_it_does(name: str) -> None:
    example, plan = examples.EXAMPLES[name], planned(name)
    assert plan.pins["uid"] == (example.target.object or {})["metadata"]["uid"]
    assert plan.summary.endswith(".")
    assert plan.blast.note == "" or plan.blast.note.endswith(".")
    body = plan.operations[0].body
    created = body["metadata"]["name"] if name in CREATING and isinstance(body, dict) else ""
    assert shlex.split(plan.kubectl) == list(kubectl.argv(example.action, created=created))
    assert names.NEW not in plan.kubectl
    placed = "kubectl -n payments " if example.action.workload.namespace else "kubectl "
    assert plan.kubectl.startswith(placed)


WRITES: Mapping[str, str] = {
    "delete-pod": "delete pods",
    "evict-pod": "create pods/eviction",
    "force-delete-pod": "delete pods",
    "restart-on-node": "delete pods",
    "exec-command": "create pods/exec",
    "resize-pod": "patch pods/resize",
    "remove-finalizer": "patch pods",
    "scale": "patch deployments.apps/scale",
    "set-autoscaler": "patch horizontalpodautoscalers.autoscaling",
    "suspend-cronjob": "patch cronjobs.batch",
    "resume-cronjob": "patch cronjobs.batch",
    "run-cronjob": "create jobs.batch",
    "rerun-job": "create jobs.batch",
    "delete-job": "delete jobs.batch",
    "cordon": "patch nodes",
    "uncordon": "patch nodes",
    "drain": "patch nodes, create pods/eviction",
    "remove-taint": "patch nodes",
}
_OF_PODS = {"get pods", "get deployments.apps", "list pods", "list replicasets.apps"}
READS: Mapping[str, set[str]] = {
    "delete-pod": _OF_PODS,
    "evict-pod": _OF_PODS,
    "resize-pod": _OF_PODS,
    "remove-finalizer": _OF_PODS,
    "force-delete-pod": {*_OF_PODS, "get nodes"},
    "restart-on-node": {"get pods", "get daemonsets.apps", "list pods", "get nodes"},
    "exec-command": {*_OF_PODS, "get pods/exec"},
    "set-autoscaler": {"get horizontalpodautoscalers.autoscaling", "get deployments.apps"},
    "suspend-cronjob": {"get cronjobs.batch"},
    "resume-cronjob": {"get cronjobs.batch"},
    "run-cronjob": {"get cronjobs.batch", "list jobs.batch"},
    "rerun-job": {"get jobs.batch", "list jobs.batch"},
    "delete-job": {"get jobs.batch", "get cronjobs.batch"},
    "cordon": {"get nodes"},
    "uncordon": {"get nodes"},
    "drain": {"get nodes", "list nodes", "list pods", "get replicasets.apps", "get statefulsets.apps"},
    "remove-taint": {"get nodes"},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_rights_that_it_takes_are_to_write_and_to_read_again(name: str) -> None:
    example, plan = examples.EXAMPLES[name], planned(name)
    told = {str(each) for each in rights.needed(example.action, plan.operations)}
    reads = READS.get(name, {"get deployments.apps", "list pods", "list replicasets.apps"})
    assert told == {*WRITES.get(name, "patch deployments.apps").split(", "), *reads}


@pytest.mark.parametrize("name", NAMES)
def test_a_success_test_is_known_for_it(name: str) -> None:
    example = examples.EXAMPLES[name]
    found = verification.assess(
        example.action,
        started=raw.NOW,
        target=after(name),
        now=raw.NOW,
        hold=timedelta(minutes=2),
        timeout=timedelta(minutes=10),
    )
    assert found.status in ("pending", "verified"), found
    assert found.progress


def test_the_page_has_every_remedy_and_no_other() -> None:
    assert sorted(rows()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_the_code_does(name: str) -> None:
    remedy, plan = catalogue.REMEDIES[name], planned(name)
    does, kinds, risk, undo, verified, never = rows()[name]
    assert does
    assert tuple(kinds.split(", ")) == remedy.kinds
    assert plan.risk in risk
    assert undo == ("none" if plan.inverse is None else f"`{model.name_of(plan.inverse)}`") or name in undo
    assert CHECKS[remedy.check] in verified
    assert never == remedy.never
