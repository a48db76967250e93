"""The catalogue: strict decoding, one remedy for each action, plans that are the same on every replica."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.cluster import patches
from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

WORKLOAD = {"kind": "Deployment", "namespace": "payments", "name": "api"}
POD = {"kind": "Pod", "namespace": "payments", "name": "api-1"}
UNDO = {"action": "rollout-undo", "workload": WORKLOAD, "revision": 3}


def test_every_action_of_the_model_has_exactly_one_remedy_of_its_name() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in model.Remediation.__subclasses__()}
    assert tags == set(catalogue.REMEDIES)
    assert all(remedy.name == name for name, remedy in catalogue.REMEDIES.items())


@pytest.mark.parametrize("action", [each.action for each in examples.EXAMPLES.values()])
def test_what_is_stored_is_decoded_to_the_same_action(action: model.Action) -> None:
    stored = msgspec.json.encode(action)
    assert catalogue.decode(stored) == action
    assert catalogue.decode(stored.decode()) == action
    assert catalogue.decode(msgspec.json.decode(stored)) == action
    assert catalogue.remedy_for(action).name == model.name_of(action)


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ({**UNDO, "action": "exec"}, "action"),
        ({**UNDO, "force": True}, ""),
        ({"action": "rollout-undo", "workload": WORKLOAD}, ""),
        ({**UNDO, "revision": 0}, "revision"),
        ({**UNDO, "revision": 2**31}, "revision"),
        ({**UNDO, "revision": "3"}, "revision"),
        ({**UNDO, "workload": {**WORKLOAD, "kind": "Job"}}, "workload.kind"),
        ({**UNDO, "workload": {**WORKLOAD, "name": "api; rm -rf /"}}, "workload.name"),
        ({**UNDO, "workload": {**WORKLOAD, "name": ""}}, "workload.name"),
        ({**UNDO, "workload": {**WORKLOAD, "name": "../nodes/x"}}, "workload.name"),
        ({**UNDO, "workload": {**WORKLOAD, "name": "a" * 254}}, "workload.name"),
        ({**UNDO, "workload": {**WORKLOAD, "namespace": ""}}, "workload.namespace"),
        ({**UNDO, "workload": {**WORKLOAD, "namespace": "a.b"}}, "workload.namespace"),
        ({**UNDO, "workload": {**WORKLOAD, "namespace": "a" * 64}}, "workload.namespace"),
        ({**UNDO, "workload": {**WORKLOAD, "uid": "a/b"}}, "workload.uid"),
        ({**UNDO, "workload": {**WORKLOAD, "cluster": "prod"}}, "workload.cluster"),
        ({**UNDO, "workload": "api"}, "workload"),
        ({"action": "scale", "workload": WORKLOAD, "replicas": -1}, "replicas"),
        ({"action": "scale", "workload": WORKLOAD, "replicas": True}, "replicas"),
        ({"action": "delete-pod", "workload": WORKLOAD, "pod": {**POD, "kind": "Node"}}, "pod.kind"),
        ({"action": "delete-pod", "workload": WORKLOAD, "pod": {**POD, "namespace": "other"}}, "pod.namespace"),
        ({"action": "delete-pod", "workload": WORKLOAD, "pod": {**POD, "name": "-x"}}, "pod.name"),
    ],
)
def test_what_is_no_action_is_refused_with_its_field(tree: dict[str, Any], field: str) -> None:
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode(tree)
    assert caught.value.field == field
    assert caught.value.reason
    assert str(caught.value).startswith(field)


@pytest.mark.parametrize("text", [b"", b"{", "kubectl delete ns prod", "[]", "null", b"\xff", "[" * 100_000])
def test_text_that_is_no_action_is_refused(text: bytes | str) -> None:
    with pytest.raises(catalogue.InvalidAction):
        catalogue.decode(text)


def test_an_action_that_was_not_decoded_is_held_to_the_same_rules() -> None:
    smuggled = model.RolloutRestart(model.ResourceRef("Node", "payments", "node-a", "u"))
    (problem,) = catalogue.problems(smuggled, raw.target(raw.workload()))
    assert "no action of the catalogue" in problem
    (problem,) = catalogue.remedy_for(smuggled).problems(smuggled, raw.target(raw.workload()))
    assert problem.startswith("A Node cannot be restarted: only a Deployment and a StatefulSet and a DaemonSet can.")


def test_equal_targets_make_equal_plans_and_digests() -> None:
    action = model.RolloutUndo(raw.API, 4)
    one, other = (catalogue.plan(action, raw.broken_rollout(), raw.NOW) for _ in range(2))
    assert one == other
    assert model.digest(one.operations, one.pins, "p") == model.digest(other.operations, other.pins, "p")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(
    st.sampled_from(
        (
            *("metadata", "spec", "status", "annotations", "template", "ownerReferences", "containers", "strategy"),
            *("finalizers", "taints", "jobTemplate", "conditions", "active", "minReplicas", "maxReplicas", "labels"),
        )
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None, max_examples=100)
@given(path=PATHS, odd=json_values, replicas=st.integers(0, 9))
def test_odd_objects_make_sentences_and_never_errors(path: list[str], odd: Any, replicas: int) -> None:
    def spoilt(obj: model.Json) -> model.Json:
        obj = copy.deepcopy(obj)
        inner: Any = obj
        for step in path[:-1]:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[path[-1]] = odd
        return obj

    base = raw.broken_rollout()
    assert base.object is not None
    sets = tuple(spoilt(each) for each in base.replicasets)
    pod = spoilt(raw.pod())
    pod_ref = model.ResourceRef("Pod", "payments", "api-h5-a")
    whole = raw.target(spoilt(base.object), replicasets=sets, pods=(pod,), headroom=0)
    of_pod = raw.target(pod, of=pod_ref, owner=spoilt(base.object), replicasets=sets)
    changed = examples.changed()
    assert changed.object is not None
    others = replace(
        changed, object=spoilt(changed.object), replicasets=tuple(spoilt(each) for each in changed.replicasets)
    )
    stuck = raw.stuck("DaemonSet")
    assert stuck.object is not None
    spoilt_revisions = tuple(spoilt(each) for each in stuck.revisions)
    daemons = replace(stuck, object=spoilt(stuck.object), revisions=spoilt_revisions, pods=(pod, *stuck.pods))
    cases: tuple[tuple[model.Action, model.Target], ...] = (
        (model.RolloutRestart(raw.API), whole),
        (model.RolloutUndo(raw.API, 4), whole),
        (model.Scale(raw.API, replicas), whole),
        (model.DeletePod(pod_ref, raw.API), of_pod),
        (model.RolloutPause(raw.API), whole),
        (model.RolloutResume(raw.API), others),
        (model.SetImage(raw.API, "web", "web:1.4"), others),
        (model.SetResources(raw.API, "web", memory_limit="512Mi"), others),
        (model.SetEnv(raw.API, "web", "DB_URL", 4), others),
        (model.UnsetEnv(raw.API, "web", "TRACE", 4), others),
        *_others(spoilt),
        (model.RolloutUndo(raw.ref("DaemonSet"), 2), daemons),
        (model.SetImage(raw.ref("DaemonSet"), "web", "web:1.4"), daemons),
    )
    for action, target in cases:
        assert isinstance(catalogue.remedy_for(action).overridden(action, target), str)
        found = catalogue.problems(action, target)
        assert all(sentence.endswith(".") for sentence in found)
        if not found:
            plan = catalogue.plan(action, target, raw.NOW)
            assert all(operation.target.uid for operation in plan.operations)
            assert (plan.inverse is None) == bool(plan.irreversible)
            assert not catalogue.applied(action, plan.operations, target)


def _others(spoilt: Callable[[model.Json], model.Json]) -> Iterator[tuple[model.Action, model.Target]]:
    """Examples whose objects are all spoilt in the same way."""
    known = ("evict-pod", "force-delete-pod", "remove-finalizer", "set-autoscaler", "annotate-mute", "cordon")
    more = (
        "suspend-cronjob",
        "resume-cronjob",
        "run-cronjob",
        "delete-job",
        "rerun-job",
        "remove-taint",
        "uncordon",
        "drain",
    )
    for example in map(examples.EXAMPLES.__getitem__, (*known, *more)):
        target = example.target
        obj, owner = (None if each is None else spoilt(each) for each in (target.object, target.owner))
        yield example.action, replace(target, object=obj, owner=owner, extras=tuple(map(spoilt, target.extras)))


def written(operation: model.Operation, obj: model.Json) -> model.Json:
    """The object as an API server would leave it."""
    match operation.verb:
        case "patch" if operation.patch_type == "merge":
            return patches.apply_patch(obj, operation.body, "application/merge-patch+json")
        case "patch":
            return patches.apply_patch(obj, operation.body, "application/json-patch+json")
        case _:
            return patches.apply_patch(obj, operation.body, "application/merge-patch+json")


@pytest.mark.parametrize(
    "action",
    [
        model.RolloutRestart(raw.API),
        model.RolloutUndo(raw.API, 4),
        model.Scale(raw.API, 5),
        model.RolloutPause(raw.API),
    ],
)
def test_writing_twice_changes_nothing_more_and_what_was_written_counts_as_applied(action: model.Action) -> None:
    target = raw.broken_rollout()
    assert target.object is not None
    target.object["metadata"]["annotations"]["kubernetes.io/change-cause"] = "release 1.5"
    (operation,) = catalogue.plan(action, target, raw.NOW).operations
    once = written(operation, copy.deepcopy(target.object))
    assert once != target.object
    assert written(operation, copy.deepcopy(once)) == once
    assert catalogue.applied(action, (operation,), replace(target, object=once))
    assert not catalogue.applied(action, (operation,), target)
