"""What it takes for each kind: a hold for what relapses, logs since, autoscalers that moved, Jobs that are done."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from k8s import detection, history, log_rates, model, objects, surroundings, verification_kinds
from tests.k8s import raw

NOW = raw.NOW
MINUTE = timedelta(minutes=1)
STARTED = NOW - 10 * MINUTE
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
HPA = model.ResourceRef("HorizontalPodAutoscaler", "payments", "api", "uid-hpa")
JOB = model.ResourceRef("Job", "payments", "report-1", "uid-job")
CRONJOB = model.ResourceRef("CronJob", "payments", "report", "uid-cron")
USUAL = {"usual": MINUTE, "relapsing": 5 * MINUTE}


def snapshot(**lists: Any) -> model.Snapshot:
    return model.Snapshot("demo", NOW, **lists)


def lacking(kind: str, seen: model.Snapshot, subject: model.ResourceRef = API, cause: str = "") -> str:
    causes = (f"{kind}:{cause}",) if cause else ()
    return verification_kinds.lacking((kind,), causes, seen, subject, STARTED)


def test_every_kind_that_relapses_is_of_the_catalogue() -> None:
    assert detection.KINDS.keys() >= verification_kinds.RELAPSING
    assert verification_kinds._RULES.keys() <= detection.KINDS.keys()


@pytest.mark.parametrize(
    ("kinds", "minutes"), [(("CrashLoopBackOff",), 5), (("NotReady", "OOMKilled"), 5), (("ImagePull",), 1), ((), 1)]
)
def test_crashes_and_memory_have_to_stay_away_for_longer(kinds: tuple[str, ...], minutes: int) -> None:
    assert verification_kinds.hold_of(kinds, **USUAL) == minutes * MINUTE


def test_the_longer_hold_is_never_shorter_than_the_usual_one() -> None:
    assert verification_kinds.hold_of(("OOMKilled",), usual=9 * MINUTE, relapsing=MINUTE) == 9 * MINUTE


def test_a_kind_without_a_rule_lacks_nothing() -> None:
    assert lacking("ImagePull", snapshot()) == ""


# --- logs


def logs(read: float, *, recent: int = 0, container: str = "app") -> model.Snapshot:
    """The log of payments/api's container, last read so many minutes ago."""
    place = history.Place("Deployment", "payments", "api", "uid-api", container)
    state = history.Logs(
        {log_rates.ALL: history.Template(1.0, recent, "")}, 600.0, 5.0, NOW - read * MINUTE, 9, "api-x", "p"
    )
    return snapshot(past=history.History(logs={place: state}, kept=True))


def test_an_error_rate_is_back_once_the_log_was_read_since_and_is_quiet() -> None:
    assert lacking("LogErrors", logs(read=1)) == ""


def test_a_log_that_was_not_read_since_shows_nothing() -> None:
    assert lacking("LogErrors", logs(read=11)) == "the log of container app was not read since"


def test_a_log_that_is_still_above_its_usual_speaks_against_it() -> None:
    assert lacking("LogErrors", logs(read=1, recent=500)) == "container app still logs more errors than usual"


def test_other_containers_and_other_workloads_say_nothing() -> None:
    assert lacking("LogErrors", logs(read=11), cause="sidecar logs more errors than usual") == ""
    assert lacking("LogErrors", logs(read=11), cause="app logs more errors than usual") != ""
    assert lacking("LogErrors", logs(read=11), model.ResourceRef("Deployment", "payments", "web")) == ""


# --- autoscalers


def scaler(has: int, wants: int, name: str = "api") -> model.Snapshot:
    made = {
        "metadata": {"name": name, "namespace": "payments", "uid": "uid-hpa"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}},
        "status": {"currentReplicas": has, "desiredReplicas": wants},
    }
    return snapshot(horizontalpodautoscalers=(msgspec.convert(made, surroundings.Autoscaler),))


@pytest.mark.parametrize("subject", [API, HPA])
def test_an_autoscaler_has_moved_once_it_has_what_it_wants(subject: model.ResourceRef) -> None:
    assert lacking("HPABroken", scaler(3, 3), subject) == ""
    assert lacking("HPABroken", scaler(3, 5), subject) == "autoscaler api wants 5 replicas and has 3"


def test_another_autoscaler_says_nothing() -> None:
    other = model.ResourceRef("Deployment", "payments", "web")
    assert lacking("HPABroken", scaler(3, 5, "web-2"), other) == ""


# --- jobs


def job(name: str, *conditions: str, owner: str = "", created: float = 5) -> model.Snapshot:
    owners = [{"kind": "CronJob", "name": owner, "uid": "uid-cron", "controller": True}] if owner else []
    meta = {"name": name, "namespace": "payments", "uid": f"uid-{name}", "ownerReferences": owners}
    made = {
        "metadata": {**meta, "creationTimestamp": raw.at(created)},
        "spec": {},
        "status": {"conditions": [{"type": condition, "status": "True"} for condition in conditions]},
    }
    return snapshot(jobs=(msgspec.convert(made, objects.Job),))


def test_a_job_is_solved_once_it_is_done() -> None:
    assert lacking("JobFailed", job("report-1"), JOB) == "job report-1 is not done yet"
    assert lacking("JobFailed", job("report-1", "Complete"), JOB) == ""


def test_of_a_cronjob_what_was_begun_since_has_to_be_done() -> None:
    assert lacking("JobFailed", job("report-9", owner="report"), CRONJOB) == "job report-9 is not done yet"
    assert lacking("JobFailed", job("report-9", owner="report", created=60), CRONJOB) == ""
    assert lacking("JobFailed", job("other-1", owner="other"), CRONJOB) == ""
