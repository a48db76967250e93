"""OOMKilled: told by the reason, never by exit code 137 alone."""

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b

_KILLED = b.ended(137, "OOMKilled")


def _spec(**resources: object) -> b.Json:
    return {"containers": [{"name": "app", "image": "app:1", "resources": resources}]}


def test_the_finding_names_the_limit() -> None:
    spec = _spec(limits={"memory": "268435456"}, requests={"memory": "128Mi"})
    status = b.running(restarts=1, lastState=_KILLED)
    finding = b.only("OOMKilled", pods=[b.pod(statuses=[status], spec=spec)])
    assert finding.message == (
        "Container app of pod web-7d9f-abcde was OOM-killed when it reached its memory limit of 256Mi "
        "(1 restart so far)."
    )
    assert finding.cause == "app out of memory"
    assert finding.since == b.moment(60)
    assert {name: finding.facts[name] for name in ("reason", "exit_code", "memory_limit", "memory_request")} == {
        "reason": "OOMKilled",
        "exit_code": "137",
        "memory_limit": "256Mi",
        "memory_request": "128Mi",
    }


@pytest.mark.parametrize("spec", [None, _spec(), _spec(limits={"cpu": "1"}), _spec(limits={"memory": "lots"})])
def test_without_a_limit_it_says_so(spec: b.Json | None) -> None:
    status = b.running(restarts=1, lastState=_KILLED)
    finding = b.only("OOMKilled", pods=[b.pod(statuses=[status], spec=spec)])
    assert "while its node or pod was out of memory" in finding.message
    assert "memory_limit" not in finding.facts


@pytest.mark.parametrize(("finished", "found"), [(3600, True), (3601, False)])
def test_it_is_news_for_an_hour(finished: float, found: bool) -> None:
    status = b.running(restarts=1, lastState=b.ended(137, "OOMKilled", finished=finished))
    assert bool(b.findings("OOMKilled", pods=[b.pod(statuses=[status])])) is found


def test_it_is_found_where_the_container_has_not_come_back() -> None:
    status = b.running(ready=False, state=_KILLED)
    assert b.only("OOMKilled", pods=[b.pod(statuses=[status], phase="Failed")]).since == b.moment(60)


def test_the_first_of_two_kills_is_the_beginning_and_it_goes_with_the_crash_loop() -> None:
    earlier = b.ended(137, "OOMKilled", started=400, finished=300)
    status = b.running(ready=False, restarts=3, state=_KILLED, lastState=earlier)
    lists = b.whole(b.pod(statuses=[status]))
    assert b.only("OOMKilled", **lists).since == b.moment(300)
    (problem,) = detection.detect(b.snapshot(**lists)).problems
    assert problem.kinds == ("OOMKilled", "CrashLoopBackOff", "ReplicasMissing")


def test_a_kill_without_a_readable_time_is_no_news() -> None:
    status = b.running(restarts=1, lastState={"terminated": {"reason": "OOMKilled", "finishedAt": "yesterday"}})
    assert b.findings("OOMKilled", pods=[b.pod(statuses=[status])]) == []


def test_an_exit_code_that_is_not_told_is_left_out() -> None:
    killed = {"terminated": {"reason": "OOMKilled", "finishedAt": b.ago(60)}}
    finding = b.only("OOMKilled", pods=[b.pod(statuses=[b.running(restarts=1, lastState=killed)])])
    assert "exit_code" not in finding.facts


def test_init_and_debug_containers_are_seen_too_and_a_debug_container_is_p3() -> None:
    init = b.running("migrate", ready=False, state=_KILLED)
    debug = b.running("debug", ready=False, state=_KILLED)
    found = b.findings("OOMKilled", pods=[b.pod(inits=[init], ephemerals=[debug])])
    assert [(finding.container, finding.severity) for finding in found] == [("migrate", "P2"), ("debug", "P3")]
