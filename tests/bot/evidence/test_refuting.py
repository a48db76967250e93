"""What speaks against an earlier revision: back-off events of pods that are gone, and what the rules are told of it."""

from dataclasses import replace

import pytest

from bot.evidence import refuting
from k8s import model
from tests.k8s import raw

TARGET = raw.target(
    raw.workload(template=raw.pod_template("web:2"), revision=2, replicas=3),
    replicasets=(raw.replicaset(1, "web:1", created=3000), raw.replicaset(2, "web:2", created=10, pods=3)),
)


def looping(pod: str = "api-h1-x", first: float = 50, last: float = 11) -> model.Json:
    """A back-off event, by minutes before now."""
    about = {"kind": "Pod", "name": pod}
    return {"involvedObject": about, "firstTimestamp": raw.at(first), "lastTimestamp": raw.at(last)}


def test_a_revision_half_of_whose_pods_looped_when_it_was_replaced_is_refuted() -> None:
    events = [looping("api-h1-x"), looping("api-h1-y"), looping("api-h2-z", 9, 1)]
    assert refuting.by_events(TARGET, events) == {1: "Revision 1 was in a crash loop when it was replaced."}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [looping()],
        [looping(), looping()],
        [looping("api-h1-x", 50, 40), looping("api-h1-y", 50, 40)],
        [looping("api-h1-x", 9, 1), looping("api-h1-y", 9, 1)],
        [looping("web-h1-x"), looping("web-h1-y")],
        [looping("api-h1-extra-x"), looping("api-h1-extra-y")],
    ],
    ids=["none", "one-of-three", "one-pod-twice", "long-before", "after", "another", "another-with-its-name"],
)
def test_less_than_that_refutes_nothing(events: list[model.Json]) -> None:
    assert refuting.by_events(TARGET, events) == {}


def test_what_is_refuted_is_told_only_where_it_were_put_back() -> None:
    found = refuting.proof(TARGET, {1: "Revision 1 failed."}, raw.NOW)
    assert found.facts == {"refuted": "Revision 1 failed.", "failed_before": "Revision 1 failed."}
    assert found.lines == ["Revision 1 failed."]
    assert refuting.proof(TARGET, {}, raw.NOW).facts == {}
    assert refuting.proof(TARGET, {2: "Revision 2 fails."}, raw.NOW).facts == {}
    serving = (raw.pod("api-h1-x", owner=("ReplicaSet", "rs-1")),)
    first = raw.replicaset(1, "web:1", created=3000, pods=1, ready=1)
    known = replace(TARGET, pods=serving, replicasets=(first, TARGET.replicasets[1]))
    assert refuting.proof(known, {1: "Revision 1 failed."}, raw.NOW).facts == {}, "its pod serves now"


def test_an_older_one_does_not_make_the_last_rollout_innocent() -> None:
    between = (*TARGET.replicasets, raw.replicaset(3, "web:3", created=5, pods=1))
    target = replace(TARGET, replicasets=between, object=raw.workload(template=raw.pod_template("web:3"), revision=3))
    found = refuting.proof(target, {1: "Revision 1 failed."}, raw.NOW)
    assert found.facts == {"refuted": "Revision 1 failed."}
