"""Containers that keep ending: their last words, their probe, and when a rollout is to blame."""

from datetime import timedelta

import pytest

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_a_crash_that_names_what_the_rollout_removed_is_certain_and_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff", facts={"exit_code": "1"}),
        d.dossier(
            "status",
            "previous-log",
            "events",
            "rollout",
            facts={"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"} | d.rolled_out("env DB_URL removed"),
        ),
        d.NOW,
    )
    assert found.confidence == "high"
    assert "exits with code 1: KeyError: 'DB_URL' [E2]" in found.cause
    assert "env DB_URL removed (revision 4, rolled out 6 min before the first failure) [E4]" in found.cause
    assert found.cites == (2, 4)
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]


def test_a_crash_after_a_rollout_that_the_log_does_not_explain_is_likely_not_certain() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff", facts={"exit_code": "137"}),
        d.dossier(
            "status", "log", "rollout", facts={"error_line": "fatal: boom"} | d.rolled_out("image: api:1 → api:2")
        ),
        d.NOW,
    )
    assert found.confidence == "medium"
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]


def test_a_crash_long_after_the_rollout_does_not_blame_it_and_proposes_nothing() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff", facts={"exit_code": "1"}),
        d.dossier(
            "status", "log", facts={"error_line": "fatal: boom"} | d.rolled_out("image: a → b", ago=timedelta(days=3))
        ),
        d.NOW,
    )
    assert d.actions(found) == []
    assert "A restart does not help" in found.next_step
    assert "rollout" not in found.cause


def test_no_healthy_revision_means_no_undo_and_it_is_said() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff"),
        d.dossier(
            "status",
            "log",
            facts={"missing_name": "X_Y", "error_line": "X_Y"} | d.rolled_out("env X_Y removed", healthy=""),
        ),
        d.NOW,
    )
    assert d.actions(found) == []
    assert "No earlier revision is known to have been healthy" in found.next_step


def test_a_name_that_is_missing_without_a_rollout_is_asked_for() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff"),
        d.dossier("log", facts={"error_line": "KeyError: 'DB_URL'", "missing_name": "DB_URL"}),
        d.NOW,
    )
    assert "It asks for DB_URL, which it is not given." in found.cause
    assert (found.confidence, d.actions(found)) == ("medium", [])


PROBE = {"probe": "liveness", "answer": "HTTP probe failed with statuscode: 500.", "restarts": "3", "exit_code": "0"}


def test_what_its_probe_has_killed_is_not_told_as_an_exit_of_its_own() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff", facts=PROBE),
        d.dossier("status", "previous-log", "events", facts={"error_line": "ERROR pool exhausted"}),
        d.NOW,
    )
    assert found.cause == (
        "The kubelet keeps restarting container app, since its liveness probe fails with "
        '"HTTP probe failed with statuscode: 500", 3 restarts so far [E3]. Its log says: ERROR pool exhausted [E2].'
    )
    assert (found.confidence, d.actions(found)) == ("medium", [])


def test_what_its_probe_kills_since_a_rollout_is_undone() -> None:
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff", facts={"probe": "startup"}),
        d.dossier("events", "rollout", facts=d.rolled_out("startup probe changed: periodSeconds 10 → 1")),
        d.NOW,
    )
    assert "its startup probe fails [E1]." in found.cause
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]


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
    facts = d.rolled_out("env X_Y removed", ago=d.NOW - d.BEGAN + before) | {
        "missing_name": "X_Y",
        "error_line": "X_Y?",
    }
    found = diagnosing.diagnose(d.problem("CrashLoopBackOff"), d.dossier("log", "rollout", facts=facts), d.NOW)
    assert said in found.cause


def test_a_rollout_without_a_time_is_named_by_its_revision() -> None:
    facts = d.rolled_out("env X_Y removed") | {"missing_name": "X_Y", "error_line": "X_Y?", "rollout_at": ""}
    found = diagnosing.diagnose(d.problem("CrashLoopBackOff"), d.dossier("log", "rollout", facts=facts), d.NOW)
    assert "env X_Y removed (revision 4) [E2]" in found.cause


def test_a_probe_that_the_rollout_changed_is_undone_with_more_confidence_than_another_change() -> None:
    shown = d.problem("LivenessRestarts", facts={"probe": "liveness"})
    probe = d.dossier("events", "rollout", facts=d.rolled_out("image: a → b\nliveness probe changed: path"))
    image = d.dossier("events", "rollout", facts=d.rolled_out("image: a → b"))
    found, less = diagnosing.diagnose(shown, probe, d.NOW), diagnosing.diagnose(shown, image, d.NOW)
    assert d.actions(found) == d.actions(less) == [model.RolloutUndo(d.API, 3)]
    assert (found.confidence, less.confidence) == ("high", "medium")
    assert "which changed: liveness probe changed: path [E2]." in found.cause


def test_a_process_that_hangs_without_a_rollout_is_for_a_person_and_a_restart_is_not_proposed() -> None:
    shown = d.problem("LivenessRestarts", facts={"probe": "startup"})
    old = d.dossier(
        "events", "log", facts={"error_line": "ERROR pool empty"} | d.rolled_out("x", ago=timedelta(days=2))
    )
    found = diagnosing.diagnose(shown, old, d.NOW)
    assert d.actions(found) == []
    assert "Its log says: ERROR pool empty [E2]." in found.cause
    assert "A restart does not help" in found.next_step


@pytest.mark.parametrize(
    ("line", "code", "kind", "confidence"),
    [
        ("dial tcp: connect to db:5432: connection refused", "1", "dependency-down", "medium"),
        ("FATAL something went wrong", "1", "application", "low"),
        ("", "137", "unknown", "low"),
    ],
)
def test_more_restarts_than_usual_are_told_with_the_last_words(
    line: str, code: str, kind: str, confidence: str
) -> None:
    facts = {"error_line": line, "log": "previous-log"} if line else {}
    problem = d.problem("RestartGrowth", facts={"class": "growth", "exit_code": code})
    found = diagnosing.diagnose(problem, d.dossier("status", "previous-log", facts=facts), d.NOW)
    assert (found.kind, found.confidence, d.actions(found)) == (kind, confidence, [])
    assert (f"Its log says: {line} [E2]." in found.cause) is bool(line)
