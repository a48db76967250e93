"""What several families read the same way: readiness, times, numbers."""

from datetime import timedelta

import msgspec
import pytest

from k8s import objects, symptoms
from tests.k8s.detectors import builders as b


def _pod(*conditions: b.Json, start: str | None = None) -> objects.Pod:
    raw = {"metadata": b.meta("p", age=900), "status": {"startTime": start, "conditions": list(conditions)}}
    return msgspec.convert(raw, type=objects.Pod)


def _condition(kind: str, status: str, since: str | None) -> b.Json:
    return {"type": kind, "status": status, "lastTransitionTime": since}


@pytest.mark.parametrize(
    ("pod", "seconds"),
    [
        (_pod(_condition("ContainersReady", "False", b.ago(10)), _condition("Ready", "False", b.ago(20))), 10),
        (_pod(_condition("ContainersReady", "True", b.ago(10)), _condition("Ready", "False", b.ago(20))), 20),
        (_pod(_condition("Ready", "False", "garbled"), start=b.ago(500)), 500),
        (_pod(_condition("Ready", "True", b.ago(20))), 900),
    ],
    ids=["its containers", "itself", "a time that cannot be read", "nothing"],
)
def test_a_pod_is_unready_since_its_conditions_say_so_else_since_it_began(pod: objects.Pod, seconds: int) -> None:
    assert symptoms.unready_since(pod) == b.moment(seconds)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, 7), (0, 0), (30, 30), (-1, 7), (2**63 - 1, 7), (315_360_000, 315_360_000)]
)
def test_seconds_outside_of_common_sense_are_the_default(value: int | None, expected: int) -> None:
    assert symptoms.seconds(value, timedelta(seconds=7)) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ({"firstTimestamp": b.ago(50), "eventTime": b.ago(60)}, 50),
        ({"firstTimestamp": None, "eventTime": b.ago(60)}, 60),
        ({"firstTimestamp": None, "lastTimestamp": b.ago(5)}, 5),
    ],
)
def test_an_event_began_by_whichever_of_its_times_is_set(times: b.Json, seconds: int) -> None:
    raw = b.event(b.pod(), "Pod", "BackOff", "x", **times)
    assert symptoms.first_seen(msgspec.convert(raw, type=objects.Event)) == b.moment(seconds)


def test_the_earliest_moment_is_never_in_the_future() -> None:
    assert symptoms.earliest(b.NOW, b.moment(5), None, b.moment(9), b.moment(-60)) == b.moment(9)
    assert symptoms.earliest(b.NOW, b.moment(-60)) == b.NOW
    assert symptoms.earliest(b.NOW) == b.NOW
