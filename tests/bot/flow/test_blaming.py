"""Diagnosing with what changed before: which change a cause names, when it names none, and what it then proposes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import diagnoses
from bot.flow import diagnosing
from k8s import changes_before, model
from tests.bot.causes import dossiers as d

NOW, BEGAN = d.NOW, d.BEGAN
CONFIG = model.ResourceRef("ConfigMap", "payments", "app")
NO_FACTS: Mapping[str, str] = {}


def change(minutes: float = 3, kind: changes_before.Kind = "config", **more: Any) -> changes_before.Change:
    ref = more.pop("ref", CONFIG)
    values: dict[str, Any] = {
        "what": f"{ref.kind} {ref.short} was changed",
        "by": "kubectl-edit",
        "aspects": frozenset({"configuration"}),
    }
    return changes_before.Change(kind, ref, BEGAN - timedelta(minutes=minutes), **{**values, **more})


def rollout(minutes: float) -> changes_before.Change:
    return change(minutes, "rollout", ref=d.API, what="Deployment payments/api was rolled out as revision 4")


def diagnose(
    problem: model.Problem,
    *changes: changes_before.Change,
    sources: tuple[diagnoses.Source, ...] = ("status", "previous-log", "events", "changes"),
    facts: Mapping[str, str] = NO_FACTS,
    started: float | None = None,
) -> diagnoses.Diagnosis:
    at = None if started is None else BEGAN - timedelta(minutes=started)
    ranked = changes_before.likeliest(changes, problem, started=at)
    return diagnosing.diagnose(problem, replace(d.dossier(*sources, facts=facts), changes=ranked), NOW)


CRASH = d.problem("CrashLoopBackOff", facts={"exit_code": "1"})


def test_a_config_map_that_was_changed_before_a_crash_is_named_with_its_author() -> None:
    found = diagnose(CRASH, change(detail="LOG_LEVEL"), facts={"error_line": "fatal: bad level"})
    assert found.cause.endswith(
        "The ConfigMap payments/app was changed 3 min before the first failure, by kubectl-edit: LOG_LEVEL [E4]."
    )
    assert 4 in found.cites
    assert found.confidence == "medium"
    assert found.reason.startswith("ConfigMap payments/app was changed shortly before")
    assert found.next_step.startswith("Look at what was changed in ConfigMap payments/app")
    assert found.candidates == ()


def test_without_a_telling_log_the_change_makes_the_cause_likelier_than_nothing() -> None:
    assert diagnose(CRASH).confidence == "low"
    assert diagnose(CRASH, change()).confidence == "medium"


@pytest.mark.parametrize(
    "unlikely",
    [
        change(minutes=31),
        change(minutes=-5),
        change(aspects=frozenset({"credentials"}), ref=model.ResourceRef("Secret", "payments", "pull"), kind="secret"),
        change(containers=frozenset({"proxy"})),
    ],
    ids=["long before", "after the begin", "fits another symptom", "of another container"],
)
def test_a_change_that_does_not_explain_it_is_not_blamed(unlikely: changes_before.Change) -> None:
    kind = "OOMKilled" if unlikely.kind == "secret" else "CrashLoopBackOff"
    shown = d.problem(kind, facts={"exit_code": "1"})
    assert diagnose(shown, unlikely) == diagnose(shown)


def test_a_config_map_that_a_pod_took_up_at_its_start_is_blamed_hours_later() -> None:
    found = diagnose(CRASH, change(minutes=300), started=2)
    assert "was changed 5 h before the first failure" in found.cause
    assert "The failing pod started 2 min before the first failure, and took it up then." in found.cause


def test_a_restart_is_not_proposed_where_it_would_spread_the_change() -> None:
    dependency = d.problem("NotReady")
    (restart,) = diagnose(dependency).candidates
    assert isinstance(restart.action, model.RolloutRestart)
    assert diagnose(dependency, change()).candidates == ()


ROLLED: tuple[diagnoses.Source, ...] = ("status", "log", "rollout", "changes")


def test_a_rollout_that_took_away_what_the_log_names_is_certain_whatever_else_changed() -> None:
    facts = {"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"} | d.rolled_out("env DB_URL removed")
    found = diagnose(CRASH, change(1), rollout(6), sources=ROLLED, facts=facts)
    assert "ConfigMap" not in found.cause
    assert found.confidence == "high"
    assert len(found.candidates) == 1


def test_a_config_map_that_came_with_the_rollout_is_named_and_the_undo_stays_on_offer() -> None:
    facts = d.rolled_out("image: api:1 → api:2")
    found = diagnose(CRASH, change(7), rollout(6), sources=ROLLED, facts=facts)
    assert "It began with revision 4" in found.cause
    assert "The ConfigMap payments/app was changed 7 min before" in found.cause
    assert found.next_step.endswith("An undo does not put ConfigMap payments/app back.")
    assert [type(each.action) for each in found.candidates] == [model.RolloutUndo]


def test_a_config_map_that_was_changed_well_after_the_rollout_takes_the_undo_off_the_table() -> None:
    facts = d.rolled_out("image: api:1 → api:2")
    found = diagnose(CRASH, change(1), rollout(6), sources=ROLLED, facts=facts)
    assert "The ConfigMap payments/app was changed 60 s before" in found.cause
    assert found.candidates == ()


def test_what_the_kubelet_misses_is_not_blamed_on_another_object() -> None:
    missing = {"missing": "key url of ConfigMap app", "missing_kind": "ConfigMap", "missing_name": "app"}
    shown = d.problem("ConfigError", facts=missing)
    assert "ConfigMap payments/app was changed" in diagnose(shown, change()).cause
    assert diagnose(shown, change()).confidence == "high"
    other = model.ResourceRef("ConfigMap", "payments", "other")
    assert "was changed" not in diagnose(shown, change(ref=other)).cause


def test_a_pull_secret_is_blamed_for_a_refusal_alone() -> None:
    pull = change(
        kind="secret", ref=model.ResourceRef("Secret", "payments", "pull"), aspects=frozenset({"credentials"})
    )
    refused = d.problem("ImagePull", facts={"class": "unauthorised", "image": "a:1"})
    assert "Secret payments/pull was changed 3 min before" in diagnose(refused, pull).cause
    unknown = d.problem("ImagePull", facts={"class": "not-found", "image": "a:1"})
    assert "Secret" not in diagnose(unknown, pull).cause


def test_a_cordon_is_named_and_changes_no_advice() -> None:
    node = model.ResourceRef("Node", "", "w1")
    cordon = change(2, "node", ref=node, what="Node w1 was cordoned", aspects=frozenset({"room"}), direct=False)
    shown = d.problem("Unschedulable", facts={"class": "cpu"})
    found, plain = diagnose(shown, cordon), diagnose(shown)
    assert found.cause.endswith("The Node w1 was cordoned 2 min before the first failure, by kubectl-edit [E4]."), (
        found.cause
    )
    assert (found.next_step, found.confidence, found.candidates) == (
        plain.next_step,
        plain.confidence,
        plain.candidates,
    )


@pytest.mark.parametrize(("kind", "told"), [("StatefulSet", True), ("DaemonSet", True), ("ReplicaSet", False)])
def test_that_there_is_no_undo_is_said_of_workloads_with_revisions_alone(kind: str, told: bool) -> None:
    subject = model.ResourceRef(kind, "payments", "db", "uid-db")
    shown = d.problem("CrashLoopBackOff", subject=subject, facts={"exit_code": "1"})
    found = diagnose(shown, sources=ROLLED, facts=d.rolled_out("image: db:1 → db:2", healthy=""))
    assert "It began with revision 4" in found.cause
    assert ("No earlier revision is known to have been healthy." in found.next_step) == told
    assert found.candidates == ()
