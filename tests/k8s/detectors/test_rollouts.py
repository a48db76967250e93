"""RolloutStuck and ReplicasMissing: a workload with fewer ready replicas than it asks for."""

from datetime import timedelta

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b

STUCK = b.progressing("False", "ProgressDeadlineExceeded", since=120)
ROLLING = b.progressing("True", "ReplicaSetUpdated", since=120)


def _with_image(name: str, replicaset: str, image: str) -> b.Json:
    spec = {"containers": [{"name": "app", "image": image}, {"name": "log", "image": "log:1"}]}
    return b.pod(name, [b.running()], owner=b.controlled("ReplicaSet", replicaset), spec=spec)


# --- RolloutStuck


def test_a_stuck_rollout_names_the_revision_and_the_change_of_image() -> None:
    finding = b.only(
        "RolloutStuck",
        deployments=[b.deployment(replicas=3, ready=2, updated=1, conditions=[STUCK])],
        replicasets=[
            b.replicaset("web-new", revision=10, replicas=1, ready=0),
            b.replicaset("web-old", revision=9, replicas=2, ready=2),
            b.replicaset("web-older", revision=2, replicas=0, ready=0),
        ],
        pods=[_with_image("new", "web-new", "app:2"), _with_image("old", "web-old", "app:1")],
    )
    assert finding.message == (
        "The rollout of Deployment web to revision 10 is stuck: 0 of its new pods are ready, "
        "2 of 3 replicas are ready in all. It changes app from app:1 to app:2."
    )
    assert (finding.severity, finding.since, finding.cause) == ("P2", b.moment(120), "rollout stuck")
    assert finding.facts == {
        "reason": "ProgressDeadlineExceeded",
        "ready": "2",
        "desired": "3",
        "updated": "1",
        "updated_ready": "0",
        "revision": "10",
        "change": "app from app:1 to app:2",
    }


def test_it_is_p1_where_nothing_is_ready_and_found_without_its_replica_sets() -> None:
    finding = b.only("RolloutStuck", deployments=[b.deployment(ready=0, conditions=[STUCK])])
    assert finding.severity == "P1"
    assert finding.message == (
        "The rollout of Deployment web is stuck: 0 of its new pods are ready, no replica is ready in all."
    )


def test_the_old_replicas_may_all_be_ready() -> None:
    found = detection.detect(b.snapshot(deployments=[b.deployment(ready=2, updated=1, conditions=[STUCK])]))
    assert [finding.kind for finding in found.findings] == ["RolloutStuck"]


def test_a_stuck_rollout_is_not_also_called_missing_replicas() -> None:
    assert b.findings("ReplicasMissing", deployments=[b.deployment(ready=0, conditions=[STUCK])]) == []


@pytest.mark.parametrize(
    "deployment",
    [
        b.deployment(ready=0, conditions=[STUCK], generation=2),
        b.deployment(replicas=0, ready=0, conditions=[STUCK]),
        b.deployment(ready=0, conditions=[STUCK], deletionTimestamp=b.ago(1)),
        b.deployment(ready=0, conditions=[STUCK], spec={"paused": True}),
    ],
    ids=["a new specification was not seen yet", "scaled to zero", "being deleted", "paused"],
)
def test_a_rollout_that_is_not_stuck_is_silent(deployment: b.Json) -> None:
    assert b.findings("RolloutStuck", deployments=[deployment]) == []


def _undeclared(age: float, *, new_ready: int = 0, old_ready: int = 2, updated: int = 1) -> dict[str, list[b.Json]]:
    """A Deployment whose controller says nothing about its progress (its deadline is switched off)."""
    return {
        "deployments": [b.deployment(ready=old_ready, updated=updated, conditions=[])],
        "replicasets": [
            b.replicaset("web-old", revision=1, ready=old_ready),
            b.replicaset("web-new", revision=2, replicas=1, ready=new_ready, age=age),
        ],
    }


@pytest.mark.parametrize(("age", "found"), [(599, False), (600, True)])
def test_where_the_controller_gives_no_word_the_default_deadline_counts(age: float, found: bool) -> None:
    findings = b.findings("RolloutStuck", **_undeclared(age))
    assert bool(findings) is found
    assert all(finding.since == b.moment(age) for finding in findings)


