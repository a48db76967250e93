"""ConfigError: a container that cannot be created or started as it is specified, and what it misses."""

from datetime import timedelta

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b


def _broken(status: b.Json) -> model.Finding:
    return b.only("ConfigError", pods=[b.pod(statuses=[status], phase="Pending")])


@pytest.mark.parametrize(
    ("message", "facts"),
    [
        ('configmap "web-config" not found', ("ConfigMap", "web-config", None)),
        ('secret "db" not found', ("Secret", "db", None)),
        ("couldn't find key DB_URL in ConfigMap shop/web-config", ("ConfigMap", "web-config", "DB_URL")),
        ("couldn't find key token in Secret shop/db", ("Secret", "db", "token")),
    ],
)
def test_what_is_missing_is_named(message: str, facts: tuple[str, str, str | None]) -> None:
    finding = _broken(b.waiting("CreateContainerConfigError", message))
    kind, name, key = facts
    missing = f"key {key} of {kind} {name}" if key else f"{kind} {name}"
    assert finding.message == f"Container app of pod web-7d9f-abcde cannot start: {missing} does not exist."
    assert finding.cause == missing
    assert (finding.facts["missing_kind"], finding.facts["missing_name"]) == (kind, name)
    assert (finding.facts.get("missing_key"), finding.facts["class"]) == (key, "missing")


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "run-as-non-root"),
        ("CreateContainerConfigError", "what is this", "config"),
        ("CreateContainerError", 'the container name "/app" is already in use by container "1f"', "name-taken"),
        ("CreateContainerError", "context deadline exceeded", "create"),
        ("RunContainerError", 'exec: "serve": executable file not found in $PATH', "command-not-found"),
        ("RunContainerError", "exec /serve: permission denied", "not-executable"),
        ("RunContainerError", "", "start"),
        ("PreStartHookError", "", "hook"),
        ("PostStartHookError", "", "hook"),
        ("PreCreateHookError", "", "hook"),
    ],
)
def test_other_reasons_are_classified(reason: str, message: str, kind: str) -> None:
    finding = _broken(b.waiting(reason, message))
    assert (finding.facts["class"], finding.facts["reason"]) == (kind, reason)
    assert finding.cause == f"app {kind}"


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
@pytest.mark.parametrize(
    "status",
    [b.waiting("CrashLoopBackOff", restarts=3), b.running(ready=False, restarts=3)],
    ids=["backing off", "just ended"],
)
def test_a_start_error_is_remembered_while_the_kubelet_backs_off(reason: str, status: b.Json) -> None:
    end = b.ended(128, reason)
    end["terminated"]["message"] = 'exec: "serve": executable file not found in $PATH: unknown'
    place = "lastState" if "waiting" in status["state"] else "state"
    finding = _broken(status | {place: end})
    assert finding.cause == "app command-not-found"


def test_an_ordinary_crash_is_no_configuration_error() -> None:
    assert b.findings("ConfigError", pods=[b.pod(statuses=[b.crashed()])]) == []


def test_a_container_that_runs_again_after_a_start_error_is_well() -> None:
    status = b.running(restarts=1, lastState=b.ended(128, "StartError"))
    assert b.findings("ConfigError", pods=[b.pod(statuses=[status])]) == []


def test_a_pod_that_has_failed_for_good_is_not_waiting_for_its_configuration() -> None:
    status = b.waiting("CreateContainerConfigError")
    assert b.findings("ConfigError", pods=[b.pod(statuses=[status], phase="Failed")]) == []


@pytest.mark.parametrize(("since", "mature"), [(29, False), (30, True)])
def test_its_grace_is_thirty_seconds(since: float, mature: bool) -> None:
    status = b.waiting("CreateContainerConfigError")
    found = detection.detect(b.snapshot(pods=[b.pod(statuses=[status], phase="Pending", since=since)]))
    assert found.findings[0].grace == timedelta(seconds=30)
    assert found.problems[0].mature(b.NOW) is mature


def test_it_began_with_the_first_failing_event_where_that_is_earlier() -> None:
    broken = b.pod(statuses=[b.waiting("CreateContainerConfigError")], since=60)
    told = b.event(broken, "Pod", "Failed", "Error: secret not found", container="app", firstTimestamp=b.ago(200))
    assert b.only("ConfigError", pods=[broken], events=[told]).since == b.moment(200)
