"""Memory curves: which samples are kept, where a curve begins anew, and how far its slope can be trusted."""

import dataclasses
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import history, indexing, memory_curves, usage
from tests.k8s.detectors import builders as b
from tests.k8s.detectors import trends

Known = dict[history.Place, history.Memory]
PLACE = trends.PLACE


def metrics(mib: float, name: str = trends.POD, container: str = "app") -> usage.PodMetrics:
    tree = {
        "metadata": {"name": name, "namespace": "shop"},
        "containers": [{"name": container, "usage": {"memory": f"{round(mib * 1024)}Ki"}}],
    }
    return msgspec.convert(tree, type=usage.PodMetrics)


def swept(known: Known, minutes: float, *used: usage.PodMetrics, pods: Any = (), **changes: Any) -> Known:
    """What is known after a sweep so many minutes after the first."""
    seen = dataclasses.replace(
        b.snapshot(pods=pods or [trends.limited()]),
        taken_at=b.NOW + timedelta(minutes=minutes),
        podmetrics=used,
        **changes,
    )
    return known | memory_curves.observed(seen, indexing.Index(seen), known)


def shares(known: Known) -> list[float]:
    return [sample.share for sample in known[PLACE].samples]


def test_a_curve_begins_well_below_what_is_told_and_samples_are_some_minutes_apart() -> None:
    assert swept({}, 0, metrics(100)) == {}
    known = swept({}, 0, metrics(256))
    assert (shares(known), known[PLACE].limit, known[PLACE].pod) == ([0.5], trends.LIMIT, trends.POD)
    assert shares(swept(known, 2, metrics(300))) == [0.5]
    assert shares(swept(known, 5, metrics(320))) == [0.5, 0.625]


def test_the_fullest_pod_speaks_for_its_workload() -> None:
    resources = {"containers": [{"name": "app", "image": "a", "resources": {"limits": {"memory": "512Mi"}}}]}
    pods = [b.pod("one", spec=resources), b.pod("two", spec=resources)]
    known = swept({}, 0, metrics(256, "one"), metrics(384, "two"), pods=pods)
    assert (shares(known), known[PLACE].pod) == ([0.75], "two")


def test_without_metrics_a_limit_or_all_pods_nothing_is_learnt() -> None:
    assert swept({}, 0) == {}
    assert swept({}, 0, metrics(500), pods=[b.pod(trends.POD)]) == {}
    assert swept({}, 0, metrics(500, container="another")) == {}
    assert swept({}, 0, metrics(500), degraded={"pods": "cut short"}) == {}


def test_odd_metrics_are_left_out() -> None:
    odd = [
        usage.PodMetrics(),
        msgspec.convert({"metadata": {"name": trends.POD, "namespace": "shop"}, "containers": None}, usage.PodMetrics),
    ]
    assert swept({}, 0, *odd) == {}
    strange = msgspec.convert(
        {
            "metadata": {"name": trends.POD, "namespace": "shop"},
            "containers": [{"name": "app", "usage": {"memory": "lots"}}],
        },
        usage.PodMetrics,
    )
    assert swept({}, 0, strange) == {}


def test_another_limit_is_another_curve() -> None:
    known = swept({}, 0, metrics(256))
    larger = b.pod(
        trends.POD, spec={"containers": [{"name": "app", "image": "a", "resources": {"limits": {"memory": "640Mi"}}}]}
    )
    assert shares(swept(known, 10, metrics(320), pods=[larger])) == [0.5]


def test_the_first_two_low_samples_after_a_fall_are_kept_and_not_those_that_follow() -> None:
    known = swept({}, 0, metrics(480))
    for minutes in (5, 10, 15):
        known = swept(known, minutes, metrics(40))
    assert shares(known) == [0.9375, 0.0781, 0.0781]


def test_a_day_of_samples_is_thinned_and_bounded() -> None:
    known: Known = {}
    for minutes in range(0, 40 * 60, 5):
        known = swept(known, minutes, metrics(300))
    samples = known[PLACE].samples
    assert 90 <= len(samples) <= memory_curves.SAMPLES
    assert samples[-1].at - samples[0].at <= memory_curves.KEPT.total_seconds()
    assert [sample.at for sample in samples] == sorted({sample.at for sample in samples})
    assert len(msgspec.json.encode(known[PLACE])) < 4000


def test_a_fall_begins_the_curve_anew_and_a_single_odd_sample_does_not() -> None:
    steady = trends.curve(trends.leak(0.8, 0.05), hours=4)
    dip = list(steady.samples)
    dip[20] = history.Sample(dip[20].at, 0.01)
    assert memory_curves.growth(dataclasses_replace(steady, dip), b.NOW) is not None
    fallen = list(steady.samples)
    fallen[29:31] = [history.Sample(one.at, 0.1) for one in fallen[29:31]]
    assert memory_curves.growth(dataclasses_replace(steady, fallen), b.NOW) is None


def dataclasses_replace(state: history.Memory, samples: list[history.Sample]) -> history.Memory:
    return msgspec.structs.replace(state, samples=tuple(samples))


@pytest.mark.parametrize(("hours", "found"), [(1.9, False), (2.1, True)])
def test_two_hours_must_have_been_seen(hours: float, found: bool) -> None:
    growth = memory_curves.growth(trends.curve(trends.leak(0.9, 0.1), hours=hours), b.NOW)
    assert (growth is not None) is found


@given(st.floats(0.03, 0.2), st.floats(0.6, 0.95), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_the_slope_withstands_noise_and_one_wild_sample_in_ten(slope: float, now: float, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - noise, not secrets
    clean = trends.curve(trends.leak(now, slope), hours=4)
    noisy = [
        history.Sample(one.at, rng.random() * 1.2 if rng.random() < 0.1 else one.share + rng.uniform(-0.004, 0.004))
        for one in clean.samples[:-3]
    ]
    growth = memory_curves.growth(dataclasses_replace(clean, [*noisy, *clean.samples[-3:]]), b.NOW)
    if growth is not None:  # two wild samples in a row may look like a fall
        assert growth.slope == pytest.approx(slope, rel=0.25)


@given(st.lists(st.floats(0, 1.1), max_size=80), st.integers(1, 1200))
@settings(deadline=None, max_examples=100)
def test_whatever_the_samples_are_there_is_an_answer_that_makes_sense(values: list[float], every: int) -> None:
    first = int(b.NOW.timestamp()) - every * len(values)
    samples = tuple(history.Sample(first + every * number, value) for number, value in enumerate(values))
    growth = memory_curves.growth(history.Memory(trends.LIMIT, "p", "u", samples), b.NOW)
    if growth is not None:
        assert growth.slope > 0
        assert timedelta(0) <= growth.left <= memory_curves.HORIZON
        assert growth.share >= memory_curves.FULL
