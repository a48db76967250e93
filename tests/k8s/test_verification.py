"""Verification: each step of each kind of rollout, early failure, the hold, and the end of patience."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, verification
from tests.k8s import raw

STARTED = raw.NOW - timedelta(minutes=5)
HOLD = timedelta(minutes=2)
TIMEOUT = timedelta(minutes=10)
RESTART = model.RolloutRestart(raw.API)
UNDO = model.RolloutUndo(raw.API, 4)
SCALE = model.Scale(raw.API, 3)
OLD_POD = model.ResourceRef("Pod", "payments", "api-h5-old", "pod-old")
DELETE = model.DeletePod(OLD_POD, raw.API)


def new_pods(count: int = 3, **made: Any) -> tuple[model.Json, ...]:
    made = {"created": 4, "since": 3, **made}
    return tuple(raw.pod(f"api-h5-{number}", uid=f"new-{number}", **made) for number in range(count))


def rolled(obj: model.Json | None = None, pods: tuple[model.Json, ...] | None = None, **more: Any) -> model.Target:
    sets = (raw.replicaset(4, "web:1.4"), raw.replicaset(5, "web:1.5", pods=3, ready=3))
    pods = new_pods() if pods is None else pods
    return raw.target(raw.workload() if obj is None else obj, replicasets=sets, pods=pods, **more)


def assessed(action: model.Action, target: model.Target, minutes: float = 5, **more: Any) -> verification.Assessment:
    """Assessed so many minutes after the start, which is NOW by default."""
    given: dict[str, Any] = {"hold": HOLD, "timeout": TIMEOUT, **more}
    return verification.assess(
        action, started=STARTED, target=target, now=STARTED + timedelta(minutes=minutes), **given
    )


@pytest.mark.parametrize("action", [RESTART, UNDO])
def test_a_rollout_whose_pods_are_all_ready_for_the_hold_is_verified(action: model.Action) -> None:
    found = assessed(action, rolled())
    assert found.status == "verified"
    assert found.progress == "3 of 3 rolled out, 3 ready"
    assert found.reason == "All ready for 3 min."
    assert found.healthy_since == raw.NOW - timedelta(minutes=3)


@pytest.mark.parametrize(
    ("status", "ready", "said"),
    [
        ({"observedGeneration": 3}, 3, "the controller has not seen the change"),
        ({"updatedReplicas": 1}, 3, "2 pods not yet updated"),
        ({"replicas": 4}, 3, "1 old pod not yet gone"),
        ({}, 2, "1 pod not ready"),
        ({"availableReplicas": 2}, 3, "1 pod not available"),
    ],
)
def test_each_step_of_a_deployments_rollout_is_waited_for(status: model.Json, ready: int, said: str) -> None:
    found = assessed(RESTART, rolled(raw.workload(ready=ready, status=status)))
    assert found.status == "pending"
    assert found.progress.endswith(said)
    assert found.reason == ""


def test_the_progress_tells_how_many_are_rolled_out_and_ready() -> None:
    found = assessed(RESTART, rolled(raw.workload(ready=2, status={"updatedReplicas": 2})))
    assert found.progress.startswith("2 of 3 rolled out, 2 ready; ")


def test_pods_that_are_counted_but_not_seen_are_waited_for() -> None:
    assert "1 pod not seen" in assessed(RESTART, rolled(pods=new_pods(2))).progress


def test_pods_that_end_or_have_ended_are_no_members() -> None:
    ending = raw.pod("gone", uid="x", ready=False, deletionTimestamp=raw.at(1))
    evicted = raw.pod("evicted", uid="y", ready=False)
    evicted["status"]["phase"] = "Failed"
    assert assessed(RESTART, rolled(pods=(*new_pods(), ending, evicted))).status == "verified"


def test_the_hold_counts_from_the_last_pod_that_became_ready() -> None:
    pods = (*new_pods(2), raw.pod("late", uid="z", created=4, since=1))
    found = assessed(RESTART, rolled(pods=pods))
    assert found.status == "pending"
    assert found.progress.endswith("ready for 1 min, not yet 2 min")
    assert found.healthy_since == raw.NOW - timedelta(minutes=1)
    assert assessed(RESTART, rolled(pods=pods), 6).status == "verified"


def restarted(minutes: float, reason: str = "Error", **made: Any) -> model.Json:
    """A pod that is ready, and one of whose containers was started again so many minutes before NOW."""
    status = {
        "name": "web",
        "restartCount": 1,
        "state": {"running": {"startedAt": raw.at(minutes)}},
        "lastState": {"terminated": {"exitCode": 1, "reason": reason, "finishedAt": raw.at(minutes)}},
    }
    return raw.pod("shaky", uid="s", **{"created": 4, "since": 4, "containers": [status], **made})


def test_a_crash_after_the_hold_began_sets_it_back() -> None:
    pods = (*new_pods(2), restarted(1))
    assert assessed(RESTART, rolled(pods=pods)).status == "pending"
    assert assessed(RESTART, rolled(pods=pods), 6).status == "verified"


def test_a_pod_that_is_not_ready_any_more_takes_the_hold_away() -> None:
    pods = (*new_pods(2), raw.pod("shaky", uid="s", created=4, since=0.1, ready=False))
    found = assessed(RESTART, rolled(pods=pods))
    assert found.healthy_since is None
    assert found.progress.endswith("pods not ready yet")


def test_pods_that_were_ready_before_the_action_are_held_from_its_start() -> None:
    pods = new_pods(3, created=90, since=80)
    assert assessed(UNDO, rolled(pods=pods), 1).status == "pending"
    assert assessed(UNDO, rolled(pods=pods), 2).status == "verified"


def waiting(reason: str, **made: Any) -> model.Json:
    status = {"name": "web", "state": {"waiting": {"reason": reason}}}
    return raw.pod("bad", uid="b", **{"created": 4, "ready": False, "containers": [status], **made})


@pytest.mark.parametrize(
    "reason", ["CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"]
)
def test_a_new_pod_that_cannot_start_ends_the_wait_early(reason: str) -> None:
    found = assessed(RESTART, rolled(raw.workload(ready=2), (*new_pods(2), waiting(reason))))
    assert found.status == "not-verified"
    assert found.reason == f"Pod bad cannot run: {reason}."


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull", ""])
def test_a_new_pod_on_its_way_is_waited_for(reason: str) -> None:
    assert assessed(RESTART, rolled(raw.workload(ready=2), (*new_pods(2), waiting(reason)))).status == "pending"


def test_an_init_container_that_cannot_start_ends_the_wait_too() -> None:
    pod = raw.pod("bad", uid="b", created=4, ready=False, containers=[])
    pod["status"]["initContainerStatuses"] = [{"name": "prepare", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    assert assessed(RESTART, rolled(raw.workload(ready=2), (pod,))).status == "not-verified"


def test_memory_running_out_after_the_action_ends_the_wait_even_if_the_pod_came_back() -> None:
    found = assessed(RESTART, rolled(pods=(*new_pods(2), restarted(1, "OOMKilled"))))
    assert found.reason == "Pod shaky ran out of memory after the action: OOMKilled."
    before = restarted(20, "OOMKilled", created=90, since=19)
    assert assessed(UNDO, rolled(pods=(*new_pods(2), before))).status == "verified"


def test_failures_of_the_old_generation_do_not_speak_against_the_action() -> None:
    old = waiting("CrashLoopBackOff", owner=("ReplicaSet", "rs-4"), created=30)
    ownerless = waiting("CrashLoopBackOff", owner=None)
    found = assessed(RESTART, rolled(raw.workload(status={"replicas": 4}), (*new_pods(), old, ownerless)))
    assert found.status == "pending"


def test_a_back_off_from_before_the_action_is_no_new_crash() -> None:
    for minutes, status in ((20, "pending"), (1, "not-verified")):
        pod = waiting("CrashLoopBackOff", created=90)
        ended = {"terminated": {"exitCode": 1, "finishedAt": raw.at(minutes)}}
        pod["status"]["containerStatuses"][0]["lastState"] = ended
        assert assessed(UNDO, rolled(raw.workload(ready=2), (*new_pods(2), pod))).status == status


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": raw.at(1)}, "not-verified"),
        ({"status": "False", "lastTransitionTime": raw.at(1)}, "not-verified"),
        ({"status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": raw.at(9)}, "pending"),
        ({"status": "False", "reason": "ProgressDeadlineExceeded"}, "pending"),
        ({"status": "True", "lastUpdateTime": raw.at(1)}, "pending"),
    ],
)
def test_a_rollout_that_was_given_up_after_the_action_ends_the_wait(condition: model.Json, status: str) -> None:
    conditions = {"conditions": [{"type": "Progressing", **condition}]}
    found = assessed(RESTART, rolled(raw.workload(ready=1, status=conditions)))
    assert found.status == status
    assert ("given up" in found.reason) == (status == "not-verified")


def test_when_patience_ends_the_reason_says_what_was_still_missing() -> None:
    found = assessed(RESTART, rolled(raw.workload(ready=1)), 10)
    assert found.status == "not-verified"
    assert found.reason == "After 10 min still 2 pods not ready."


def test_what_is_well_when_patience_ends_is_given_the_rest_of_its_hold() -> None:
    late = rolled(pods=new_pods(since=-4))
    assert assessed(RESTART, late, 10).status == "pending"
    assert assessed(RESTART, late, 11).status == "verified"


def test_what_falls_ill_again_and_again_has_an_end() -> None:
    found = assessed(RESTART, rolled(pods=new_pods(since=-6)), 12)
    assert (found.status, found.reason) == ("not-verified", "After 12 min still ready for 1 min, not yet 2 min.")


def test_only_an_end_that_is_the_actions_doing_tells_how_many_are_ready() -> None:
    assert (lost := assessed(RESTART, rolled(raw.workload(ready=1)), 10)).ready == 1
    assert lost.desired == 3
    assert assessed(RESTART, rolled(raw.workload(ready=1)), 9).ready is None


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (raw.workload(paused=True), "was paused since"),
        (raw.workload(replicas=0, ready=0), "no pods to judge by"),
    ],
)
def test_what_somebody_else_did_meanwhile_ends_the_wait(obj: model.Json, said: str) -> None:
    found = assessed(RESTART, rolled(obj))
    assert found.status == "not-verified"
    assert said in found.reason


def test_a_workload_that_is_gone_is_not_verified() -> None:
    found = assessed(RESTART, raw.target(None))
    assert (found.status, found.reason) == ("not-verified", "Deployment payments/api is gone.")


# --- StatefulSet, DaemonSet ---


def stateful(count: int, since: float = 3, revision: str = "api-7") -> tuple[model.Json, ...]:
    labels = {"controller-revision-hash": revision}
    return tuple(
        raw.pod(f"api-{number}", uid=f"{revision}-{number}", created=4, since=since, labels=labels)
        for number in range(count)
    )


STATEFUL = model.RolloutRestart(raw.ref("StatefulSet"))
DAEMONS = model.RolloutRestart(raw.ref("DaemonSet"))


def test_a_stateful_set_is_rolled_out_ordinal_by_ordinal() -> None:
    halfway = raw.workload("StatefulSet", status={"updatedReplicas": 1})
    assert "2 pods not yet updated" in assessed(STATEFUL, rolled(halfway, stateful(3))).progress
    assert assessed(STATEFUL, rolled(raw.workload("StatefulSet"), stateful(3))).status == "verified"
    missing = raw.workload("StatefulSet", ready=2)
    assert "1 pod not ready" in assessed(STATEFUL, rolled(missing, stateful(3))).progress


def test_a_partition_of_a_stateful_set_is_not_waited_for() -> None:
    staged = raw.workload(
        "StatefulSet", status={"updatedReplicas": 1}, updateStrategy={"rollingUpdate": {"partition": 2}}
    )
    assert assessed(STATEFUL, rolled(staged, stateful(3))).status == "verified"


@pytest.mark.parametrize(("revision", "status"), [("api-7", "not-verified"), ("api-6", "pending")])
def test_only_pods_of_the_update_revision_speak_against_a_stateful_set(revision: str, status: str) -> None:
    bad = waiting("CrashLoopBackOff", labels={"controller-revision-hash": revision})
    found = assessed(STATEFUL, rolled(raw.workload("StatefulSet", ready=2), (*stateful(2), bad)))
    assert found.status == status


@pytest.mark.parametrize(
    ("status", "ready", "said"),
    [
        ({"updatedNumberScheduled": 2}, 3, "1 pod not yet updated"),
        ({}, 2, "1 pod not ready"),
        ({"numberAvailable": 2}, 3, "1 pod not available"),
        ({"observedGeneration": None}, 3, "the controller has not seen the change"),
    ],
)
def test_each_step_of_a_daemon_sets_rollout_is_waited_for(status: model.Json, ready: int, said: str) -> None:
    found = assessed(DAEMONS, rolled(raw.workload("DaemonSet", ready=ready, status=status)))
    assert found.status == "pending"
    assert found.progress.endswith(said)


def test_a_daemon_set_is_verified_and_fails_by_its_new_pods_only() -> None:
    assert assessed(DAEMONS, rolled(raw.workload("DaemonSet"))).status == "verified"
    incomplete = raw.workload("DaemonSet", ready=2)
    old = waiting("CrashLoopBackOff", created=30)
    assert assessed(DAEMONS, rolled(incomplete, (*new_pods(2), old))).status == "pending"
    assert assessed(DAEMONS, rolled(incomplete, (*new_pods(2), waiting("CrashLoopBackOff")))).status == "not-verified"


# --- scale ---


def test_a_scale_is_verified_once_the_number_is_reached_and_held() -> None:
    found = assessed(SCALE, rolled())
    assert (found.status, found.progress) == ("verified", "3 of 3 ready")
    assert "1 old pod not yet gone" in assessed(SCALE, rolled(raw.workload(status={"replicas": 4}))).progress
    assert "1 pod not ready" in assessed(SCALE, rolled(raw.workload(ready=2))).progress


def test_a_scale_that_somebody_overrode_is_not_verified() -> None:
    found = assessed(SCALE, rolled(raw.workload(replicas=1, ready=1)))
    assert (found.status, found.reason) == ("not-verified", "payments/api was set to 1 replica since.")


def test_a_pod_that_the_scale_added_and_that_cannot_start_ends_the_wait() -> None:
    incomplete = raw.workload(ready=2)
    assert assessed(SCALE, rolled(incomplete, (*new_pods(2), waiting("ImagePullBackOff")))).status == "not-verified"
    old = waiting("ImagePullBackOff", created=60)
    assert assessed(SCALE, rolled(incomplete, (*new_pods(2), old))).status == "pending"


def test_a_scale_of_a_paused_deployment_is_judged_by_its_replicas() -> None:
    assert assessed(SCALE, rolled(raw.workload(paused=True))).status == "verified"


# --- delete pod ---


def deleted(pod: model.Json | None, owner: model.Json | None, pods: tuple[model.Json, ...]) -> model.Target:
    return replace(rolled(pods=pods), ref=OLD_POD, object=pod, owner=owner)


def test_a_deleted_pod_is_verified_once_it_is_gone_and_its_place_is_taken() -> None:
    dying = raw.pod("api-h5-old", uid="pod-old", deletionTimestamp=raw.at(1))
    found = assessed(DELETE, deleted(dying, raw.workload(), new_pods()))
    assert found.progress == "3 of 3 ready; the old pod has not ended"
    assert "1 pod not ready" in assessed(DELETE, deleted(None, raw.workload(ready=2), new_pods(2))).progress
    assert assessed(DELETE, deleted(None, raw.workload(), new_pods())).status == "verified"


def test_a_namesake_of_the_deleted_pod_has_taken_its_place() -> None:
    namesake = raw.pod("api-h5-old", uid="pod-new", created=4, since=3)
    assert assessed(DELETE, deleted(namesake, raw.workload(), (*new_pods(2), namesake))).status == "verified"


def test_a_new_pod_that_fails_like_the_deleted_one_ends_the_wait() -> None:
    pods = (*new_pods(2), waiting("CrashLoopBackOff"))
    assert assessed(DELETE, deleted(None, raw.workload(ready=2), pods)).status == "not-verified"


def test_without_the_workload_a_deletion_is_not_verified() -> None:
    assert assessed(DELETE, deleted(None, None, ())).status == "not-verified"


# --- whatever comes ---


def test_pods_without_dates_are_never_believed() -> None:
    undated = raw.pod("x", uid="x")
    undated["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    undated["metadata"]["creationTimestamp"] = None
    assert assessed(RESTART, rolled(pods=(*new_pods(2), undated))).status == "pending"


@pytest.mark.parametrize("odd", [{}, {"status": None, "spec": []}, {"metadata": 3, "status": {"conditions": "x"}}])
def test_odd_objects_are_pending_until_patience_ends(odd: model.Json) -> None:
    target = rolled(odd, ({}, {"status": {"containerStatuses": [None, 3]}}))
    assert assessed(RESTART, target).status == "pending"
    assert assessed(RESTART, target, 10).status == "not-verified"


@settings(deadline=None, max_examples=150)
@given(
    ready=st.integers(0, 3),
    updated=st.integers(0, 3),
    since=st.floats(0, 4, allow_nan=False),
    minutes=st.floats(5, 30, allow_nan=False),
    alive=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_verified_means_all_updated_all_ready_and_held(
    ready: int, updated: int, since: float, minutes: float, alive: list[bool]
) -> None:
    pods = tuple(
        raw.pod(f"p{number}", uid=f"p{number}", created=4, since=since, ready=up) for number, up in enumerate(alive)
    )
    found = assessed(RESTART, rolled(raw.workload(ready=ready, status={"updatedReplicas": updated}), pods), minutes)
    if found.status == "verified":
        assert (ready, updated, all(alive)) == (3, 3, True)
        assert found.healthy_since is not None
        assert STARTED + timedelta(minutes=minutes) - found.healthy_since >= HOLD
    else:
        assert found.status == ("not-verified" if minutes >= 10 else "pending")


# --- other success tests --------------------------------------------------------------------------------------------

PAUSE = model.RolloutPause(raw.API)


def test_a_field_is_verified_once_its_controller_has_seen_it() -> None:
    found = assessed(PAUSE, rolled(raw.workload(paused=True)), 0.1)
    assert (found.status, found.progress) == ("verified", "set")
    unseen = raw.workload(paused=True, status={"observedGeneration": 3})
    found = assessed(PAUSE, rolled(unseen), 0.1)
    assert (found.status, found.progress) == ("pending", "set; the controller has not seen the change")
    found = assessed(PAUSE, rolled(unseen), 10)
    assert (found.status, found.reason) == ("not-verified", "After 10 min still the controller has not seen it.")


def test_a_field_that_was_set_otherwise_since_is_not_verified() -> None:
    found = assessed(PAUSE, rolled(raw.workload()))
    assert (found.status, found.reason) == ("not-verified", "payments/api was resumed since.")
    assert assessed(PAUSE, raw.target(None)).reason == "Deployment payments/api is gone."


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (model.SetImage(raw.API, "web", "web:1.4"), "was set to web:1.5 since."),
        (model.SetResources(raw.API, "web", memory_limit="1Gi"), "were changed since."),
        (model.SetEnv(raw.API, "web", "A", 4), "was changed since."),
        (model.RolloutResume(raw.API), ""),
    ],
)
def test_a_template_that_somebody_changed_since_is_not_verified(action: model.Action, said: str) -> None:
    found = assessed(action, rolled())
    assert found.status == ("not-verified" if said else "verified")
    assert found.reason.endswith(said)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_an_image_rolls_out_like_any_other_template(kind: str) -> None:
    action = model.SetImage(raw.ref(kind), "web", "web:1.5")
    pods = tuple(raw.pod(f"api-{at}", owner=(kind, raw.OWNER_UID), uid=f"n{at}", created=4, since=3) for at in range(3))
    target = raw.target(raw.workload(kind), of=raw.ref(kind), pods=pods)
    found = assessed(action, target)
    assert (found.status, found.progress) == ("verified", "3 of 3 rolled out, 3 ready")
