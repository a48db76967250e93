"""What is one step short of proof: each new candidate with what must keep it from being proposed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.causes import cases, narrowing
from bot.domain import diagnoses
from bot.flow import diagnosing
from k8s import model, quantities
from tests.bot.causes import dossiers as d
from tests.bot.causes import examples as e
from tests.k8s import raw


def names(problem: model.Problem, dossier: diagnoses.Dossier) -> list[str]:
    found = diagnosing.diagnose(problem, dossier, d.NOW)
    return [model.name_of(action) for action in d.actions(found)]


# --- memory ---------------------------------------------------------------------------------------------------------

SOON = {"lived": "300"}


def test_half_as_much_memory_again_is_proposed_with_its_reason_and_the_request_stays() -> None:
    found = diagnosing.diagnose(e.shown("OOMKilled", facts=e.KILLED), e.unchanged(facts=SOON), d.NOW)
    assert d.actions(found) == [model.SetResources(e.API, "web", memory_limit="384Mi")]
    why = "it reaches 256Mi within 5 min of its start, again and again; 384Mi is half as much again"
    assert found.candidates[0].why == why
    assert "It had run for 5 min by then [E1]." in found.cause
    assert found.confidence == "medium"


@pytest.mark.parametrize(
    ("facts", "seen"),
    [
        ({**e.KILLED, "restarts": "1"}, SOON),
        ({**e.KILLED, "memory_limit": ""}, SOON),
        (e.KILLED, {}),
        (e.KILLED, {"lived": "3601"}),
        (e.KILLED, {**SOON, **d.rolled_out("memory limit 128Mi → 256Mi", ago=e.LONG_AGO)}),
    ],
    ids=["killed once", "no limit", "how long it ran is not known", "slow", "raised already"],
)
def test_no_more_memory_where_it_may_be_a_leak(facts: dict[str, str], seen: dict[str, str]) -> None:
    assert names(e.shown("OOMKilled", facts=facts), e.unchanged(facts=seen)) == []


def test_no_more_memory_for_a_leak_that_was_measured_or_a_workload_that_was_not_read() -> None:
    killed, leak = e.shown("OOMKilled", facts=e.KILLED), e.shown("MemoryGrowth")
    both = replace(killed, findings=(*killed.findings, *leak.findings))
    assert names(both, e.unchanged(facts=SOON)) == []
    assert names(killed, d.dossier("status", facts=SOON)) == []
    assert names(e.shown("OOMKilled", facts=e.KILLED, subject=e.JOB), e.unchanged(facts=SOON)) == []


@given(st.integers(1, 2**50))
def test_what_is_proposed_of_memory_is_canonical_and_half_as_much_again(limit: int) -> None:
    template = raw.pod_template(resources={"limits": {"memory": str(limit)}})
    dossier = e.unchanged(obj=raw.workload(template=template))
    amounts = narrowing.more_memory(cases.Case(e.shown("OOMKilled"), dossier, d.NOW))
    assert amounts is not None
    more = quantities.parse(amounts[1], "memory")
    assert more is not None
    assert quantities.is_canonical(amounts[1], "memory")
    assert limit * 3 <= more * 2 < limit * 3 + (4 << 20)


# --- narrower than an undo --------------------------------------------------------------------------------------------


def test_a_variable_is_put_back_from_the_revision_that_had_it_and_no_value_is_told() -> None:
    example = next(one for one in e.EXAMPLES if one.proposes[:1] == ("set-env",))
    found = diagnosing.diagnose(example.problem, example.dossier, d.NOW)
    assert d.actions(found)[0] == model.SetEnv(e.API, "web", "DB_URL", 4)
    assert found.next_step.startswith("Put DB_URL back, or undo the rollout")


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"env": [{"name": "DB_URL", "value": "x"}] * 2}, e.LESS),
        (e.LESS, e.ENV),
        (e.ENV, e.ENV),
    ],
    ids=["set twice", "new", "as it was"],
)
def test_a_variable_that_was_not_plainly_lost_is_not_put_back(was: dict[str, Any], now: dict[str, Any]) -> None:
    dossier = e.rolled_out(was=was, now=now, diff="env DB_URL removed\nenv LOG changed", facts=e.LOST)
    assert names(e.shown("CrashLoopBackOff"), dossier) == ["rollout-undo"]


def test_without_the_workload_or_a_healthy_revision_nothing_narrower_is_proposed() -> None:
    example = next(one for one in e.EXAMPLES if one.proposes[:1] == ("set-env",))
    assert names(example.problem, replace(example.dossier, target=None)) == ["rollout-undo"]
    unproven = {key: text for key, text in example.dossier.facts.items() if key != "healthy_revision"}
    assert names(example.problem, replace(example.dossier, facts=unproven)) == []


def test_a_restart_that_came_with_the_rollout_is_no_other_change() -> None:
    dossier = e.rolled_out(
        was=e.ENV,
        now=e.LESS,
        diff="env DB_URL removed\nannotation kubectl.kubernetes.io/restartedAt added",
        facts=e.LOST,
    )
    assert names(e.shown("CrashLoopBackOff"), dossier) == ["rollout-undo"]


def test_a_limit_that_was_not_lowered_in_the_template_is_not_put_back() -> None:
    same = {"resources": dict(e.AMOUNTS)}
    dossier = e.rolled_out(was=same, now={**same, **e.LESS}, diff="memory limit 256Mi → 128Mi\nenv LOG changed")
    assert names(e.shown("OOMKilled", facts=e.KILLED), dossier) == ["rollout-undo"]


@pytest.mark.parametrize("short", ["memory", "taint", "too-many-pods"])
def test_a_request_that_is_not_what_is_short_is_not_put_back_alone(short: str) -> None:
    dossier = e.rolled_out(
        was={"resources": dict(e.AMOUNTS)},
        now={"resources": e.GREEDY, **e.LESS},
        diff="cpu request 250m → 900m\nenv LOG changed",
    )
    assert names(e.shown("Unschedulable", facts={"class": short}), dossier) == ["rollout-undo"]


def test_a_limit_is_not_put_back_beside_another_image() -> None:
    dossier = e.rolled_out(
        was={"resources": dict(e.AMOUNTS)},
        now={"resources": e.LOWER},
        images=("web:1.4", "web:1.5"),
        diff="memory limit 256Mi → 128Mi\nimage: web:1.4 → web:1.5",
    )
    assert names(e.shown("OOMKilled", facts=e.KILLED), dossier) == ["rollout-undo"]


@pytest.mark.parametrize(
    ("before", "images"),
    [(dict(e.AMOUNTS), ("web:1.4", "web:1.5")), ({"limits": {"memory": "256Mi"}}, ("web:1.4", "web:1.4"))],
    ids=["another image", "no request before"],
)
def test_a_request_is_not_put_back_beside_another_image_or_where_there_was_none(
    before: dict[str, Any], images: tuple[str, str]
) -> None:
    dossier = e.rolled_out(
        was={"resources": before},
        now={"resources": e.GREEDY},
        images=images,
        diff="cpu request 250m → 900m\nenv LOG changed",
    )
    assert names(e.shown("Unschedulable", facts=e.SHORT), dossier) == ["rollout-undo"]


# --- pods -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pods",
    [
        (),
        (e.on("node-a", e.POD.name, ready=False),),
        (e.on("node-a", e.POD.name, ready=False), e.on("node-a", "b")),
        (e.on("node-a", e.POD.name, ready=False), e.on("node-b", "b", owner="rs-4")),
        (e.on("node-a", e.POD.name), e.on("node-b", "b")),
        (e.on("", e.POD.name, ready=False), e.on("node-b", "b")),
    ],
    ids=["unread", "alone", "same node", "another template", "it is ready", "no node"],
)
def test_a_pod_that_crashes_is_not_deleted_unless_all_others_are_well_elsewhere(pods: tuple[model.Json, ...]) -> None:
    assert names(e.shown("CrashLoopBackOff", ready=2), e.unchanged(*pods)) == []


def test_a_pod_that_crashes_with_another_or_of_a_stateful_set_is_not_deleted() -> None:
    one = e.shown("CrashLoopBackOff", ready=2)
    other = replace(one.primary, resource=model.ResourceRef("Pod", "payments", "b", "uid-b"))
    assert names(replace(one, findings=(*one.findings, other)), e.unchanged(*e.WELL)) == []
    assert names(e.shown("CrashLoopBackOff", subject=e.DB, ready=2), e.unchanged(*e.WELL)) == []


def test_the_only_pod_is_not_restarted_early_where_that_takes_it_away() -> None:
    recreated = raw.workload(replicas=1, strategy={"type": "Recreate"})
    urgent = e.shown("MemoryGrowth", facts={"class": "urgent"}, ready=1)
    assert names(urgent, e.unchanged(*e.SERVING[:1], obj=recreated)) == []
    assert names(urgent, e.unchanged(*e.WELL[:1])) == []


def test_a_daemon_that_fails_on_several_nodes_is_not_restarted_on_one() -> None:
    assert names(e.shown("NotReady", subject=e.DAEMON, ready=1, facts={"pods": "2"}), d.dossier("events")) == []


def test_two_of_a_kind_are_never_risked_for_a_silent_node() -> None:
    facts = {"class": "node-lost", "node": "node-a"}
    recreated = raw.workload(strategy={"type": "Recreate"})
    assert names(e.shown("StuckTerminating", facts=facts, ready=2), e.unchanged(obj=recreated)) == []
    assert names(e.shown("StuckTerminating", facts=facts, subject=e.DB, ready=2), e.unchanged()) == []
    held = {**facts, "class": "node-gone", "finalizers": "a.example/x"}
    assert names(e.shown("StuckTerminating", facts=held), e.unchanged()) == []
    assert names(e.shown("StuckTerminating", facts={**facts, "class": "node-gone"}, subject=e.JOB), e.unchanged()) == []


def test_who_set_the_finalizers_is_told_with_its_evidence() -> None:
    example = next(one for one in e.EXAMPLES if one.problem.primary.facts.get("class") == "finalizers")
    found = diagnosing.diagnose(example.problem, example.dossier, d.NOW)
    assert "Its finalizers were last set by backup-operator at 2026-11-21 02:00 UTC [E1]." in found.cause


# --- controllers, autoscalers, nodes ----------------------------------------------------------------------------------


def test_an_update_of_a_stateful_set_long_after_which_it_got_stuck_is_not_undone() -> None:
    dossier = d.dossier("status", "rollout", facts=d.rolled_out("image: db:1 → db:2", ago=e.LONG_AGO))
    assert names(e.shown("StatefulSetStuck", subject=e.DB, facts={"class": "update"}), dossier) == []


@pytest.mark.parametrize("ready", [0, 3])
def test_a_rollout_that_displaces_nothing_or_has_nothing_left_is_not_paused(ready: int) -> None:
    dossier = d.dossier("status", facts=d.rolled_out("image: a → b", healthy=""))
    assert names(e.shown("RolloutStuck", ready=ready, facts={"updated_ready": "1"}), dossier) == []


def raised(room: str, most: int = 10) -> diagnoses.Diagnosis:
    dossier = e.unchanged(facts={"room_for": room}, autoscalers=(e.autoscaled(most),))
    return diagnosing.diagnose(e.shown("HPABroken", resource=e.HPA, facts=e.AT_MOST, ready=3), dossier, d.NOW)


@pytest.mark.parametrize(("room", "most", "wanted"), [("99", 10, 15), ("2", 10, 12), ("99", 1, 2), ("99", 3, 4)])
def test_a_maximum_goes_up_by_half_at_most_and_by_what_there_is_room_for(room: str, most: int, wanted: int) -> None:
    found = raised(room, most)
    assert d.actions(found) == [model.SetAutoscaler(e.HPA, e.API, 2, wanted)]
    assert f"The nodes have room for {room} more of its pods [E4]." in found.cause


def test_a_full_cluster_is_said_where_the_maximum_is_not_raised() -> None:
    found = raised("0")
    assert "The nodes have no room for another pod [E4]." in found.cause
    assert found.next_step.startswith("Add a node")


@pytest.mark.parametrize("ready", [0, 2, None])
def test_an_autoscaler_of_pods_that_are_not_all_ready_is_left_as_it_is(ready: int | None) -> None:
    dossier = e.unchanged(facts={"room_for": "9"}, autoscalers=(e.autoscaled(),))
    assert names(e.shown("HPABroken", resource=e.HPA, facts=e.AT_MOST, ready=ready), dossier) == []


@pytest.mark.parametrize(
    "autoscalers", [(), (e.autoscaled(), e.autoscaled()), ({**e.autoscaled(), "metadata": {"uid": "other"}},)]
)
def test_an_autoscaler_that_is_not_the_only_one_is_left_as_it_is(autoscalers: tuple[model.Json, ...]) -> None:
    shown = e.shown("HPABroken", resource=e.HPA, facts=e.AT_MOST, ready=3)
    assert names(shown, e.unchanged(facts={"room_for": "9"}, autoscalers=autoscalers)) == []


@pytest.mark.parametrize(
    ("facts", "seen"),
    [
        ({"cordoned": "true"}, e.PRESSED),
        ({}, {**e.PRESSED, "other_nodes": "0"}),
        ({}, {"other_nodes": "3"}),
        ({}, {}),
    ],
    ids=["cordoned", "no other node", "its pods could not be read", "nothing known"],
)
def test_a_node_is_not_cordoned_in_vain_or_where_it_is_the_last(facts: dict[str, str], seen: dict[str, str]) -> None:
    shown = e.shown("NodePressure", subject=e.NODE, resource=e.NODE, ready=None, facts=facts)
    assert names(shown, d.dossier("scheduling", facts=seen)) == []


def test_a_job_is_not_run_again_for_a_finding_of_something_else() -> None:
    dossier = d.dossier("status", facts=e.DISRUPTED)
    assert names(e.shown("JobFailed", subject=e.API, resource=e.JOB), dossier) == []
    assert names(e.shown("JobFailed", subject=e.CRON, resource=e.POD), dossier) == []
