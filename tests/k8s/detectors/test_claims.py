"""Claims that get no volume: why, for whom, and when waiting is normal."""

import dataclasses

import pytest

from k8s import detection, model
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "PVCPending"
DATA = a.claim()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('storageclass.storage.k8s.io "fast" not found', "no-such-class"),
        ("rpc error: code = ResourceExhausted desc = quota exceeded", "quota"),
        ("googleapi: Error 403: Required permission denied", "denied"),
        ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", "unreachable"),
        ("something else", "failed"),
        ("", "failed"),
    ],
)
def test_the_provisioners_words_are_classified(said: str, kind: str) -> None:
    finding = b.only(KIND, persistentvolumeclaims=[DATA], events=[a.provisioning_failed(DATA, said)])
    assert (finding.facts["class"], finding.cause) == (kind, f"data: {kind}")
    assert finding.since == b.moment(600)
    assert finding.message.startswith("PersistentVolumeClaim data has no volume: ")


def test_a_class_that_does_not_exist_is_named_with_the_nearest() -> None:
    finding = b.only(
        KIND,
        persistentvolumeclaims=[a.claim(storage_class="fsat")],
        storageclasses=[a.storage_class("fast")],
        events=[a.provisioning_failed(DATA, 'storageclass.storage.k8s.io "fsat" not found')],
    )
    assert finding.message.endswith("its StorageClass fsat does not exist (did you mean fast?).")


@pytest.mark.parametrize("name", [None, ""])
def test_a_claim_without_a_class_and_without_a_volume_is_found_by_its_age(name: str | None) -> None:
    finding = b.only(KIND, persistentvolumeclaims=[a.claim(storage_class=name, age=300.0)])
    assert (finding.facts["class"], finding.since) == ("no-class", b.moment(300))


def test_a_claim_that_names_its_volume_needs_no_class() -> None:
    bound = a.claim(storage_class="")
    bound["spec"]["volumeName"] = "pv-1"
    assert b.findings(KIND, persistentvolumeclaims=[bound]) == []


def test_a_volume_that_is_gone() -> None:
    finding = b.only(KIND, persistentvolumeclaims=[a.claim(phase="Lost")])
    assert finding.message == "PersistentVolumeClaim data has lost its volume: its PersistentVolume is gone."


def test_it_folds_into_the_workload_that_waits_for_it() -> None:
    pod = a.mounting("data", owner=b.controlled("StatefulSet", "db"))
    (problem,) = detection.detect(
        b.snapshot(persistentvolumeclaims=[DATA], events=[a.provisioning_failed(DATA)], pods=[pod])
    ).problems
    assert problem.subject == model.ResourceRef("StatefulSet", "shop", "db", "uid-db")
    assert problem.kinds == (KIND, "Unschedulable")


def test_two_workloads_that_wait_for_one_claim_are_one_problem_of_the_claim() -> None:
    pods = [a.mounting("data", name=f"{name}-0", owner=b.controlled("StatefulSet", name)) for name in ("db", "etl")]
    (problem,) = detection.detect(
        b.snapshot(persistentvolumeclaims=[DATA], events=[a.provisioning_failed(DATA)], pods=pods)
    ).problems
    assert str(problem.subject) == "PersistentVolumeClaim/shop/data"
    assert problem.subject.uid == "uid-data"
    assert problem.primary.message.endswith("It holds up StatefulSet db, StatefulSet etl.")
    assert [finding.kind for finding in problem.findings] == [KIND, KIND, "Unschedulable", "Unschedulable"]


def test_an_ephemeral_volume_is_claimed_under_the_name_of_its_pod() -> None:
    pod = a.mounting(owner=b.controlled("StatefulSet", "db"))
    pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]
    scratch = a.claim("db-0-scratch")
    finding = b.only(KIND, persistentvolumeclaims=[scratch], events=[a.provisioning_failed(scratch)], pods=[pod])
    assert finding.owner.name == "db"


def test_first_consumer_there_and_no_volume_all_the_same() -> None:
    lists = {"persistentvolumeclaims": [DATA], "storageclasses": [a.storage_class(mode="WaitForFirstConsumer")]}
    lists["events"] = [a.provisioning_failed(DATA, "no capacity")]
    assert b.findings(KIND, **lists) == []
    assert len(b.findings(KIND, pods=[a.mounting("data")], **lists)) == 1


def test_events_of_an_earlier_claim_of_the_name_say_nothing() -> None:
    earlier = {"metadata": DATA["metadata"] | {"uid": "uid-earlier"}}
    assert b.findings(KIND, persistentvolumeclaims=[DATA], events=[a.provisioning_failed(earlier)]) == []


@pytest.mark.parametrize("name", ["persistentvolumeclaims", "events", "pods"])
def test_nothing_is_said_where_a_list_that_it_rests_on_was_not_seen(name: str) -> None:
    whole = b.snapshot(persistentvolumeclaims=[DATA], events=[a.provisioning_failed(DATA)])
    assert not detection.detect(dataclasses.replace(whole, degraded={name: "cut"})).findings


def test_classes_that_may_not_be_read_hide_no_failure() -> None:
    whole = b.snapshot(persistentvolumeclaims=[DATA], events=[a.provisioning_failed(DATA)])
    assert detection.detect(dataclasses.replace(whole, unread={"storageclasses": "no right"})).findings


@pytest.mark.parametrize(("age", "mature"), [(119.0, False), (120.0, True)])
def test_it_must_hold_for_its_grace(age: float, mature: bool) -> None:
    finding = b.only(KIND, persistentvolumeclaims=[a.claim(storage_class=None, age=age)])
    assert (b.NOW - finding.since >= finding.grace) is mature


def test_odd_claims_say_nothing() -> None:
    odd = [{}, {"metadata": b.meta("a"), "spec": {"storageClassName": None}, "status": {"phase": None}}]
    assert b.findings(KIND, persistentvolumeclaims=odd, pods=[b.pod(spec={"volumes": [{"name": "v"}]})]) == []
