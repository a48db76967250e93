"""CrashLoopBackOff: a container that ends again and again, told from one that merely restarted once."""

from datetime import timedelta

import pytest

from k8s import model
from tests.k8s.detectors import builders as b


def _crash(*pods: b.Json, ready: int = 1) -> model.Finding:
    return b.only("CrashLoopBackOff", **b.whole(*pods, ready=ready))


def test_the_finding_says_how_it_ends_and_folds_into_the_deployment() -> None:
    finding = _crash(b.pod(statuses=[b.crashed(exit_code=3)]))
    assert finding.message == (
        "Container app of pod web-7d9f-abcde keeps crashing: exit code 3 (Error) after 3 s, 12 restarts."
    )
    assert finding.owner == model.ResourceRef("Deployment", "shop", "web", "uid-web")
    assert finding.resource == model.ResourceRef("Pod", "shop", "web-7d9f-abcde", "uid-web-7d9f-abcde")
    assert finding.cause == "app exit 3"
    assert (finding.container, finding.node, finding.grace) == ("app", "node-a", timedelta(0))
    assert finding.facts == {
        "role": "container",
        "image": "registry.example/app:1",
        "reason": "Error",
        "exit_code": "3",
        "restarts": "12",
    }


def _probed(message: str, *, seen: float = 62, reason: str = "Completed", exit_code: int = 0) -> model.Finding:
    """A crash loop whose last run lasted from 63 to 60 seconds ago, with an event about a probe."""
    pod = b.pod(statuses=[b.crashed(exit_code=exit_code, reason=reason)])
    event = b.event(pod, "Pod", "Unhealthy", message, container="app", lastTimestamp=b.ago(seen))
    return b.only("CrashLoopBackOff", **b.whole(pod), events=[event])


@pytest.mark.parametrize("probe", ["liveness", "startup"])
def test_what_its_probe_has_killed_is_told_so_and_not_by_its_exit_code_alone(probe: str) -> None:
    finding = _probed(f"{probe.title()} probe failed: HTTP probe failed with statuscode: 500")
    assert finding.message == (
        f"Container app of pod web-7d9f-abcde keeps restarting: its {probe} probe fails "
        '("HTTP probe failed with statuscode: 500"), so the kubelet ends it; exit code 0 (Completed) after 3 s, '
        "12 restarts."
    )
    assert finding.cause == f"app {probe} probe"
    assert (finding.facts["probe"], finding.facts["answer"]) == (probe, "HTTP probe failed with statuscode: 500")


@pytest.mark.parametrize("exit_code", [0, 137, 143])
def test_a_probe_of_which_no_more_is_told_still_explains_an_end_on_demand(exit_code: int) -> None:
    finding = _probed("Liveness probe failed: no", seen=1800, exit_code=exit_code)
    assert finding.facts["probe"] == "liveness"


def test_what_its_probe_kills_is_in_a_loop_while_it_runs_too_though_it_ends_well() -> None:
    pod = b.pod(
        statuses=[b.running(started=20, restarts=3, lastState=b.ended(0, "Completed", started=63, finished=30))]
    )
    event = b.event(pod, "Pod", "Unhealthy", "Liveness probe failed: no", container="app")
    assert b.only("CrashLoopBackOff", **b.whole(pod), events=[event]).facts["probe"] == "liveness"
    assert b.findings("CrashLoopBackOff", **b.whole(pod)) == []


def test_a_probe_that_failed_without_an_answer_is_named_alone() -> None:
    assert "its liveness probe fails, so the kubelet" in _probed("Liveness probe errored").message


@pytest.mark.parametrize(
    ("message", "seen", "reason"),
    [
        ("Readiness probe failed: no", 62, "Error"),
        ("Liveness probe failed: no", 64, "Error"),
        ("Liveness probe failed: no", 62, "OOMKilled"),
    ],
)
def test_a_probe_that_did_not_end_the_last_run_is_no_cause_of_it(message: str, seen: float, reason: str) -> None:
    finding = _probed(message, seen=seen, reason=reason, exit_code=1)
    assert "probe" not in finding.facts
    assert finding.cause == "app exit 1"


def test_the_termination_message_and_the_signal_are_facts() -> None:
    status = b.crashed()
    status["lastState"]["terminated"] |= {"message": "panic: no\n  database", "signal": 6}
    facts = _crash(b.pod(statuses=[status])).facts
    assert (facts["said"], facts["signal"]) == ("panic: no database", "6")


@pytest.mark.parametrize(("ready", "severity"), [(0, "P1"), (1, "P2")])
def test_it_is_p1_only_where_no_replica_is_ready(ready: int, severity: str) -> None:
    assert _crash(b.pod(statuses=[b.crashed()]), ready=ready).severity == severity


def test_a_bare_pod_has_no_other_replica_so_it_is_p1() -> None:
    finding = b.only("CrashLoopBackOff", pods=[b.pod(statuses=[b.crashed()], owner=[])])
    assert (finding.severity, finding.owner) == ("P1", finding.resource)


def test_a_custom_controller_is_judged_by_its_pods() -> None:
    owner = b.controlled("Rollout", "web")
    crashing = b.pod("web-1", [b.crashed()], owner=owner)
    assert b.only("CrashLoopBackOff", pods=[crashing]).severity == "P1"
    assert b.only("CrashLoopBackOff", pods=[crashing, b.pod("web-2", owner=owner)]).severity == "P2"


