"""What of a workload is still on the move: while it is, that nothing is found on it means nothing."""

import dataclasses
from datetime import timedelta

import msgspec
import pytest

from k8s import model, objects, settling, slimming
from tests.k8s.detectors import builders as b

HOLD = timedelta(seconds=60)
WEB = model.ResourceRef("Deployment", "shop", "web", "uid-web")
DB = model.ResourceRef("StatefulSet", "shop", "db", "uid-db")
AGENT = model.ResourceRef("DaemonSet", "shop", "agent", "uid-agent")
POD = model.ResourceRef("Pod", "shop", "web-7d9f-abcde", "uid-web-7d9f-abcde")


def moving(subject: model.ResourceRef, **lists: list[b.Json]) -> str:
    return settling.unsettled(b.snapshot(**lists), [subject], HOLD).get(subject, "")


WELL = {"deployments": [b.deployment()], "replicasets": [b.replicaset()], "pods": [b.pod(), b.pod("web-7d9f-2")]}


def test_a_workload_whose_pods_are_ready_for_long_is_settled() -> None:
    assert moving(WEB, **WELL) == ""
    assert moving(DB, statefulsets=[b.statefulset()], pods=[b.ordinal(0), b.ordinal(1)]) == ""
    assert moving(AGENT, daemonsets=[b.daemonset()], pods=[b.daemon("node-a")]) == ""
    assert moving(POD, pods=[b.pod(owner=[])]) == ""


def test_what_is_gone_or_going_or_scaled_to_nothing_waits_for_nothing() -> None:
    assert moving(WEB) == ""
    assert moving(WEB, deployments=[b.deployment(ready=0, deletionTimestamp=b.ago(5))]) == ""
    assert moving(WEB, deployments=[b.deployment(replicas=0, ready=0)]) == ""
    ended = b.pod(phase="Failed", ready=False, statuses=[b.waiting("Error")])
    assert moving(WEB, deployments=[b.deployment()], replicasets=[b.replicaset()], pods=[ended]) == ""


def test_a_change_that_the_controller_has_not_seen_is_waited_for() -> None:
    changed = b.deployment(generation=2)
    assert moving(WEB, **WELL | {"deployments": [changed]}) == "its controller has not seen its newest change"


def test_a_rollout_that_runs_is_waited_for_also_while_the_old_pods_serve() -> None:
    running = b.deployment(updated=1, conditions=[b.progressing(reason="ReplicaSetUpdated")])
    assert moving(WEB, **WELL | {"deployments": [running]}) == "a rollout is running"


@pytest.mark.parametrize(
    ("subject", "lists"),
    [
        (WEB, {"deployments": [b.deployment(ready=1)]}),
        (DB, {"statefulsets": [b.statefulset(replicas=2, ready=1)]}),
        (AGENT, {"daemonsets": [b.daemonset(desired=2, ready=1)]}),
        (model.ResourceRef("ReplicaSet", "shop", "web-7d9f"), {"replicasets": [b.replicaset(ready=1)]}),
    ],
    ids=["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
)
def test_replicas_that_are_missing_are_waited_for(subject: model.ResourceRef, lists: dict[str, list[b.Json]]) -> None:
    assert moving(subject, **lists) == "1 of 2 replicas are ready"


def test_a_pod_that_is_not_ready_is_waited_for_though_enough_others_are() -> None:
    extra = b.pod("web-7d9f-3", [b.running(ready=False)])
    assert moving(WEB, **WELL | {"pods": [*WELL["pods"], extra]}) == "pod web-7d9f-3 is not ready"


@pytest.mark.parametrize(
    ("age", "settled"), [(59, False), (60, True), (-5, False)], ids=["short of it", "to the second", "a clock ahead"]
)
def test_a_pod_counts_once_it_has_run_for_the_hold(age: float, settled: bool) -> None:
    said = moving(WEB, **WELL | {"pods": [b.pod(age=age)]})
    assert said == ("" if settled else "pod web-7d9f-abcde runs for less than 60 s")


def test_a_container_that_was_started_again_counts_from_its_new_start() -> None:
    again = b.pod(statuses=[b.running(), b.running("proxy", started=10, restarts=1, lastState=b.ended())])
    assert moving(WEB, **WELL | {"pods": [again]}) == "pod web-7d9f-abcde runs for less than 60 s"
    assert moving(POD, pods=[again | {"metadata": b.meta(POD.name)}]) == "pod web-7d9f-abcde runs for less than 60 s"


def test_a_namesake_that_was_made_anew_is_another_one() -> None:
    web, pod = (model.ResourceRef(ref.kind, ref.namespace, ref.name, "uid-before") for ref in (WEB, POD))
    assert moving(web, **WELL | {"deployments": [b.deployment(ready=0)], "pods": [b.pod(age=1)]}) == ""
    assert moving(pod, pods=[b.pod(statuses=[b.running(ready=False)], owner=[])]) == ""
    nameless = model.ResourceRef("Deployment", "shop", "web")
    assert moving(nameless, deployments=[b.deployment(ready=0)]) == "0 of 2 replicas are ready"


def test_pods_of_others_do_not_count() -> None:
    others = [
        b.pod("other", [b.running(ready=False)], owner=b.controlled("ReplicaSet", "other-1")),
        b.pod("web-7d9f-far", [b.running(ready=False)], namespace="far"),
        b.pod("lonely", [b.running(ready=False)], owner=[]),
    ]
    assert moving(WEB, **WELL | {"pods": [*WELL["pods"], *others]}) == ""


def test_a_pod_that_a_sweep_has_slimmed_counts_by_when_it_was_made() -> None:
    seen = b.snapshot(deployments=WELL["deployments"], replicasets=WELL["replicasets"])
    for age, expected in ((5, {WEB}), (600, set())):
        pods = [msgspec.convert(b.pod(age=age), type=objects.Pod)]
        slimming.Slimming().pod(pods[0])
        assert set(settling.unsettled(dataclasses.replace(seen, pods=pods), [WEB], HOLD)) == expected


def test_each_of_several_is_told_by_itself() -> None:
    other = model.ResourceRef("Node", "", "node-a")
    seen = b.snapshot(**WELL, statefulsets=[b.statefulset(ready=1)], nodes=[b.node()])
    assert dict(settling.unsettled(seen, [WEB, DB, other, POD], HOLD)) == {DB: "1 of 3 replicas are ready"}
