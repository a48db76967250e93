"""NotReady: a container runs, but its readiness or startup probe fails."""

from datetime import timedelta

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b


def _pod(status: b.Json | None = None, *, since: float = 600, **probes: object) -> b.Json:
    spec = {"containers": [{"name": "app", "image": "app:1"} | probes]}
    return b.pod(statuses=[status or b.running(ready=False)], spec=spec, since=since)


def _unhealthy(pod: b.Json, message: str | None, container: str = "app", **times: object) -> b.Json:
    return b.event(pod, "Pod", "Unhealthy", message or "", container=container, **times)


def _silent(pod: b.Json, **lists: list[b.Json]) -> bool:
    told = _unhealthy(pod, "Readiness probe failed: connection refused")
    return not b.findings("NotReady", pods=[pod], events=[told], **lists)


@pytest.mark.parametrize(
    ("message", "probe", "answer"),
    [
        (
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            "readiness",
            "HTTP probe failed with statuscode: 503",
        ),
        (
            "Startup probe failed: dial tcp 10.1.1.1:80: connect: connection refused",
            "startup",
            "dial tcp 10.1.1.1:80: connect: connection refused",
        ),
        ("Readiness probe errored: rpc error:\n deadline", "readiness", "rpc error: deadline"),
        ("Readiness probe failed", "readiness", ""),
        ("Readiness probe failed: ", "readiness", ""),
    ],
)
def test_the_probe_and_its_answer_are_told(message: str, probe: str, answer: str) -> None:
    pod = _pod()
    finding = b.only("NotReady", pods=[pod], events=[_unhealthy(pod, message)])
    assert (finding.facts["probe"], finding.facts.get("answer", "")) == (probe, answer)
    assert finding.cause == f"app {probe} probe"
    ending = f' with "{answer}"' if answer else ""
    assert finding.message == (
        f"Container app of pod web-7d9f-abcde runs but is not ready: its {probe} probe fails{ending}."
    )


def test_the_newest_event_speaks_and_liveness_does_not() -> None:
    pod = _pod()
    told = [
        _unhealthy(pod, "Readiness probe failed: old", lastTimestamp=b.ago(200)),
        _unhealthy(pod, "Readiness probe failed: new", lastTimestamp=b.ago(20)),
        _unhealthy(pod, "Liveness probe failed: newest", lastTimestamp=b.ago(1)),
        _unhealthy(pod, None, lastTimestamp=b.ago(2)),
    ]
    assert b.only("NotReady", pods=[pod], events=told).facts["answer"] == "new"


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes(since: float, mature: bool) -> None:
    pod = _pod(since=since)
    told = _unhealthy(pod, "Readiness probe failed: no")
    found = detection.detect(b.snapshot(pods=[pod], events=[told]))
    assert found.findings[0].grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


def test_without_an_unhealthy_event_nothing_shows_that_a_probe_fails() -> None:
    assert b.findings("NotReady", pods=[_pod()]) == []


@pytest.mark.parametrize(
    "pod",
    [
        b.pod(statuses=[b.running(ready=False)], ready=True),
        b.pod(statuses=[b.waiting("CrashLoopBackOff")]),
        b.pod(statuses=[b.running(), b.running("log", ready=False)]),
        b.pod(statuses=[b.running(ready=False)], phase="Pending"),
    ],
    ids=["ready again", "it does not run", "another container", "not started"],
)
def test_what_does_not_run_unready_is_silent(pod: b.Json) -> None:
    assert _silent(pod)


@pytest.mark.parametrize(("started", "silent"), [(59, True), (60, False)])
def test_its_initial_delay_is_granted(started: float, silent: bool) -> None:
    status = b.running(ready=False, started=started)
    assert _silent(_pod(status, readinessProbe={"initialDelaySeconds": 60})) is silent


@pytest.mark.parametrize(
    ("probe", "started", "silent"),
    [
        ({"periodSeconds": 10, "failureThreshold": 30}, 299, True),
        ({"periodSeconds": 10, "failureThreshold": 30}, 300, False),
        ({"initialDelaySeconds": 10}, 39, True),
        ({"initialDelaySeconds": 10}, 40, False),
        ({"periodSeconds": -1, "failureThreshold": 10**15}, 31, False),
    ],
)
def test_its_startup_probe_is_granted_its_time(probe: b.Json, started: float, silent: bool) -> None:
    status = b.running(ready=False, started=started) | {"started": False}
    assert _silent(_pod(status, startupProbe=probe)) is silent


def test_a_restart_uses_the_grant_up() -> None:
    status = b.running(ready=False, started=5, restarts=1) | {"started": False}
    assert not _silent(_pod(status, startupProbe={"failureThreshold": 30}))


def test_after_the_startup_the_readiness_probe_counts() -> None:
    status = b.running(ready=False, started=100)
    assert not _silent(_pod(status, startupProbe={"failureThreshold": 300}, readinessProbe={"initialDelaySeconds": 50}))


def test_a_container_that_does_not_say_when_it_started_is_granted_nothing() -> None:
    status = b.running(ready=False) | {"state": {"running": {}}}
    assert not _silent(_pod(status, readinessProbe={"initialDelaySeconds": 60}))


def test_only_the_new_pods_of_a_rollout_within_its_deadline_are_excused() -> None:
    rolling = b.deployment(ready=1, conditions=[b.progressing("True", "ReplicaSetUpdated")])
    older = b.replicaset("web-7d9f", revision=1)
    newer = b.replicaset("web-new", revision=2)
    assert _silent(_pod(), deployments=[rolling], replicasets=[older])
    assert not _silent(_pod(), deployments=[rolling], replicasets=[newer, older])
    assert not _silent(_pod(), deployments=[b.deployment(ready=1)], replicasets=[older])


def test_a_stateful_set_has_no_deadline_that_would_excuse() -> None:
    pod = b.pod("db-0", [b.running(ready=False)], owner=b.controlled("StatefulSet", "db"))
    assert not _silent(pod, statefulsets=[b.deployment("db", ready=0)])


def test_an_ephemeral_container_has_no_probes() -> None:
    pod = b.pod(ephemerals=[b.running("debug", ready=False)], ready=False)
    told = _unhealthy(pod, "Readiness probe failed: no", "debug")
    assert b.findings("NotReady", pods=[pod], events=[told]) == []