def test_a_job_serves_nobody_so_its_crashes_are_p2() -> None:
    crashing = b.pod(statuses=[b.crashed()], owner=b.controlled("Job", "report-1"))
    finding = b.only("CrashLoopBackOff", pods=[crashing], jobs=[b.job(cronjob="report")])
    assert (finding.severity, finding.owner.kind, finding.owner.name) == ("P2", "CronJob", "report")


def test_a_sidecar_crashes_like_a_container() -> None:
    crashing = b.pod(
        inits=[b.crashed("proxy")],
        spec={"initContainers": [{"name": "proxy", "image": "proxy:2", "restartPolicy": "Always"}]},
    )
    finding = _crash(crashing)
    assert finding.message.startswith("Sidecar container proxy of pod")
    assert (finding.facts["role"], finding.facts["image"]) == ("sidecar", "proxy:2")


def test_a_crashed_debug_container_is_nobodys_trouble() -> None:
    assert b.findings("CrashLoopBackOff", pods=[b.pod(ephemerals=[b.crashed("debug")])]) == []


@pytest.mark.parametrize(
    ("began", "restarts", "exit_code", "crashing"),
    [
        (600, 2, 1, True),
        (601, 2, 1, False),
        (600, 1, 1, False),
        (600, 2, 0, False),
    ],
)
def test_two_restarts_within_ten_minutes_are_a_loop(
    began: float, restarts: int, exit_code: int, crashing: bool
) -> None:
    before = b.ended(exit_code, started=began, finished=30)
    status = b.running(started=20, restarts=restarts, lastState=before)
    assert bool(b.findings("CrashLoopBackOff", pods=[b.pod(statuses=[status])])) is crashing


@pytest.mark.parametrize(("exit_code", "crashing"), [(1, True), (0, False)])
def test_a_run_that_has_just_ended_counts_by_its_exit_code(exit_code: int, crashing: bool) -> None:
    status = b.running(ready=False, restarts=3, state=b.ended(exit_code), lastState=b.ended(started=100, finished=80))
    assert bool(b.findings("CrashLoopBackOff", pods=[b.pod(statuses=[status])])) is crashing


def test_a_loop_that_exits_with_zero_is_still_a_loop() -> None:
    finding = b.only("CrashLoopBackOff", pods=[b.pod(statuses=[b.crashed(exit_code=0, reason="Completed")])])
    assert finding.cause == "app exit 0"


def test_a_pod_that_has_failed_for_good_is_not_looping() -> None:
    assert b.findings("CrashLoopBackOff", pods=[b.pod(statuses=[b.crashed()], phase="Failed")]) == []


def test_since_is_the_first_failing_start_that_is_still_known() -> None:
    crashing = b.pod(statuses=[b.crashed()])
    assert _crash(crashing).since == b.moment(63)
    told = b.event(crashing, "Pod", "BackOff", "Back-off restarting failed container", container="app")
    assert b.only("CrashLoopBackOff", pods=[crashing], events=[told]).since == b.moment(600)


def test_events_of_another_container_or_an_earlier_pod_of_the_name_do_not_count() -> None:
    crashing = b.pod(statuses=[b.crashed()])
    other = b.event(crashing, "Pod", "BackOff", "Back-off", container="other")
    earlier = b.event(crashing, "Pod", "BackOff", "Back-off", container="app")
    earlier["involvedObject"]["uid"] = "an-earlier-pod"
    assert b.only("CrashLoopBackOff", pods=[crashing], events=[other, earlier]).since == b.moment(63)


def test_a_container_that_shows_no_end_is_found_with_what_is_known() -> None:
    finding = b.only("CrashLoopBackOff", pods=[b.pod(statuses=[b.waiting("CrashLoopBackOff")], since=240)])
    assert finding.message.endswith("keeps crashing: how it ended is not known, 0 restarts.")
    assert (finding.cause, finding.since) == ("app", b.moment(240))


def test_an_end_without_code_reason_or_times_is_no_error() -> None:
    status = b.crashed() | {"lastState": {"terminated": {}}}
    finding = b.only("CrashLoopBackOff", pods=[b.pod(statuses=[status])])
    assert finding.message.endswith("keeps crashing: no exit code, 12 restarts.")


def test_a_node_whose_clock_is_ahead_does_not_put_the_beginning_into_the_future() -> None:
    status = b.crashed() | {"lastState": b.ended(started=-120, finished=-60)}
    assert b.only("CrashLoopBackOff", pods=[b.pod(statuses=[status], since=-60)]).since == b.NOW


@pytest.mark.parametrize(
    ("runs", "ready", "crashing"),
    [
        (59, True, True),  # not yet for a minute
        (60, True, False),
        (300, False, True),  # it never became ready
    ],
)
def test_what_has_outlived_its_crashes_by_far_has_left_the_loop(runs: float, ready: bool, crashing: bool) -> None:
    status = b.running(started=runs, ready=ready, restarts=3, lastState=b.ended(started=runs + 22, finished=runs + 20))
    assert bool(b.findings("CrashLoopBackOff", pods=[b.pod(statuses=[status])])) is crashing


@pytest.mark.parametrize(("runs", "crashing"), [(299, True), (300, False)])
def test_what_crashes_every_two_minutes_must_run_for_longer_to_be_believed(runs: float, crashing: bool) -> None:
    status = b.running(started=runs, restarts=3, lastState=b.ended(started=runs + 100, finished=runs))
    assert bool(b.findings("CrashLoopBackOff", pods=[b.pod(statuses=[status])])) is crashing
