"""StatefulSetStuck: the pod that holds the others back, and what does not exist."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b

SERVICE = {"metadata": b.meta("db"), "spec": {"clusterIP": "None"}}
UPDATE = {"currentRevision": "db-1", "updateRevision": "db-2", "updatedReplicas": 1}


def _updating(*, replicas: int = 3, updated: int = 1, **spec: Any) -> b.Json:
    made = b.statefulset(replicas=replicas, ready=replicas - 1, **spec)
    made["status"] |= UPDATE | {"updatedReplicas": updated}
    return made


def _pods(*ready: bool, revision: str = "db-1") -> list[b.Json]:
    return [b.ordinal(number, ready=state, revision=revision) for number, state in enumerate(ready)]


def _classes(**lists: list[b.Json]) -> list[str]:
    return [finding.facts["class"] for finding in b.findings("StatefulSetStuck", **lists)]


def test_the_pod_that_the_next_one_waits_for_is_named() -> None:
    made = b.statefulset(ready=1, made=2)
    finding = b.only("StatefulSetStuck", statefulsets=[made], pods=_pods(True, False))
    assert finding.message == "StatefulSet db is held by its pod db-1, which is not ready, so db-2 is not made."
    assert (finding.cause, finding.since, finding.severity) == ("order", b.moment(600), "P2")
    assert (finding.facts["pod"], finding.facts["pod_uid"]) == ("db-1", "uid-db-1")
    assert (finding.facts["ready"], finding.facts["desired"]) == ("1", "3")


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes(since: float, mature: bool) -> None:
    lists = {"statefulsets": [b.statefulset(ready=0, made=1)], "pods": [b.ordinal(0, ready=False, since=since)]}
    found = detection.detect(b.snapshot(**lists), detection.Options(disabled=frozenset({"ReplicasMissing"})))
    assert found.findings[0].grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


def test_a_pod_below_that_is_not_there_is_made_whatever_those_above_do() -> None:
    assert _classes(statefulsets=[b.statefulset(ready=0, made=1)], pods=[b.ordinal(1, ready=False)]) == []


def test_ordinals_may_begin_later() -> None:
    made = b.statefulset(ready=0, made=1, ordinals={"start": 5})
    finding = b.only("StatefulSetStuck", statefulsets=[made], pods=[b.ordinal(5, ready=False)])
    assert "so db-6 is not made" in finding.message


def test_a_pod_that_does_not_go_away_holds_too() -> None:
    pod = b.ordinal(0, deletionTimestamp=b.ago(700))
    finding = b.only("StatefulSetStuck", statefulsets=[b.statefulset(ready=0, made=1)], pods=[pod])
    assert "its pod db-0, which does not go away, so db-1 is not made" in finding.message
    assert finding.since == b.moment(700)


def test_an_update_waits_for_the_highest_pod_that_is_not_ready() -> None:
    pods = [b.ordinal(0, ready=False, revision="db-1"), b.ordinal(1), b.ordinal(2, ready=False, revision="db-2")]
    finding = b.only("StatefulSetStuck", statefulsets=[_updating()], pods=pods)
    assert finding.message == (
        "StatefulSet db is held by its pod db-2, which is not ready, so the update waits with 1 of 3 pods done."
    )
    assert finding.cause == "update"


def test_a_pod_of_an_older_revision_that_is_not_ready_is_not_replaced_by_itself() -> None:
    finding = b.only("StatefulSetStuck", statefulsets=[_updating()], pods=_pods(True, True, False, revision="db-0"))
    assert (finding.cause, finding.facts["class"]) == ("an outdated pod", "outdated-pod")
    assert "and is of an older revision than the template" in finding.message
    parallel = _updating(podManagementPolicy="Parallel")
    assert _classes(statefulsets=[parallel], pods=_pods(True, True, False, revision="db-0")) == ["update"]


@pytest.mark.parametrize(
    "made",
    [
        _updating(updateStrategy={"type": "OnDelete"}),
        _updating(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
        _updating(updated=3),
        b.statefulset(ready=2),
    ],
    ids=["on delete", "held by its partition", "all updated", "no update"],
)
def test_what_does_not_wait_is_silent(made: b.Json) -> None:
    assert _classes(statefulsets=[made], pods=_pods(True, True, False, revision="db-2")) == []


def test_a_controller_that_has_not_seen_the_specification_is_not_judged() -> None:
    made = b.statefulset(ready=0, made=1)
    made["metadata"]["generation"] = 2
    assert _classes(statefulsets=[made], pods=_pods(False)) == []


def test_a_missing_service_is_named_and_is_minor_while_all_are_ready() -> None:
    made = b.statefulset(ready=2, serviceName="db")
    finding = b.only("StatefulSetStuck", statefulsets=[made], services=[])
    assert (finding.severity, finding.facts["missing"], finding.cause) == ("P2", "Service db", "Service db")
    assert finding.message == (
        "The Service db that StatefulSet db names as its own does not exist, so its pods have no names in DNS."
    )
    whole = b.only("StatefulSetStuck", statefulsets=[b.statefulset(serviceName="db")])
    assert whole.severity == "P3"
    assert _classes(statefulsets=[made], services=[SERVICE]) == []
    elsewhere = SERVICE | {"metadata": b.meta("db", "other")}
    assert _classes(statefulsets=[made], services=[elsewhere]) == ["service"]


def test_a_missing_storage_class_is_named_while_a_pod_waits_for_it() -> None:
    template: b.Json = {"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}
    made = b.statefulset(ready=0, made=1, volumeClaimTemplates=[template])
    waiting = b.ordinal(0, ready=False, phase="Pending", node="", spec={"nodeName": None})
    lists = {"statefulsets": [made], "pods": [waiting]}
    found = b.findings("StatefulSetStuck", **lists)
    (finding,) = [each for each in found if each.facts["class"] == "storage-class"]
    assert (finding.facts["missing_name"], finding.cause) == ("fast", "StorageClass fast")
    assert "ask for StorageClass fast, which does not exist" in finding.message
    assert "storage-class" not in _classes(**lists, storageclasses=[{"metadata": {"name": "fast"}}])
    assert "storage-class" not in _classes(statefulsets=[made], pods=_pods(False))
    for name in ("", None):
        template["spec"] = {"storageClassName": name}
        assert "storage-class" not in _classes(**lists)


@pytest.mark.parametrize(("which", "silent"), [("services", "service"), ("storageclasses", "storage-class")])
@pytest.mark.parametrize("how", ["unread", "degraded"])
def test_what_was_not_seen_whole_is_not_called_missing(which: str, silent: str, how: str) -> None:
    template = {"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}
    made = b.statefulset(ready=0, made=1, serviceName="db", volumeClaimTemplates=[template])
    waiting = b.ordinal(0, ready=False, phase="Pending", node="", spec={"nodeName": None})
    seen, why = b.snapshot(statefulsets=[made], pods=[waiting]), {which: "no"}
    blind = dataclasses.replace(seen, unread=why if how == "unread" else {}, degraded=why if how == "degraded" else {})
    classes = {finding.facts.get("class") for finding in detection.detect(blind).findings}
    assert {"service", "storage-class"} - classes == {silent}


def test_names_without_an_ordinal_break_nothing() -> None:
    owner = b.controlled("StatefulSet", "db")
    odd = [b.pod(name, [b.running(ready=False)], owner=owner) for name in ("db", "db-", "db-x", "db-99999999999")]
    assert _classes(statefulsets=[b.statefulset(ready=0, made=1)], pods=odd) == []
