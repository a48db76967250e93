"""Pods that are not ready: when one is replaced, when all are restarted, and when neither."""

from dataclasses import replace

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_pods_that_are_not_ready_since_a_rollout_are_undone_and_their_log_is_told() -> None:
    facts = d.rolled_out("readiness probe changed: path") | {"error_line": "ERROR no such table"}
    found = diagnosing.diagnose(d.problem("NotReady"), d.dossier("log", "events", "rollout", facts=facts), d.NOW)
    assert "Its log says: ERROR no such table [E1]." in found.cause
    assert (found.confidence, d.actions(found)) == ("medium", [model.RolloutUndo(d.API, 3)])


def test_some_of_many_that_are_not_ready_are_for_a_person() -> None:
    found = diagnosing.diagnose(d.problem("NotReady", ready=1, facts={"pods": "2"}), d.dossier("events"), d.NOW)
    assert d.actions(found) == []
    assert "what the probe depends on" in found.next_step


def test_one_pod_of_many_that_is_not_ready_may_be_replaced() -> None:
    found = diagnosing.diagnose(d.problem("NotReady", ready=2), d.dossier("events"), d.NOW)
    assert d.actions(found) == [model.DeletePod(d.POD, d.API)]


def test_all_pods_not_ready_for_no_known_reason_may_be_restarted_and_it_is_said_how_unsure_that_is() -> None:
    found = diagnosing.diagnose(d.problem("NotReady", ready=0), d.dossier("events"), d.NOW)
    assert d.actions(found) == [model.RolloutRestart(d.API)]
    assert found.confidence == "low"


def test_what_starts_anew_after_an_eviction_is_not_restarted_once_more() -> None:
    problem = d.problem("NotReady")
    (unready,) = problem.findings
    said = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."
    evicted = replace(
        unready, kind="Evicted", message="Pod api-5d-y was evicted.", facts={"class": "own-limit", "said": said}
    )
    found = diagnosing.diagnose(replace(problem, findings=(unready, evicted)), d.dossier("status"), d.NOW)
    assert d.actions(found) == []
    assert found.kind == "limit-too-low"
    assert said.rstrip(".") in found.cause
    assert "shows NotReady [E1]." in found.cause
    assert d.actions(diagnosing.diagnose(problem, d.dossier("status"), d.NOW)) == [model.RolloutRestart(d.API)]
