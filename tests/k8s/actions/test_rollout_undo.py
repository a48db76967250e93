"""The undo of a rollout: the exact patch, the pins, the way back, and what stands in its way."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, model, workloads
from tests.k8s import raw


def undo(revision: int = 4) -> model.RolloutUndo:
    return model.RolloutUndo(raw.API, revision)


def test_it_puts_the_template_of_the_revision_back_without_the_hash_label() -> None:
    plan = catalogue.plan(undo(), raw.broken_rollout(), raw.NOW)
    (operation,) = plan.operations
    assert (operation.verb, operation.patch_type, operation.target) == ("patch", "json", raw.API)
    assert isinstance(operation.body, list)
    (step,) = operation.body
    assert (step["op"], step["path"]) == ("replace", "/spec/template")
    assert step["value"]["metadata"]["labels"] == {"app": "api"}
    assert step["value"]["spec"] == raw.pod_template("web:1.4")["spec"]
    assert plan.kubectl == "kubectl -n payments rollout undo deployment/api --to-revision=4"


def test_the_summary_says_what_stays_and_what_is_replaced() -> None:
    assert catalogue.plan(undo(4), raw.broken_rollout(), raw.NOW).summary == (
        "Puts revision 4 (image web:1.4) back: 2 pods of that revision stay, 1 pod replaced, "
        "each old pod kept until a new one is ready."
    )
    assert catalogue.plan(undo(3), raw.broken_rollout(), raw.NOW).summary == (
        "Puts revision 3 (image web:1.3) back: restarts 3 pods, each old pod kept until a new one is ready."
    )


def test_the_pins_cover_both_templates_and_both_revisions() -> None:
    target = raw.broken_rollout()
    pins = catalogue.plan(undo(), target, raw.NOW).pins
    assert target.object is not None
    assert pins == {
        "uid": raw.OWNER_UID,
        "template": workloads.template_hash(workloads.template(target.object)),
        "revision": "5",
        "target replicaset": "rs-4",
        "target template": workloads.template_hash(raw.pod_template("web:1.4")),
    }


def test_the_inverse_leads_back_to_what_is_current_now() -> None:
    plan = catalogue.plan(undo(), raw.broken_rollout(), raw.NOW)
    assert plan.inverse == undo(5)
    assert plan.irreversible == ""


def test_without_a_recorded_current_revision_there_is_no_way_back() -> None:
    target = raw.broken_rollout()
    newer = raw.workload(template=raw.pod_template("web:1.6"), status={"observedGeneration": 3})
    plan = catalogue.plan(undo(), replace(target, object=newer), raw.NOW)
    assert plan.inverse is None
    assert "no recorded revision" in plan.irreversible
    assert plan.pins["revision"] == ""


@pytest.mark.parametrize(("cause", "told"), [("release 1.4", "release 1.4"), ("", "back to revision 4")])
def test_a_change_cause_is_made_true_where_the_deployment_has_one(cause: str, told: str) -> None:
    target = raw.broken_rollout()
    assert target.object is not None
    target.object["metadata"]["annotations"]["kubernetes.io/change-cause"] = "release 1.5"
    target = replace(target, replicasets=(raw.replicaset(4, "web:1.4", pods=2, ready=2, cause=cause),))
    body = catalogue.plan(undo(), target, raw.NOW).operations[0].body
    assert isinstance(body, list)
    assert body[1] == {"op": "add", "path": "/metadata/annotations/kubernetes.io~1change-cause", "value": told}


@pytest.mark.parametrize(
    ("spec", "ready", "note"),
    [
        ({}, 2, ""),
        ({"strategy": {"type": "Recreate"}}, 2, "For a while no pod will be ready."),
        ({"strategy": {"type": "Recreate"}}, 0, "Nothing is ready now, so nothing is lost."),
    ],
)
def test_the_blast_radius_says_when_all_pods_stop_at_once(spec: dict[str, Any], ready: int, note: str) -> None:
    target = replace(raw.broken_rollout(), object=raw.workload(ready=ready, **spec))
    plan = catalogue.plan(undo(), target, raw.NOW)
    assert (plan.blast.pods, plan.blast.note, plan.risk) == (1, note, "medium")


def test_a_deployment_at_zero_has_no_pods_to_replace() -> None:
    target = replace(raw.broken_rollout(), object=raw.workload(replicas=0, ready=0))
    assert "none is replaced" in catalogue.plan(undo(), target, raw.NOW).summary


def test_one_pod_that_stays_is_spoken_of_as_one() -> None:
    target = replace(
        raw.broken_rollout(), replicasets=(raw.replicaset(4, "", pods=1, ready=1), raw.replicaset(5, "web:1.5"))
    )
    assert catalogue.plan(undo(), target, raw.NOW).summary.startswith(
        "Puts revision 4 back: 1 pod of that revision stays, 2 pods replaced"
    )


@pytest.mark.parametrize(
    ("action", "obj", "said"),
    [
        (undo(9), raw.workload(), "no revision 9 any more (it has 3, 4, 5)"),
        (undo(5), raw.workload(), "runs what revision 5 holds already"),
        (undo(4), raw.workload(paused=True), "is paused"),
        (undo(4), raw.workload(strategy={"type": "Sideways"}), "update strategy Sideways"),
        (undo(4), None, "is gone"),
    ],
)
def test_what_stands_in_the_way_is_said(action: model.RolloutUndo, obj: model.Json | None, said: str) -> None:
    (problem,) = catalogue.problems(action, replace(raw.broken_rollout(), object=obj))
    assert said in problem


def test_a_revision_that_differs_by_a_restart_only_is_no_way_out() -> None:
    restarted = raw.pod_template()
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": raw.at(5)}
    target = replace(raw.broken_rollout(), object=raw.workload(template=restarted))
    (problem,) = catalogue.problems(undo(5), target)
    assert "holds already" in problem


def test_a_replica_set_without_containers_is_not_put_back() -> None:
    target = replace(raw.broken_rollout(), replicasets=(raw.replicaset(4, "", template={"metadata": {}}),))
    assert any("no containers" in problem for problem in catalogue.problems(undo(), target))


def test_a_missing_revision_cannot_be_planned() -> None:
    with pytest.raises(LookupError):
        catalogue.plan(undo(9), raw.broken_rollout(), raw.NOW)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_of_other_kinds_the_template_of_the_controller_revision_is_put_back(kind: str) -> None:
    action, target = model.RolloutUndo(raw.ref(kind), 2), raw.stuck(kind)
    assert catalogue.problems(action, target) == ()
    plan = catalogue.plan(action, target, raw.NOW)
    (operation,) = plan.operations
    assert operation.body == [{"op": "replace", "path": "/spec/template", "value": raw.pod_template("web:1.4")}]
    assert plan.kubectl == f"kubectl -n payments rollout undo {kind.lower()}/api --to-revision=2"
    assert plan.summary == (
        "Puts revision 2 (image web:1.4) back: 2 pods of that revision stay, 1 pod replaced, "
        "at most 1 unavailable at a time."
    )
    assert plan.inverse == model.RolloutUndo(raw.ref(kind), 3)
    assert plan.pins["target revision"] == "cr-2"
    assert plan.risk == ("high" if kind == "StatefulSet" else "medium")


def test_the_catch_of_a_stuck_stateful_set_is_told() -> None:
    action, target = model.RolloutUndo(raw.ref("StatefulSet"), 2), raw.stuck()
    assert "may have to be deleted before" in catalogue.plan(action, target, raw.NOW).blast.note
    assert target.object is not None
    parallel = raw.workload("StatefulSet", ready=2, status=target.object["status"], podManagementPolicy="Parallel")
    assert catalogue.plan(action, replace(target, object=parallel), raw.NOW).blast.note == ""


@pytest.mark.parametrize(
    ("revision", "spec", "said"),
    [
        (9, {}, "no revision 9 any more (it has 1, 2, 3)"),
        (3, {}, "runs what revision 3 holds already"),
        (2, {"updateStrategy": {"type": "OnDelete"}}, "has the update strategy OnDelete"),
        (2, {"updateStrategy": {"rollingUpdate": {"partition": 3}}}, "has partition 3"),
    ],
)
def test_what_stands_in_the_way_of_a_stateful_set_is_said(revision: int, spec: dict[str, Any], said: str) -> None:
    target = replace(raw.stuck(), object=raw.workload("StatefulSet", **spec))
    (problem,) = catalogue.problems(model.RolloutUndo(raw.ref("StatefulSet"), revision), target)
    assert said in problem


def test_it_counts_as_applied_once_the_template_is_that_of_the_revision() -> None:
    target = raw.broken_rollout()
    plan = catalogue.plan(undo(), target, raw.NOW)
    assert not catalogue.applied(plan.action, plan.operations, target)
    done = replace(target, object=raw.workload(template=raw.pod_template("web:1.4")))
    assert catalogue.applied(plan.action, plan.operations, done)
    assert not catalogue.applied(plan.action, (), done)
    assert not catalogue.applied(plan.action, plan.operations, replace(target, object=None))


def test_pods_of_a_stuck_rollout_that_only_go_away_are_told_apart_from_those_that_are_replaced() -> None:
    old = [raw.pod(f"api-h4-{n}", uid=f"old-{n}", owner=("ReplicaSet", "rs-4")) for n in range(2)]
    new = [raw.pod(f"api-h5-{n}", uid=f"new-{n}", ready=False) for n in range(3)]
    ended = raw.pod("api-h5-gone", uid="gone", deletionTimestamp=raw.at(1))
    blast = catalogue.plan(undo(4), raw.broken_rollout(pods=(*old, *new, ended)), raw.NOW).blast
    assert (blast.pods, blast.removed) == (1, 2)
    without = catalogue.plan(undo(3), raw.broken_rollout(pods=(*old, *new)), raw.NOW).blast
    assert (without.pods, without.removed) == (3, 0)
