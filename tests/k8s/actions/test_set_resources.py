"""Setting requests and limits: exact steps, bounds, and the way back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.cluster import patches
from k8s import catalogue, model, quantities
from tests.k8s import raw
from tests.k8s.actions import examples

BOTH = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
PATH = "/spec/template/spec/containers/0"


def to(container: str = "web", **amounts: str) -> model.SetResources:
    return model.SetResources(raw.API, container, **amounts)


def having(resources: Any, **more: Any) -> model.Target:
    return replace(
        examples.changed(), object=raw.workload(template=raw.pod_template(resources=resources), **more), autoscalers=()
    )


def steps(action: model.SetResources, target: model.Target) -> list[model.Json]:
    body = catalogue.plan(action, target, raw.NOW).operations[0].body
    assert isinstance(body, list)
    return body


def test_it_writes_the_amounts_of_one_container_and_tests_what_was_there() -> None:
    action = to(memory_request="256Mi", memory_limit="512Mi")
    assert steps(action, having(BOTH)) == [
        {"op": "test", "path": f"{PATH}/name", "value": "web"},
        {"op": "test", "path": f"{PATH}/resources/requests/memory", "value": "128Mi"},
        {"op": "test", "path": f"{PATH}/resources/limits/memory", "value": "256Mi"},
        {"op": "add", "path": f"{PATH}/resources/requests/memory", "value": "256Mi"},
        {"op": "add", "path": f"{PATH}/resources/limits/memory", "value": "512Mi"},
    ]
    plan = catalogue.plan(action, having(BOTH), raw.NOW)
    assert plan.kubectl == (
        "kubectl -n payments set resources deployment/api --containers=web --requests=memory=256Mi "
        "--limits=memory=512Mi"
    )
    assert plan.summary == (
        "Sets of container web of Deployment payments/api the memory request from 128Mi to 256Mi, the memory limit "
        "from 256Mi to 512Mi: restarts 3 pods, each old pod kept until a new one is ready."
    )
    assert (plan.risk, plan.blast.pods) == ("medium", 3)
    assert plan.inverse == to(memory_request="128Mi", memory_limit="256Mi")


def test_all_four_amounts_go_into_one_line() -> None:
    action = to(cpu_request="300m", memory_request="256Mi", cpu_limit="1", memory_limit="1Gi")
    line = catalogue.plan(action, having(BOTH), raw.NOW).kubectl
    assert line.endswith("--requests=cpu=300m,memory=256Mi --limits=cpu=1,memory=1Gi")


@pytest.mark.parametrize(
    ("amounts", "resources", "said"),
    [
        ({"memory_limit": "2Gi"}, BOTH, "From 256Mi to 2Gi the memory limit changes more than 4 times in one step"),
        ({"memory_limit": "63Mi", "memory_request": "32Mi"}, BOTH, "changes more than 4 times"),
        ({"memory_limit": "64Mi"}, BOTH, "The memory request of 128Mi would be above the memory limit of 64Mi"),
        ({"cpu_request": "1"}, BOTH, "The cpu request of 1 would be above the cpu limit of 500m"),
        ({"cpu_limit": "1"}, {"limits": {"memory": "1Gi"}}, "has no cpu limit that could be changed"),
        ({"cpu_request": "1"}, {}, "has no cpu request that could be changed"),
        ({"cpu_request": "1"}, None, "has no cpu request that could be changed"),
        ({"memory_limit": "256Mi"}, BOTH, "has these resources already"),
        ({"memory_limit": "1Gi"}, {"limits": {"memory": "many"}}, "The memory limit of many is nothing"),
        ({"memory_limit": "1Gi"}, {"limits": {"memory": "0"}}, "The memory limit of 0 is nothing"),
    ],
)
def test_what_stands_in_the_way_is_said(amounts: dict[str, str], resources: Any, said: str) -> None:
    (problem,) = catalogue.problems(to(**amounts), having(resources))
    assert said in problem


def test_another_container_and_a_paused_workload_are_refused() -> None:
    assert "has no container x (it has web)" in catalogue.problems(to("x", cpu_request="1"), having(BOTH))[0]
    assert "is paused" in catalogue.problems(to(memory_limit="512Mi"), having(BOTH, paused=True))[0]
    with pytest.raises(LookupError):
        catalogue.plan(to("x", cpu_request="1"), having(BOTH), raw.NOW)


@pytest.mark.parametrize("low", ["64Mi", "1Gi"])
def test_four_times_in_either_direction_is_allowed(low: str) -> None:
    target = having({"limits": {"memory": "256Mi"}})
    assert catalogue.problems(to(memory_limit=low), target) == ()


def test_a_request_that_is_left_out_is_worth_its_limit() -> None:
    target = having({"limits": {"memory": "256Mi"}})
    action = to(memory_request="128Mi")
    assert catalogue.problems(action, target) == ()
    assert steps(action, target)[-1] == {
        "op": "add",
        "path": f"{PATH}/resources/requests",
        "value": {"memory": "128Mi"},
    }
    assert catalogue.plan(action, target, raw.NOW).inverse == to(memory_request="256Mi")
    raised = catalogue.plan(to(memory_limit="512Mi"), target, raw.NOW)
    assert "from 256Mi to 512Mi, the memory request with it" in raised.summary


def test_amounts_that_were_written_in_other_ways_go_back_canonically() -> None:
    target = having({"requests": {"cpu": 0.5, "memory": "256M"}})
    plan = catalogue.plan(to(cpu_request="1", memory_request="512Mi"), target, raw.NOW)
    assert plan.inverse == to(cpu_request="500m", memory_request="250000Ki")


def test_an_autoscaler_that_measures_by_requests_is_told_of() -> None:
    target = replace(having(BOTH), autoscalers=({"metadata": {"name": "api"}},))
    assert "HorizontalPodAutoscaler" in catalogue.plan(to(cpu_request="300m"), target, raw.NOW).blast.note
    assert "Horizontal" not in catalogue.plan(to(memory_limit="512Mi"), target, raw.NOW).blast.note


def test_requests_that_were_left_out_are_written_as_a_whole_and_nothing_beside_them() -> None:
    target = having({"limits": {"memory": "256Mi"}})
    action = to(memory_request="128Mi", memory_limit="512Mi")
    (operation,) = catalogue.plan(action, target, raw.NOW).operations
    remedy = catalogue.REMEDIES["set-resources"]
    assert remedy.shaped(operation, action)
    assert isinstance(operation.body, list)
    more = {"op": "add", "path": f"{PATH}/resources/requests", "value": {"memory": "128Mi", "cpu": "64"}}
    foreign = {"op": "test", "path": f"{PATH}/image", "value": "web:1.5"}
    for body in ([*operation.body[:-1], more], [*operation.body, foreign], operation.body[:2]):
        assert not remedy.shaped(model.Operation("patch", raw.API, "json", body), action)


def test_amounts_that_cannot_be_written_back_have_no_way_back() -> None:
    target = having({"requests": {"cpu": "100500u"}})
    assert "of 100500u is nothing that 200m" in catalogue.problems(to(cpu_request="200m"), target)[0]
    plan = catalogue.plan(to(cpu_request="200m"), target, raw.NOW)
    assert (plan.inverse, bool(plan.irreversible)) == (None, True)


def test_resources_that_were_changed_since_are_told() -> None:
    remedy, action = catalogue.REMEDIES["set-resources"], to(memory_limit="512Mi")
    assert "were changed since" in remedy.overridden(action, having(BOTH))
    same = {"limits": {"memory": 512 * 2**20}}
    assert remedy.overridden(action, having(same)) == ""


@pytest.mark.parametrize(
    ("amounts", "field"),
    [
        ({}, ""),
        ({"cpu_limit": "1000m"}, "cpu_limit"),
        ({"cpu_limit": "0"}, "cpu_limit"),
        ({"cpu_limit": "-1"}, "cpu_limit"),
        ({"memory_request": "1024Mi"}, "memory_request"),
        ({"memory_request": "lots"}, "memory_request"),
        ({"memory_limit": "1Gi", "container": "--all"}, "container"),
    ],
)
def test_what_is_out_of_bounds_is_no_action(amounts: dict[str, str], field: str) -> None:
    tree = {"action": "set-resources", "workload": {"kind": "Deployment", "namespace": "a", "name": "b"}}
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "container": "web", **amounts})
    assert caught.value.field == field


AMOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "cpu_request": st.sampled_from(("50m", "125m", "250m", "1", "4")),
        "cpu_limit": st.sampled_from(("100m", "250m", "2", "8")),
        "memory_request": st.sampled_from(("16Mi", "64Mi", "128Mi", "512Mi", "1Gi")),
        "memory_limit": st.sampled_from(("32Mi", "128Mi", "256Mi", "1Gi", "4Gi")),
    },
)
RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        bound: st.fixed_dictionaries(
            {},
            optional={
                "cpu": st.sampled_from(("50m", "0.25", "1", "2000m")),
                "memory": st.sampled_from(("32Mi", "128M", "256Mi", "1Gi")),
            },
        )
        for bound in ("requests", "limits")
    },
)


@settings(deadline=None, max_examples=200)
@given(AMOUNTS.filter(bool), RESOURCES)
def test_no_plan_adds_or_drops_a_limit_nor_lifts_a_request_above_it_and_its_inverse_fits(
    amounts: dict[str, str], resources: model.Json
) -> None:
    action, target = to(**amounts), having(resources)
    if catalogue.problems(action, target):
        return
    plan = catalogue.plan(action, target, raw.NOW)
    assert target.object is not None
    assert not catalogue.applied(action, plan.operations, target)
    after = patches.apply_patch(target.object, plan.operations[0].body, "application/json-patch+json")
    found = after["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert found.get("limits", {}).keys() == resources.get("limits", {}).keys()
    assert all(_ordered(found, what) for what in RESOURCE_NAMES if any(name.startswith(what) for name in amounts))
    there = replace(target, object=after)
    assert catalogue.applied(action, plan.operations, there)
    assert plan.inverse is not None
    if all(_ordered(resources, what) for what in RESOURCE_NAMES):
        assert not catalogue.problems(plan.inverse, there)


RESOURCE_NAMES: tuple[quantities.Resource, ...] = ("cpu", "memory")


def _ordered(resources: model.Json, what: quantities.Resource) -> bool:
    """Whether the request, where there is one, is within the limit, where there is one."""
    low, high = (quantities.parse(resources.get(bound, {}).get(what, ""), what) for bound in ("requests", "limits"))
    return low is None or high is None or low <= high
