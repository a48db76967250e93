"""StuckTerminating: what was to be gone and is still there, and what holds it."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b

FINALIZER = "example.com/backup"


def _pod(*, since: float = 400, statuses: list[b.Json] | None = None, **more: Any) -> b.Json:
    return b.pod(statuses=statuses or [], deletionTimestamp=b.ago(since), **more)


def _namespace(*conditions: b.Json, since: float = 400) -> b.Json:
    return {
        "metadata": {"name": "old", "uid": "uid-old", "deletionTimestamp": b.ago(since)},
        "status": {"phase": "Terminating", "conditions": list(conditions)},
    }


def test_finalizers_are_named_and_are_the_cause() -> None:
    pod = _pod(finalizers=["z.example/last", FINALIZER])
    finding = b.only("StuckTerminating", pods=[pod], nodes=[b.node()])
    assert finding.message == (
        "Pod web-7d9f-abcde was to be gone by 2026-03-14 02:53 UTC and is still there: "
        "the finalizers example.com/backup, z.example/last hold it."
    )
    assert (finding.cause, finding.facts["class"]) == ("finalizers example.com/backup, z.example/last", "finalizers")
    assert (finding.severity, finding.since) == ("P3", b.moment(400))


@pytest.mark.parametrize(
    ("pod", "nodes", "kind"),
    [
        (_pod(finalizers=[FINALIZER]), [b.node()], "finalizers"),
        (_pod(finalizers=[FINALIZER], statuses=[b.running()]), [b.node()], "running"),
        (_pod(statuses=[b.running()]), [b.node()], "running"),
        (_pod(), [b.node()], "running"),
        (_pod(finalizers=[FINALIZER]), [b.node("node-a", b.node_condition("Ready", "Unknown"))], "node-lost"),
        (_pod(finalizers=[FINALIZER]), [b.node("node-b")], "node-gone"),
        (_pod(), [], "running"),
        (_pod(node=""), [b.node()], "unknown"),
        (_pod(node="", finalizers=[FINALIZER]), [b.node()], "finalizers"),
    ],
)
def test_what_holds_it_is_told(pod: b.Json, nodes: list[b.Json], kind: str) -> None:
    finding = b.only("StuckTerminating", pods=[pod], nodes=nodes)
    assert finding.facts["class"] == kind
    assert "  " not in finding.message


def test_where_nodes_were_not_seen_whole_none_is_called_gone() -> None:
    seen = b.snapshot(pods=[_pod()], nodes=[b.node("node-b")])
    why = {"nodes": "may not be listed"}
    for blind in (dataclasses.replace(seen, degraded=why), dataclasses.replace(seen, unread=why)):
        (finding,) = detection.detect(blind).findings
        assert finding.facts["class"] == "running"


def test_on_a_lost_node_it_is_part_of_the_incident_of_the_node() -> None:
    lost = b.node("node-a", b.node_condition("Ready", "Unknown", since=900))
    (problem,) = detection.detect(b.snapshot(pods=[_pod()], nodes=[lost])).problems
    assert (problem.subject.kind, problem.kinds) == ("Node", ("NodeNotReady", "StuckTerminating"))


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes_after_its_own_grace(since: float, mature: bool) -> None:
    found = detection.detect(b.snapshot(pods=[_pod(since=since)]))
    assert found.findings[0].grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


@pytest.mark.parametrize("when", [b.ago(-1), "soon", ""])
def test_within_its_own_grace_or_without_a_time_it_is_silent(when: str) -> None:
    assert b.findings("StuckTerminating", pods=[b.pod(deletionTimestamp=when)]) == []


def test_the_kubelets_words_are_kept() -> None:
    pod = _pod(statuses=[b.running()])
    told = b.event(pod, "Pod", "FailedKillPod", "error killing pod: context deadline exceeded")
    facts = b.only("StuckTerminating", pods=[pod], events=[told]).facts
    assert (facts["reason"], facts["said"]) == ("FailedKillPod", "error killing pod: context deadline exceeded")


def test_a_namespace_says_why_it_stays() -> None:
    remains = b.node_condition("NamespaceContentRemaining", "True") | {"message": "Some resources are remaining: pods."}
    holds = b.node_condition("NamespaceFinalizersRemaining", "True") | {"message": "Some content has finalizers: x."}
    fine = b.node_condition("NamespaceDeletionDiscoveryFailure", "False") | {"message": "All discovered"}
    finding = b.only("StuckTerminating", namespaces=[_namespace(remains, fine, holds)])
    assert finding.resource == model.ResourceRef("Namespace", "", "old", "uid-old")
    assert finding.cause == "NamespaceFinalizersRemaining"
    assert finding.message.endswith('and is still there: "Some content has finalizers: x".')


def test_a_namespace_that_says_nothing_is_found_all_the_same() -> None:
    finding = b.only("StuckTerminating", namespaces=[_namespace()])
    assert (finding.cause, finding.message[-31:]) == ("unknown", "there, and it does not say why.")
    assert b.findings("StuckTerminating", namespaces=[_namespace(since=-5), {"metadata": {"name": "shop"}}]) == []
