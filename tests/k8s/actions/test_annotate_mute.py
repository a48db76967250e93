"""Muting: a mark with kinds of failure on the workload, and its way back."""

from typing import Any

import pytest

from k8s import catalogue, indexing, model
from k8s.actions import annotate_mute
from tests.k8s import raw


def mute(*failures: str) -> model.AnnotateMute:
    return model.AnnotateMute(raw.API, failures)


def marked(text: str) -> model.Target:
    return raw.target(raw.workload(metadata={"annotations": {annotate_mute.MARK: text}}))


def test_it_is_the_mark_that_every_look_reads() -> None:
    assert annotate_mute.MARK == indexing.IGNORE


def test_the_mark_is_written_and_taken_back() -> None:
    plan = catalogue.plan(mute("LogErrors", "OOMKilled"), raw.target(raw.workload()), raw.NOW)
    (operation,) = plan.operations
    assert operation.body == {"metadata": {"annotations": {annotate_mute.MARK: "LogErrors,OOMKilled"}}}
    assert (plan.inverse, plan.risk) == (mute(), "medium")
    assert plan.kubectl == (
        "kubectl -n payments annotate deployment/api watchkeeper.io/ignore=LogErrors,OOMKilled --overwrite"
    )
    back = catalogue.plan(mute(), marked("LogErrors"), raw.NOW)
    assert back.operations[0].body == {"metadata": {"annotations": {annotate_mute.MARK: None}}}
    assert (back.inverse, back.risk) == (mute("LogErrors"), "low")
    assert back.kubectl == "kubectl -n payments annotate deployment/api watchkeeper.io/ignore- --overwrite"


def test_a_mark_that_somebody_else_wrote_in_another_way_is_left_alone() -> None:
    for text in ("true", "log errors", "OOMKilled,LogErrors"):
        (problem,) = catalogue.problems(mute("LogErrors"), marked(text))
        assert "in a way of their own" in problem
    (problem,) = catalogue.problems(mute("LogErrors"), marked("LogErrors"))
    assert problem == "Deployment payments/api is marked so already."


@pytest.mark.parametrize("failures", [["true"], ["a b"], ["B", "A"], ["A", "A"], ["x,Y"], [""], "LogErrors", None])
def test_only_kinds_each_once_in_order(failures: Any) -> None:
    ref = {"kind": "Deployment", "namespace": "payments", "name": "api"}
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({"action": "annotate-mute", "workload": ref, "failures": failures})
    assert caught.value.field.startswith("failures")
