"""Removing a variable that an earlier revision did not have. What it shares with setting one: test_set_env."""

import pytest

from k8s import catalogue
from tests.k8s import raw
from tests.k8s.actions import examples
from tests.k8s.actions.variables import ENV, between, body, drop, put


def test_a_variable_that_came_with_the_rollout_is_removed() -> None:
    plan = catalogue.plan(drop(), examples.changed(), raw.NOW)
    assert body(drop(), examples.changed()) == [
        {"op": "test", "path": f"{ENV}/1/name", "value": "TRACE"},
        {"op": "remove", "path": f"{ENV}/1"},
    ]
    assert plan.kubectl == "kubectl -n payments set env deployment/api --containers=web TRACE-"
    assert plan.inverse == put("TRACE", 5)
    assert plan.summary.startswith("Removes variable TRACE from container web of Deployment payments/api, which")


def test_what_comes_by_env_from_may_still_hold() -> None:
    target = between([], [{"name": "TRACE", "value": "1"}], envFrom=[{"configMapRef": {"name": "all"}}])
    assert "envFrom" in catalogue.plan(drop(), target, raw.NOW).blast.note


@pytest.mark.parametrize(("variable", "revision"), [("LOG", 4), ("OTHER", 4), ("TRACE", 5), ("TRACE", 9)])
def test_a_variable_that_the_workload_was_never_seen_without_stays(variable: str, revision: int) -> None:
    assert catalogue.problems(drop(variable, revision), examples.changed())


def test_the_last_variable_leaves_an_empty_list() -> None:
    target = between([], [{"name": "TRACE", "value": "1"}])
    plan = catalogue.plan(drop(), target, raw.NOW)
    assert plan.operations[0].body == [
        {"op": "test", "path": ENV.removesuffix("/env") + "/name", "value": "web"},
        {"op": "test", "path": f"{ENV}/0/name", "value": "TRACE"},
        {"op": "remove", "path": f"{ENV}/0"},
    ]
