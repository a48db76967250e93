"""Worse: fewer pods are ready than before the write, or something graver is found; and never less than that."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, verification, verification_worse
from tests.k8s import raw

RESTART = model.RolloutRestart(raw.API)
DELETE = model.DeletePod(model.ResourceRef("Pod", "payments", "api-x", "pod-x"), raw.API)
BLAST = model.BlastRadius(pods=3, ready=2, desired=3)


def failed(ready: int | None, desired: int | None = 3) -> verification.Assessment:
    return verification.Assessment("not-verified", "…", "given up", None, ready, desired)


def finding(severity: model.Severity, minutes: float = 10, grace: float = 0) -> model.Finding:
    since, wait = raw.NOW - timedelta(minutes=minutes), timedelta(minutes=grace)
    return model.Finding("NotReady", severity, raw.API, raw.API, "…", since, "probe", wait)


def test_before_is_what_was_saved_right_before_the_write() -> None:
    saved = raw.workload(status={"readyReplicas": 1})
    assert verification_worse.ready_before(RESTART, saved, BLAST) == 1


@pytest.mark.parametrize("action", [RESTART, DELETE])
def test_where_that_says_nothing_of_the_workload_it_is_what_was_seen_when_it_was_proposed(action: model.Action) -> None:
    assert verification_worse.ready_before(action, None, BLAST) == 2
    assert verification_worse.ready_before(action, {"metadata": {}, "spec": {}}, BLAST) == 2


def test_a_saved_pod_says_nothing_of_how_many_were_ready() -> None:
    assert verification_worse.ready_before(DELETE, raw.pod("api-x"), BLAST) == 2


def test_fewer_ready_than_before_is_worse_and_says_the_numbers() -> None:
    assert verification_worse.fewer_ready(failed(1), 2) == "1 of 3 pods is ready now, 2 were before."
    assert verification_worse.fewer_ready(failed(0, 1), 1) == "0 of 1 pod are ready now, 1 was before."


@pytest.mark.parametrize(("ready", "desired", "before"), [(2, 3, 2), (3, 3, 0), (1, 1, 4), (0, 0, 3)])
def test_as_many_as_before_or_as_are_wanted_now_is_not_worse(ready: int, desired: int, before: int) -> None:
    assert verification_worse.fewer_ready(failed(ready, desired), before) == ""


def test_what_is_not_known_is_not_called_worse() -> None:
    assert verification_worse.fewer_ready(failed(0), None) == ""
    assert verification_worse.fewer_ready(failed(None, None), 3) == ""


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_workload_with_all_that_it_wants_is_never_worse(ready: int, desired: int, before: int) -> None:
    told = verification_worse.fewer_ready(failed(ready, desired), before)
    assert bool(told) == (ready < before and ready < desired)


def test_a_graver_finding_that_has_held_is_worse() -> None:
    found = verification_worse.graver([finding("P2"), finding("P1")], "P2", raw.NOW)
    assert found is not None
    assert found.severity == "P1"


def test_as_grave_as_before_or_younger_than_its_grace_is_not() -> None:
    assert verification_worse.graver([finding("P2"), finding("P3")], "P2", raw.NOW) is None
    assert verification_worse.graver([finding("P1", minutes=1, grace=5)], "P2", raw.NOW) is None
    assert verification_worse.graver([finding("P1")], None, raw.NOW) is None