@pytest.mark.parametrize(
    "lists",
    [
        _undeclared(900, new_ready=1),
        _undeclared(900, old_ready=0),
        _undeclared(900, updated=2),
        _undeclared(900) | {"replicasets": []},
    ],
    ids=["the new one serves", "no old one serves", "all are updated", "no replica set was seen"],
)
def test_without_a_word_and_without_evidence_it_is_silent(lists: dict[str, list[b.Json]]) -> None:
    assert b.findings("RolloutStuck", **lists) == []


def test_an_equal_image_is_no_change() -> None:
    finding = b.only(
        "RolloutStuck",
        deployments=[b.deployment(ready=2, updated=1, conditions=[STUCK])],
        replicasets=[b.replicaset("web-old", revision=1), b.replicaset("web-new", revision=2, ready=1)],
        pods=[_with_image("new", "web-new", "app:1"), _with_image("old", "web-old", "app:1")],
    )
    assert "change" not in finding.facts
    assert "1 of its new pods is ready" in finding.message


# --- ReplicasMissing


@pytest.mark.parametrize(("ready", "severity"), [(0, "P1"), (1, "P2")])
def test_missing_replicas_are_p1_where_none_is_ready(ready: int, severity: str) -> None:
    finding = b.only("ReplicasMissing", deployments=[b.deployment(ready=ready)])
    assert finding.severity == severity
    assert finding.message == f"Deployment web has {ready} of 2 replicas ready."
    assert finding.cause == "replicas missing"
    assert finding.facts == {"ready": str(ready), "desired": "2"}


@pytest.mark.parametrize(("since", "mature"), [(119, False), (120, True)])
def test_their_grace_is_two_minutes_from_when_the_first_pod_went(since: float, mature: bool) -> None:
    gone = b.pod("gone", [b.running(ready=False)], since=since)
    later = b.pod("later", [b.running(ready=False)], since=10)
    dead = b.pod("dead", [b.running(ready=False)], since=9000, phase="Failed")
    found = detection.detect(b.snapshot(**b.whole(gone, later, dead)))
    (finding,) = found.findings
    assert (finding.kind, finding.since) == ("ReplicasMissing", b.moment(since))
    assert finding.grace == timedelta(seconds=120)
    assert found.problems[0].mature(b.NOW) is mature


def test_the_conditions_of_the_deployment_tell_the_time_as_well() -> None:
    unavailable = {"type": "Available", "status": "False", "lastTransitionTime": b.ago(500)}
    deployment = b.deployment(ready=0, conditions=[b.progressing(), unavailable])
    assert b.only("ReplicasMissing", deployments=[deployment]).since == b.moment(500)


def test_where_nothing_tells_the_time_it_began_now() -> None:
    assert b.only("ReplicasMissing", deployments=[b.deployment(ready=1)]).since == b.NOW


@pytest.mark.parametrize(
    "deployment",
    [
        b.deployment(ready=1, conditions=[ROLLING]),
        b.deployment(ready=1, generation=2),
        b.deployment(ready=1, updated=1, conditions=[]),
        b.deployment(ready=1, conditions=[], status={"replicas": 3}),
        b.deployment(ready=1, deletionTimestamp=b.ago(1)),
    ],
    ids=["rolling", "not seen yet", "not all updated", "old ones left", "being deleted"],
)
def test_a_deployment_that_rolls_or_goes_is_silent(deployment: b.Json) -> None:
    assert b.findings("ReplicasMissing", deployments=[deployment]) == []


