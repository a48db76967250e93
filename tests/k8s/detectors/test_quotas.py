"""Quotas: what they refuse, what is used up, and what of it is over."""

import dataclasses

import pytest

from k8s import detection
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "QuotaExhausted"
FULL = a.quota(hard={"pods": "2", "cpu": "4"}, used={"pods": "2", "cpu": "1"})


def test_a_refusal_names_the_quota_its_resource_and_who_waits() -> None:
    finding = b.only(KIND, **a.short(), events=[a.refused(a.short()["replicasets"][0])], resourcequotas=[FULL])
    assert (finding.severity, str(finding.owner), finding.owner.uid) == (
        "P2", "ResourceQuota/shop/compute", "uid-compute"
    )  # fmt: skip
    assert finding.message == (
        "ResourceQuota compute refuses new pods (pods 2 of 2): Deployment web cannot have all of theirs."
    )
    assert finding.since == b.moment(600)


def test_the_refused_workload_folds_into_the_quota_with_all_that_it_suffers() -> None:
    replicaset = a.short()["replicasets"][0]
    stuck = a.short()
    stuck["deployments"][0]["status"]["conditions"] = [b.progressing("False", "ProgressDeadlineExceeded")]
    lists = stuck | {"events": [a.refused(replicaset)], "resourcequotas": [FULL]}
    (problem,) = detection.detect(b.snapshot(**lists)).problems
    assert str(problem.subject) == "ResourceQuota/shop/compute"
    assert problem.kinds == (KIND, "ReplicasMissing", "RolloutStuck")
    assert (problem.ready, problem.desired) == (None, None)


def test_the_condition_of_a_deployment_tells_as_much_as_an_event() -> None:
    lists = a.short()
    said = 'pods "web-x" is forbidden: exceeded quota: compute, requested: cpu=1,pods=1, used: cpu=4,pods=2, limited: …'
    failure = {"type": "ReplicaFailure", "status": "True", "message": said, "lastTransitionTime": b.ago(300)}
    lists["deployments"][0]["status"]["conditions"].append(failure)
    finding = b.only(KIND, **lists)
    assert (finding.facts["resources"], finding.since) == ("cpu,pods", b.moment(300))
    assert finding.owner.uid == "", "the quota itself may not be read"


def test_two_refused_workloads_are_named_and_are_one_problem() -> None:
    lists = {key: a.short()[key] + a.short("api")[key] for key in ("deployments", "replicasets")}
    events = [a.refused(replicaset) for replicaset in lists["replicasets"]]
    (problem,) = detection.detect(b.snapshot(**lists, events=events, resourcequotas=[FULL])).problems
    assert "Deployment api, Deployment web cannot have" in problem.primary.message
    assert problem.primary.facts["owners"] == "2"


def test_a_quota_that_is_used_up_and_has_refused_nothing_is_untidy_only() -> None:
    finding = b.only(KIND, resourcequotas=[FULL])
    assert (finding.severity, finding.cause) == ("P3", "full: pods")
    assert finding.message == "ResourceQuota compute is used up: pods 2 of 2. What asks for more will be refused."


@pytest.mark.parametrize(
    ("hard", "used", "found"),
    [("2", "1999m", False), ("2", "2000m", True), ("1Gi", "1073741824", True), ("2", "3", True), ("x", "x", False)],
)
def test_quantities_are_compared_whatever_they_are_written_in(hard: str, used: str, found: bool) -> None:
    lists = [a.quota(hard={"requests.cpu": hard}, used={"requests.cpu": used})]
    assert bool(b.findings(KIND, resourcequotas=lists)) is found


def test_a_job_that_was_refused_counts_for_a_while() -> None:
    job = b.job()
    assert len(b.findings(KIND, jobs=[job], events=[a.refused(job, kind="Job", lastTimestamp=b.ago(1200))])) == 1
    assert b.findings(KIND, jobs=[job], events=[a.refused(job, kind="Job", lastTimestamp=b.ago(1201))]) == []


def test_a_daemon_set_and_a_stateful_set_are_refused_as_well() -> None:
    daemons, db = b.daemonset(desired=3, made=2, ready=2), b.statefulset(ready=1, made=1)
    events = [a.refused(daemons, kind="DaemonSet"), a.refused(db, kind="StatefulSet")]
    finding = b.only(KIND, daemonsets=[daemons], statefulsets=[db], events=events)
    assert finding.facts["waiting"] == "DaemonSet agent, StatefulSet db"
    assert b.findings(KIND, daemonsets=[b.daemonset()], events=events[:1]) == []


def test_a_refusal_of_an_earlier_workload_of_the_name_is_over() -> None:
    lists = a.short()
    event = a.refused(lists["replicasets"][0])
    event["involvedObject"]["uid"] = "uid-earlier"
    assert b.findings(KIND, **lists, events=[event]) == []


def test_other_refusals_are_not_the_quotas() -> None:
    lists = a.short()
    event = b.event(lists["replicasets"][0], "ReplicaSet", "FailedCreate", "serviceaccount not found")
    assert b.findings(KIND, **lists, events=[event]) == []


def test_what_refuses_rests_on_no_quota_list_and_what_is_full_does() -> None:
    assert "resourcequotas" not in detection.reads(KIND, "refuses pods")
    assert "resourcequotas" in detection.reads(KIND, "full: pods")
    unread = dataclasses.replace(b.snapshot(resourcequotas=[]), unread={"resourcequotas": "no right"})
    assert detection.detect(unread).findings == ()


def test_odd_quotas_say_nothing() -> None:
    odd = [{}, {"metadata": b.meta("a"), "status": {"hard": None, "used": None}}]
    odd += [{"metadata": b.meta("c"), "status": {"hard": {"pods": [], "cpu": {}}, "used": {"pods": 1, "cpu": None}}}]
    assert (
        b.findings(KIND, resourcequotas=odd, events=[{"reason": "FailedCreate", "message": "exceeded quota: "}]) == []
    )
