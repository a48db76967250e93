"""The ranking of changes: what fits, what is direct, what is near, and what is no cause at all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import changes_before, detection, model

BEGAN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
API = model.ResourceRef("Deployment", "shop", "api", "uid-api")
POD = model.ResourceRef("Pod", "shop", "api-x", "uid-pod")


def problem(kind: str = "CrashLoopBackOff", container: str = "app") -> model.Problem:
    finding = model.Finding(kind, "P1", POD, API, "It fails.", BEGAN, "x", container=container)
    return model.Problem(API, (finding,), "P1", 0, 3)


def change(
    kind: changes_before.Kind = "config", minutes: float = 3, *about: changes_before.Aspect, **more: Any
) -> changes_before.Change:
    ref = model.ResourceRef("ConfigMap", "shop", more.pop("name", "app"))
    values: dict[str, Any] = {"what": f"{ref} was changed", "aspects": frozenset(about or {"configuration"})}
    return changes_before.Change(kind, ref, BEGAN - timedelta(minutes=minutes), **{**values, **more})


def names(found: Sequence[changes_before.Change]) -> list[str]:
    return [each.ref.name for each in found]


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        ("ImagePull", "image"),
        ("CrashLoopBackOff", "configuration"),
        ("ConfigError", "configuration"),
        ("OOMKilled", "resources"),
        ("Unschedulable", "resources"),
        ("NotReady", "probe"),
        ("LivenessRestarts", "probe"),
    ],
)
def test_what_fits_the_symptom_comes_before_what_is_nearer_and_does_not(
    kind: str, fitting: changes_before.Aspect
) -> None:
    near = change("restart", 1, name="near", aspects=frozenset())
    found = changes_before.likeliest([near, change("rollout", 60, fitting, name="far")], problem(kind))
    assert [(each.ref.name, each.fits) for each in found] == [("far", True), ("near", False)]


def test_of_those_that_fit_the_direct_one_comes_first_and_then_the_nearest() -> None:
    given_ = [
        change(minutes=20, name="far"),
        change("node", 1, "node", name="node", direct=False),
        change(minutes=5, name="near"),
    ]
    assert names(changes_before.likeliest(given_, problem("NotReady"))) == ["near", "far", "node"]


def test_what_came_after_the_begin_or_before_the_window_is_no_cause() -> None:
    given_ = [
        change(minutes=-1, name="after"),
        change(minutes=24 * 60 + 1, name="long-before"),
        change(minutes=24 * 60, name="just-in"),
        change(minutes=-1 / 60, name="by-another-clock"),
    ]
    found = changes_before.likeliest(given_, problem())
    assert names(found) == ["by-another-clock", "just-in"]
    assert found[0].before == timedelta(0)


def test_what_only_another_container_gets_does_not_fit() -> None:
    other, own = change(containers=frozenset({"proxy"})), change(minutes=9, containers=frozenset({"app", "proxy"}))
    found = changes_before.likeliest([other, own], problem())
    assert [each.fits for each in found] == [True, False]
    assert found[0].before == timedelta(minutes=9)
    assert all(each.fits for each in changes_before.likeliest([other, own], problem(container="")))


def test_a_config_map_reaches_a_pod_when_that_starts() -> None:
    started = BEGAN - timedelta(minutes=2)
    (found,) = changes_before.likeliest([change(minutes=300)], problem(), started=started)
    assert (found.before, found.reached) == (timedelta(minutes=300), timedelta(minutes=2))
    for no_help in (BEGAN - timedelta(hours=9), BEGAN + timedelta(minutes=1)):
        (found,) = changes_before.likeliest([change(minutes=300)], problem(), started=no_help)
        assert found.reached == found.before


def test_a_kind_that_nothing_is_known_of_is_fitted_by_nothing() -> None:
    (found,) = changes_before.likeliest([change()], problem("SomethingOfTheirOwn"))
    assert not found.fits


def test_every_kind_that_is_fitted_exists() -> None:
    assert set(changes_before._FITS) <= set(detection.KINDS)


def test_a_change_is_told_in_one_plain_sentence() -> None:
    (found,) = changes_before.likeliest(
        [change(what="ConfigMap shop/app was changed", by="kubectl-edit", detail="LOG_LEVEL")], problem()
    )
    assert found.sentence == (
        "ConfigMap shop/app was changed 3 min before the first failure, by kubectl-edit: LOG_LEVEL."
    )
    assert found.line == (
        "2026-11-21 02:57:00 UTC, 3 min before: ConfigMap shop/app was changed, by kubectl-edit: LOG_LEVEL"
    )
    (at_once,) = changes_before.likeliest([change(minutes=0, what="Node w1 was cordoned")], problem())
    assert at_once.sentence == "Node w1 was cordoned just before the first failure."


def test_a_list_of_changes_is_short() -> None:
    found = changes_before.likeliest([change(minutes=each) for each in range(9)], problem())
    lines = changes_before.told(found).splitlines()
    assert len(lines) == changes_before.TOLD + 1
    assert lines[-1] == "… and 4 less likely changes"


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("image: a → b", {"image"}),
        ("api: image: a → b", {"image"}),
        ("init migrate: env DB_URL removed", {"configuration"}),
        ("container proxy added", {"image"}),
        ("init container migrate removed", {"image"}),
        ("env from ConfigMap app changed", {"configuration"}),
        ("env TOKEN now from Secret app, key token", {"configuration", "credentials"}),
        ("arguments changed", {"configuration"}),
        ("command removed", {"configuration"}),
        ("mount /etc/app changed", {"configuration"}),
        ("volume data changed (ConfigMap app)", {"configuration", "placement"}),
        ("memory limit 256Mi → 128Mi", {"resources"}),
        ("api: cpu request none → 64", {"resources"}),
        ("readiness probe changed: path", {"probe"}),
        ("port 8080/TCP removed", {"probe"}),
        ("nodeSelector added", {"placement"}),
        ("service account: default → api", {"configuration", "credentials"}),
        ("imagePullSecrets changed", {"credentials"}),
        ("annotation kubectl.kubernetes.io/restartedAt changed", set()),
    ],
)
def test_the_lines_of_a_rollout_tell_what_it_is_about(line: str, about: set[str]) -> None:
    assert changes_before.aspects([line]) == about


CHANGES = st.builds(
    changes_before.Change,
    kind=st.sampled_from(get_args(changes_before.Kind)),
    ref=st.builds(model.ResourceRef, st.sampled_from(["Node", "ConfigMap"]), st.just("shop"), st.sampled_from("ab")),
    at=st.integers(-200_000, 60).map(lambda seconds: BEGAN + timedelta(seconds=seconds)),
    what=st.sampled_from(["it was changed", "it was created"]),
    by=st.sampled_from(["", "helm"]),
    aspects=st.frozensets(st.sampled_from(get_args(changes_before.Aspect)), max_size=2),
    containers=st.frozensets(st.sampled_from(["app", "proxy"]), max_size=2),
    direct=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=8), st.randoms(use_true_random=False), st.sampled_from(sorted(detection.KINDS)))
def test_the_order_of_what_comes_in_does_not_matter(
    given_: list[changes_before.Change], random: Any, kind: str
) -> None:
    shuffled = [*given_, *given_[:2]]
    random.shuffle(shuffled)
    found = changes_before.likeliest(given_, problem(kind))
    assert changes_before.likeliest(shuffled, problem(kind)) == found
    assert [each.fits for each in found] == sorted((each.fits for each in found), reverse=True)
    assert all(timedelta(0) <= each.reached <= each.before <= changes_before.WINDOW for each in found)
