"""The rules of diagnosis: the cause, what it rests on, how sure it is, what they speak for, and what they do not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import diagnoses
from bot.flow import diagnosing
from k8s import detection, model

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=4)
ROLLOUT = NOW - timedelta(minutes=10)
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
NO_FACTS: Mapping[str, str] = {}
POD = model.ResourceRef("Pod", "payments", "api-5d-x", "uid-pod")


def problem(
    kind: str,
    *,
    ready: int | None = 0,
    subject: model.ResourceRef = API,
    facts: Mapping[str, str] = NO_FACTS,
) -> model.Problem:
    finding = model.Finding(
        kind=kind,
        severity="P1",
        resource=POD,
        owner=subject,
        message=f"Container app of pod api-5d-x shows {kind}.",
        since=BEGAN,
        cause="x",
        container="app",
        facts=facts,
    )
    return model.Problem(subject, (finding,), "P1", ready, 3)


def dossier(
    *sources: diagnoses.Source, missing: tuple[str, ...] = (), facts: Mapping[str, str] = NO_FACTS
) -> diagnoses.Dossier:
    evidence = tuple(
        diagnoses.Evidence(number, source, source, f"body of {source}") for number, source in enumerate(sources, 1)
    )
    return diagnoses.Dossier(evidence, facts, None, missing)


def rolled_out(diff: str, *, healthy: str = "3", ago: timedelta = timedelta(minutes=10)) -> dict[str, str]:
    facts = {"rollout_revision": "4", "rollout_previous": "3", "rollout_diff": diff}
    facts["rollout_at"] = (NOW - ago).isoformat()
    return facts | ({"healthy_revision": healthy} if healthy else {})


def actions(found: diagnoses.Diagnosis) -> list[model.Action]:
    return [candidate.action for candidate in found.candidates]


def test_a_crash_that_names_what_the_rollout_removed_is_certain_and_undone() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff", facts={"exit_code": "1"}),
        dossier(
            "status",
            "previous-log",
            "events",
            "rollout",
            facts={"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"} | rolled_out("env DB_URL removed"),
        ),
        NOW,
    )
    assert found.confidence == "high"
    assert "exits with code 1: KeyError: 'DB_URL' [E2]" in found.cause
    assert "env DB_URL removed (revision 4, rolled out 6 min before the first failure) [E4]" in found.cause
    assert found.cites == (2, 4)
    assert actions(found) == [model.RolloutUndo(API, 3)]


def test_a_crash_after_a_rollout_that_the_log_does_not_explain_is_likely_not_certain() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff", facts={"exit_code": "137"}),
        dossier("status", "log", "rollout", facts={"error_line": "fatal: boom"} | rolled_out("image: api:1 → api:2")),
        NOW,
    )
    assert found.confidence == "medium"
    assert actions(found) == [model.RolloutUndo(API, 3)]


def test_a_crash_long_after_the_rollout_does_not_blame_it_and_proposes_nothing() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff", facts={"exit_code": "1"}),
        dossier(
            "status", "log", facts={"error_line": "fatal: boom"} | rolled_out("image: a → b", ago=timedelta(days=3))
        ),
        NOW,
    )
    assert actions(found) == []
    assert "A restart does not help" in found.next_step
    assert "rollout" not in found.cause


def test_no_healthy_revision_means_no_undo_and_it_is_said() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff"),
        dossier(
            "status",
            "log",
            facts={"missing_name": "X_Y", "error_line": "X_Y"} | rolled_out("env X_Y removed", healthy=""),
        ),
        NOW,
    )
    assert actions(found) == []
    assert "No earlier revision is known to have been healthy" in found.next_step


def test_an_image_that_is_not_there_since_the_rollout_is_undone() -> None:
    found = diagnosing.diagnose(
        problem("ImagePull", facts={"image": "web:9", "class": "not-found"}),
        dossier("status", "events", "rollout", facts=rolled_out("image: web:8 → web:9")),
        NOW,
    )
    assert found.confidence == "high"
    assert "Image web:9 cannot be pulled: the registry has no such image [E2]" in found.cause
    assert actions(found) == [model.RolloutUndo(API, 3)]


def test_a_change_of_another_image_is_not_to_blame() -> None:
    found = diagnosing.diagnose(
        problem("ImagePull", facts={"image": "web:9", "class": "not-found"}),
        dossier("status", "events", "rollout", facts=rolled_out("sidecar: image: proxy:1 → proxy:2")),
        NOW,
    )
    assert actions(found) == []
    assert found.confidence == "high"


def test_a_name_that_is_missing_without_a_rollout_is_asked_for() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff"),
        dossier("log", facts={"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"}),
        NOW,
    )
    assert "It asks for DB_URL, which it is not given." in found.cause
    assert (found.confidence, actions(found)) == ("medium", [])


def test_what_no_node_can_take_since_a_rollout_asked_for_more_is_undone() -> None:
    found = diagnosing.diagnose(
        problem("Unschedulable", facts={"class": "cpu"}),
        dossier("scheduling", "rollout", facts=rolled_out("cpu request 1 → 64")),
        NOW,
    )
    assert (found.confidence, actions(found)) == ("high", [model.RolloutUndo(API, 3)])


def test_replicas_that_all_fit_before_are_not_scaled_below_what_is_ready() -> None:
    found = diagnosing.diagnose(
        problem("Unschedulable", ready=9, facts={"class": "cpu"}),
        dossier("scheduling", facts={"scaled_from": "3", "scaled_to": "9"}),
        NOW,
    )
    assert actions(found) == []


def test_pods_that_are_not_ready_since_a_rollout_are_undone_and_their_log_is_told() -> None:
    facts = rolled_out("readiness probe changed: path") | {"error_line": "ERROR no such table"}
    found = diagnosing.diagnose(problem("NotReady"), dossier("log", "events", "rollout", facts=facts), NOW)
    assert "Its log says: ERROR no such table [E1]." in found.cause
    assert (found.confidence, actions(found)) == ("medium", [model.RolloutUndo(API, 3)])


def test_some_of_many_that_are_not_ready_are_for_a_person() -> None:
    found = diagnosing.diagnose(problem("NotReady", ready=1, facts={"pods": "2"}), dossier("events"), NOW)
    assert actions(found) == []
    assert "what the probe depends on" in found.next_step


PROBE = {"probe": "liveness", "answer": "HTTP probe failed with statuscode: 500.", "restarts": "3", "exit_code": "0"}


def test_what_its_probe_has_killed_is_not_told_as_an_exit_of_its_own() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff", facts=PROBE),
        dossier("status", "previous-log", "events", facts={"error_line": "ERROR pool exhausted"}),
        NOW,
    )
    assert found.cause == (
        "The kubelet keeps restarting container app, since its liveness probe fails with "
        '"HTTP probe failed with statuscode: 500", 3 restarts so far [E3]. Its log says: ERROR pool exhausted [E2].'
    )
    assert (found.confidence, actions(found)) == ("medium", [])


def test_what_its_probe_kills_since_a_rollout_is_undone() -> None:
    found = diagnosing.diagnose(
        problem("CrashLoopBackOff", facts={"probe": "startup"}),
        dossier("events", "rollout", facts=rolled_out("startup probe changed: periodSeconds 10 → 1")),
        NOW,
    )
    assert "its startup probe fails [E1]." in found.cause
    assert actions(found) == [model.RolloutUndo(API, 3)]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=20), "rolled out just before the first failure"),
        (timedelta(minutes=90), "rolled out 90 min before the first failure"),
        (timedelta(hours=30), "rolled out 30 h before the first failure"),
        (timedelta(days=3), "rolled out 3 d before the first failure"),
    ],
)
def test_how_long_before_is_said_as_people_say_it(before: timedelta, said: str) -> None:
    facts = rolled_out("env X_Y removed", ago=NOW - BEGAN + before) | {"missing_name": "X_Y", "error_line": "X_Y?"}
    found = diagnosing.diagnose(problem("CrashLoopBackOff"), dossier("log", "rollout", facts=facts), NOW)
    assert said in found.cause


def test_a_rollout_without_a_time_is_named_by_its_revision() -> None:
    facts = rolled_out("env X_Y removed") | {"missing_name": "X_Y", "error_line": "X_Y?", "rollout_at": ""}
    found = diagnosing.diagnose(problem("CrashLoopBackOff"), dossier("log", "rollout", facts=facts), NOW)
    assert "env X_Y removed (revision 4) [E2]" in found.cause


def test_a_registry_that_is_away_is_nothing_that_an_undo_mends() -> None:
    found = diagnosing.diagnose(
        problem("ImagePull", facts={"image": "web:9", "class": "unreachable"}),
        dossier("events", "rollout", facts=rolled_out("image: web:8 → web:9")),
        NOW,
    )
    assert actions(found) == []
    assert "registry" in found.next_step


@pytest.mark.parametrize("kind", ["unreachable", "rate-limited"])
@pytest.mark.parametrize(
    ("change", "undone"),
    [
        ("image: registry.one/web:8 → registry.two:5000/web:9", True),
        ("app: image: web:8 → registry.two/web:9", True),
        ("image: registry.two/web:8 → registry.two/web:9", False),
        ("image: library/web:8 → docker.io/web:9", False),
        ("image: none → registry.two/web:9", False),
        ("container web:9 added", False),
    ],
)
def test_an_image_that_a_rollout_took_to_a_registry_that_is_away_is_put_back(
    kind: str, change: str, undone: bool
) -> None:
    image = change.rpartition(" ")[2] if "→" in change else "web:9"
    found = diagnosing.diagnose(
        problem("ImagePull", facts={"image": image, "class": kind}),
        dossier("events", "rollout", facts=rolled_out(change)),
        NOW,
    )
    assert (actions(found) == [model.RolloutUndo(API, 3)]) == undone
    assert ("moved it to this registry" in found.cause) == undone


def test_an_oom_kill_at_a_limit_that_was_just_lowered_is_undone() -> None:
    found = diagnosing.diagnose(
        problem("OOMKilled", facts={"memory_limit": "128Mi", "restarts": "4"}),
        dossier("status", "rollout", facts=rolled_out("image: api:1 → api:2\nmemory limit 256Mi → 128Mi")),
        NOW,
    )
    assert found.confidence == "high"
    assert actions(found) == [model.RolloutUndo(API, 3)]


@pytest.mark.parametrize(
    ("diff", "undone"),
    [
        ("memory limit none → 128Mi", True),
        ("memory limit 1Gi → 512Mi", True),
        ("app: memory limit 1Gi → 512Mi", True),
        ("sidecar: memory limit 1Gi → 512Mi", False),
        ("memory limit 128Mi → 256Mi", False),
        ("memory limit 128Mi → none", False),
        ("memory request 128Mi → 256Mi", False),
    ],
)
def test_only_a_limit_of_the_killed_container_that_was_lowered_is_to_blame_long_after_the_rollout(
    diff: str, undone: bool
) -> None:
    found = diagnosing.diagnose(
        problem("OOMKilled"),
        dossier("status", "rollout", facts=rolled_out(diff, ago=timedelta(days=2))),
        NOW,
    )
    assert (actions(found) == [model.RolloutUndo(API, 3)]) == undone


def test_a_limit_that_was_just_raised_is_not_put_back_to_what_was_less() -> None:
    raised = "memory limit 128Mi → 256Mi"
    only = diagnosing.diagnose(problem("OOMKilled"), dossier("status", "rollout", facts=rolled_out(raised)), NOW)
    assert actions(only) == []
    assert "rollout" not in only.cause
    with_more = diagnosing.diagnose(
        problem("OOMKilled"),
        dossier("status", "rollout", facts=rolled_out(f"image: api:1 → api:2\n{raised}")),
        NOW,
    )
    assert actions(with_more) == [model.RolloutUndo(API, 3)]
    assert with_more.confidence == "medium"


def test_an_oom_kill_without_a_change_is_for_a_person() -> None:
    found = diagnosing.diagnose(
        problem("OOMKilled", facts={"memory_limit": "128Mi", "restarts": "4"}), dossier("status"), NOW
    )
    assert actions(found) == []
    told = "Container app used all of its memory limit of 128Mi when the kernel killed it, 4 restarts so far [E1]."
    assert found.cause == told
    assert "No action here helps for long" in found.next_step


@pytest.mark.parametrize(("restarts", "told"), [("0", "[E1]."), ("1", ", 1 restart so far [E1]."), ("odd", "[E1].")])
def test_an_oom_kill_without_a_limit_says_that_there_is_none_and_counts_as_people_do(restarts: str, told: str) -> None:
    found = diagnosing.diagnose(problem("OOMKilled", facts={"restarts": restarts}), dossier("status"), NOW)
    assert "it has no memory limit, and its node or pod had none left" in found.cause
    assert found.cause.endswith(told)


def test_a_missing_object_that_the_rollout_began_to_ask_for_is_undone() -> None:
    found = diagnosing.diagnose(
        problem("ConfigError", facts={"missing": 'ConfigMap "app-settings"'}),
        dossier("status", "events", "rollout", facts=rolled_out("env from ConfigMap app-settings added")),
        NOW,
    )
    assert (found.confidence, actions(found)) == ("high", [model.RolloutUndo(API, 3)])


def test_a_missing_object_without_a_rollout_is_to_be_created() -> None:
    found = diagnosing.diagnose(problem("ConfigError", facts={"missing": 'Secret "db"'}), dossier("events"), NOW)
    assert actions(found) == []
    assert 'Create Secret "db"' in found.next_step


def test_what_no_node_can_take_is_for_a_person() -> None:
    found = diagnosing.diagnose(problem("Unschedulable", facts={"class": "cpu"}), dossier("scheduling"), NOW)
    assert actions(found) == []
    assert "Ask for less cpu" in found.next_step


def test_what_a_pod_asks_for_is_told_beside_what_the_nodes_have() -> None:
    facts = {
        "room": "worker-1 has most free: 250m of its 4 CPU",
        "kept_off": "It does not tolerate a:NoSchedule (node b).",
    }
    found = diagnosing.diagnose(
        problem("Unschedulable", facts={"class": "cpu"}), dossier("events", "scheduling", facts=facts), NOW
    )
    assert found.cause == (
        "Container app of pod api-5d-x shows Unschedulable [E1]. worker-1 has most free: 250m of its 4 CPU [E2]. "
        "It does not tolerate a:NoSchedule (node b) [E2]."
    )


def test_what_is_larger_than_any_node_needs_a_larger_one() -> None:
    facts = {"room": "The largest node, worker-1, holds 4 CPU in all", "room_never": "true"}
    found = diagnosing.diagnose(
        problem("Unschedulable", facts={"class": "cpu"}), dossier("scheduling", facts=facts), NOW
    )
    assert "It fits on no node, even an empty one: the largest node, worker-1, holds 4 CPU in all [E1]." in found.cause
    assert found.next_step == "Ask for less cpu, or add a larger node."


@pytest.mark.parametrize(("kind", "scaled"), [("gpu", True), ("affinity", True), ("ports", True), ("pvc", False)])
def test_more_replicas_than_fit_are_scaled_back_whatever_they_lack_but_a_volume(kind: str, scaled: bool) -> None:
    found = diagnosing.diagnose(
        problem("Unschedulable", ready=3, facts={"class": kind}),
        dossier("events", facts={"scaled_from": "3", "scaled_to": "9"}),
        NOW,
    )
    assert (actions(found) == [model.Scale(API, 3)]) == scaled


def test_replicas_beyond_what_the_cluster_holds_may_be_scaled_back() -> None:
    found = diagnosing.diagnose(
        problem("Unschedulable", ready=3, facts={"class": "cpu"}),
        dossier("events", "scheduling", facts={"scaled_from": "3", "scaled_to": "9"}),
        NOW,
    )
    assert actions(found) == [model.Scale(API, 3)]
    assert found.confidence == "medium"


def test_one_pod_of_many_that_is_not_ready_may_be_replaced() -> None:
    found = diagnosing.diagnose(problem("NotReady", ready=2), dossier("events"), NOW)
    assert actions(found) == [model.DeletePod(POD, API)]


def test_all_pods_not_ready_for_no_known_reason_may_be_restarted_and_it_is_said_how_unsure_that_is() -> None:
    found = diagnosing.diagnose(problem("NotReady", ready=0), dossier("events"), NOW)
    assert actions(found) == [model.RolloutRestart(API)]
    assert found.confidence == "low"


def test_a_stuck_rollout_is_undone_and_names_its_change() -> None:
    found = diagnosing.diagnose(
        problem("RolloutStuck", ready=3), dossier("status", "rollout", facts=rolled_out("readiness probe changed")), NOW
    )
    assert actions(found) == [model.RolloutUndo(API, 3)]
    assert "readiness probe changed [E2]" in found.cause


QUOTA = 'pods "api-5d-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1'


def test_why_pods_cannot_be_created_is_told_in_the_servers_words() -> None:
    found = diagnosing.diagnose(problem("ReplicasMissing", facts={"said": QUOTA}), dossier("events"), NOW)
    assert f'refuses its pods: "{QUOTA}" [E1].' in found.cause
    assert found.confidence == "high"


def test_a_rollout_that_is_stuck_for_want_of_pods_tells_why_they_cannot_be_created() -> None:
    stuck, missing = problem("RolloutStuck"), problem("ReplicasMissing", facts={"said": QUOTA})
    both = replace(stuck, findings=(*stuck.findings, *missing.findings))
    found = diagnosing.diagnose(both, dossier("status"), NOW)
    assert "shows RolloutStuck" in found.cause
    assert "exceeded quota: few" in found.cause
    assert (found.confidence, actions(found)) == ("high", [])
    assert "quota" in found.next_step


@pytest.mark.parametrize("kind", ["NodeNotReady", "NodePressure", "JobFailed", "ReplicasMissing"])
def test_kinds_that_no_action_mends_say_what_a_person_should_do(kind: str) -> None:
    node = model.ResourceRef("Node", "", "node-1", "uid-node")
    found = diagnosing.diagnose(problem(kind, subject=node), dossier("status", "events"), NOW)
    assert actions(found) == []
    assert found.next_step


def test_missing_evidence_lowers_a_high_confidence_and_is_kept() -> None:
    found = diagnosing.diagnose(
        problem("OOMKilled", facts={"memory_limit": "1Gi"}),
        dossier("status", missing=("the current log: timed out",)),
        NOW,
    )
    assert found.confidence == "medium"
    assert found.missing == ("the current log: timed out",)


def test_every_kind_of_the_catalogue_has_a_rule() -> None:
    assert set(detection.KINDS) == set(diagnosing.RULES)


def test_secrets_in_what_the_cluster_says_do_not_reach_the_cause() -> None:
    url = "postgres://app:" + "hunter2" + "hunter2@db/x"
    found = diagnosing.diagnose(problem("CrashLoopBackOff"), dossier("log", facts={"error_line": f"fatal: {url}"}), NOW)
    assert "hunter2" not in found.cause


TEXTS = st.text(max_size=60)
FACTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["error_line", "missing_name", "rollout_diff", "rollout_at", "rollout_revision", "scaled_from", "scaled_to"],
        TEXTS,
    ),
)


@given(
    kind=st.sampled_from([*detection.KINDS, "Unheard"]), facts=FACTS, found=st.dictionaries(TEXTS, TEXTS, max_size=4)
)
def test_only_evidence_that_is_there_is_cited_and_nothing_raises(
    kind: str, facts: dict[str, str], found: dict[str, str]
) -> None:
    facts = {name: text for name, text in facts.items() if not name.startswith("scaled") or text.isdecimal()}
    shown = problem(kind, ready=1)
    shown = replace(shown, findings=(replace(shown.primary, facts=found),))
    given_ = replace(dossier("status", "rollout"), facts=facts)
    diagnosis = diagnosing.diagnose(shown, given_, NOW)
    assert set(diagnosis.cites) <= {piece.number for piece in given_.evidence}
    assert diagnosis.cause
    assert diagnosis.next_step
    assert all(candidate.action.workload == API for candidate in diagnosis.candidates)