@pytest.mark.parametrize(
    "deployment",
    [b.deployment(ready=1, conditions=[]), b.deployment(ready=1, conditions=[ROLLING], spec={"paused": True})],
    ids=["complete without a word", "paused"],
)
def test_a_deployment_that_does_not_roll_misses_its_replicas(deployment: b.Json) -> None:
    assert len(b.findings("ReplicasMissing", deployments=[deployment])) == 1


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('pods "web-x" is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=4, limited: cpu=4', "quota"),
        (
            'pods "web-" is forbidden: error looking up service account shop/web: serviceaccount "web" not found',
            "service-account",
        ),
        ('admission webhook "policy.example" denied the request: no', "admission"),
        ('pods "web-x" is forbidden: violates PodSecurity "restricted:latest"', "admission"),
        ('pods "web-x" is forbidden: no', "forbidden"),
        ('Pod "web-x" is invalid: spec.containers[0].image: Required value', "invalid"),
        ("Internal error occurred: something", "refused"),
    ],
)
@pytest.mark.parametrize("by", ["condition", "event"])
def test_a_refusal_of_new_pods_is_told_and_classified_even_while_a_rollout_runs(
    message: str, kind: str, by: str
) -> None:
    short = b.replicaset(ready=0)
    short["status"]["replicas"] = 0
    failure = {"type": "ReplicaFailure", "status": "True", "message": message, "lastTransitionTime": b.ago(400)}
    conditions = [ROLLING, failure] if by == "condition" else [ROLLING]
    finding = b.only(
        "ReplicasMissing",
        deployments=[b.deployment(ready=0, conditions=conditions, status={"replicas": 0})],
        replicasets=[short],
        events=[b.event(short, "ReplicaSet", "FailedCreate", message)] if by == "event" else [],
    )
    assert (finding.facts["class"], finding.facts["said"]) == (kind, message)
    assert finding.cause == f"pods refused: {kind}"
    assert finding.facts.get("quota") == ("compute" if kind == "quota" else None)
    assert finding.since == (b.moment(400) if by == "condition" else b.NOW)


def test_a_refusal_that_was_overcome_is_not_told() -> None:
    refused = b.replicaset(ready=1)
    told = b.event(refused, "ReplicaSet", "FailedCreate", "exceeded quota: compute")
    finding = b.only("ReplicasMissing", deployments=[b.deployment(ready=1)], replicasets=[refused], events=[told])
    assert finding.cause == "replicas missing"


def test_a_condition_that_is_not_true_is_no_refusal() -> None:
    failure = {"type": "ReplicaFailure", "status": "False", "message": "exceeded quota"}
    finding = b.only("ReplicasMissing", deployments=[b.deployment(ready=1, conditions=[b.progressing(), failure])])
    assert finding.cause == "replicas missing"


@pytest.mark.parametrize(
    ("status", "age", "found"),
    [
        ({"currentRevision": "1", "updateRevision": "1"}, 60, True),
        ({"currentRevision": "1", "updateRevision": "2", "updatedReplicas": 1}, 599, False),
        ({"currentRevision": "1", "updateRevision": "2", "updatedReplicas": 1}, 600, True),
        ({"currentRevision": "1", "updateRevision": "2", "updatedReplicas": 2}, 60, True),
    ],
    ids=["not updating", "updating", "updating for too long", "updated"],
)
def test_a_stateful_set_that_updates_is_given_the_default_deadline(status: b.Json, age: float, found: bool) -> None:
    pod = b.pod("db-0", [b.running(ready=False)], owner=b.controlled("StatefulSet", "db"), since=age)
    findings = b.findings("ReplicasMissing", statefulsets=[b.deployment("db", ready=1, status=status)], pods=[pod])
    assert bool(findings) is found
    assert all(finding.message == "StatefulSet db has 1 of 2 replicas ready." for finding in findings)


def test_a_replica_set_of_its_own_is_watched_and_one_of_a_deployment_is_not() -> None:
    alone = b.replicaset("solo", deployment="", ready=1)
    owned = b.replicaset(ready=1)
    finding = b.only("ReplicasMissing", replicasets=[alone, owned])
    assert finding.owner == model.ResourceRef("ReplicaSet", "shop", "solo", "uid-solo")


def test_replicas_lost_with_a_node_sit_on_that_node() -> None:
    nodes = [b.node("node-a", b.node_condition("Ready", "Unknown")), b.node("node-b")]
    lost = b.pod("lost", [b.running(ready=False)], node="node-a")
    kept = b.pod("kept", node="node-b")
    assert b.only("ReplicasMissing", **b.whole(lost, kept), nodes=nodes).node == "node-a"


def test_a_node_that_does_not_explain_all_missing_replicas_is_not_blamed() -> None:
    nodes = [b.node("node-a", b.node_condition("Ready", "Unknown")), b.node("node-b")]
    lost = b.pod("lost", [b.running(ready=False)], node="node-a")
    crashed = b.pod("crashed", [b.crashed()], node="node-b")
    assert b.only("ReplicasMissing", **b.whole(lost, crashed, ready=0), nodes=nodes).node == ""
