"""Resizing a pod as it runs: exact steps, what stands in the way, the way back, and when it counts as done."""

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from k8s import catalogue, model, qos, verification
from tests.k8s import raw
from tests.k8s.actions import examples

BOTH = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
EVEN = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"cpu": "250m", "memory": "128Mi"}}
RESTARTED = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
HOLD, LONG = timedelta(minutes=2), timedelta(minutes=10)


def to(container: str = "web", **amounts: str) -> model.ResizePod:
    return model.ResizePod(examples.POD, raw.API, container, **amounts)


def pod_of(target: model.Target) -> model.Json:
    assert target.object is not None
    return target.object


def assessed(action: model.ResizePod, target: model.Target, *, after: float = 1) -> verification.Assessment:
    now = raw.NOW + timedelta(minutes=after)
    return verification.assess(action, started=raw.NOW, target=target, now=now, hold=HOLD, timeout=LONG)


def told(kind: str, *, of: int | None = 2, **more: str) -> model.Target:
    """Set to 500m and not there yet, with this condition; the pod is of generation 2."""
    target = examples.resizable({**BOTH, "requests": {"cpu": "500m", "memory": "128Mi"}}, state=BOTH)
    pod = pod_of(target)
    pod["metadata"]["generation"] = 2
    condition: model.Json = {"type": kind, "status": "True", **more}
    pod["status"]["conditions"].append(condition | ({} if of is None else {"observedGeneration": of}))
    return target


def test_it_writes_the_amounts_of_one_container_of_the_pod_and_tests_what_was_there() -> None:
    action = to(memory_request="256Mi", cpu_limit="1")
    plan = catalogue.plan(action, examples.resizable(BOTH), raw.NOW)
    (operation,) = plan.operations
    assert (operation.verb, operation.patch_type, operation.target) == ("resize", "json", examples.POD)
    assert operation.body == [
        {"op": "test", "path": "/spec/containers/0/name", "value": "web"},
        {"op": "test", "path": "/spec/containers/0/resources/requests/memory", "value": "128Mi"},
        {"op": "test", "path": "/spec/containers/0/resources/limits/cpu", "value": "500m"},
        {"op": "add", "path": "/spec/containers/0/resources/requests/memory", "value": "256Mi"},
        {"op": "add", "path": "/spec/containers/0/resources/limits/cpu", "value": "1"},
    ]
    assert plan.kubectl == (
        "kubectl -n payments patch pod/api-h5-a --subresource=resize -p "
        '\'{"spec":{"containers":[{"name":"web","resources":{"requests":{"memory":"256Mi"},"limits":{"cpu":"1"}}}]}}\''
    )
    assert plan.summary == (
        "Sets of container web of pod api-h5-a the memory request from 128Mi to 256Mi, the cpu limit from 500m to 1, "
        "as it runs and until the pod is replaced: the template of Deployment payments/api stays as it is."
    )
    assert (plan.risk, plan.blast.pods) == ("medium", 0)
    assert plan.blast.note.startswith("Nothing is restarted.")
    assert plan.inverse == to(memory_request="128Mi", cpu_limit="500m")


def test_a_server_that_does_not_say_that_it_can_is_not_asked() -> None:
    target = replace(examples.resizable(BOTH), unserved=("pods/resize",))
    (problem,) = catalogue.problems(to(cpu_request="500m"), target)
    assert "does not say that it has pods/resize" in problem


@pytest.mark.parametrize(
    ("amounts", "resources", "said"),
    [
        ({"memory_limit": "200Mi"}, BOTH, "A memory limit is not lowered in a container that runs on"),
        ({"memory_limit": "2Gi"}, BOTH, "changes more than 4 times"),
        ({"cpu_request": "1"}, BOTH, "The cpu request of 1 would be above the cpu limit of 500m"),
        ({"cpu_limit": "1"}, {"limits": {"memory": "1Gi"}}, "has no cpu limit that could be changed"),
        ({"cpu_limit": "500m"}, BOTH, "has these resources already"),
        ({"cpu_limit": "500m"}, EVEN, "The pod's class would change from Guaranteed to Burstable"),
    ],
)
def test_what_stands_in_the_way_is_said(amounts: dict[str, str], resources: Any, said: str) -> None:
    (problem,) = catalogue.problems(to(**amounts), examples.resizable(resources))
    assert said in problem


def test_a_class_stays_where_request_and_limit_go_together() -> None:
    assert catalogue.problems(to(cpu_limit="500m", cpu_request="500m"), examples.resizable(EVEN)) == ()


def test_the_class_that_the_server_tells_counts() -> None:
    target = examples.resizable(BOTH)
    pod_of(target)["status"]["qosClass"] = "BestEffort"
    assert "from BestEffort to Burstable" in catalogue.problems(to(cpu_limit="1"), target)[0]


def test_a_pod_that_does_not_run_and_a_node_that_cannot_are_refused() -> None:
    action, target = to(cpu_limit="1"), examples.resizable(BOTH)
    pod = pod_of(target)
    for change, said in (
        ({"phase": "Pending"}, "does not run"),
        ({"containerStatuses": [{"name": "web", "state": {"waiting": {}}}]}, "Container web of pod"),
        ({"containerStatuses": [{"name": "web", "state": {"running": {}}}]}, "cannot resize pods in place"),
    ):
        other = {**pod, "status": {**pod["status"], **change}}
        (problem,) = catalogue.problems(action, replace(target, object=other))
        assert said in problem
    for spec, said in (({"os": {"name": "windows"}}, "Windows"), ({"resources": {"limits": {"cpu": "1"}}}, "whole")):
        other = {**pod, "spec": {**pod["spec"], **spec}}
        assert said in " ".join(catalogue.problems(action, replace(target, object=other)))
    assert "no container x that serves" in " ".join(catalogue.problems(to("x", cpu_limit="1"), target))


def test_where_the_container_is_restarted_for_it_that_is_told_and_memory_may_go_down_and_back() -> None:
    target = examples.resizable(BOTH, RESTARTED)
    action = to(memory_limit="200Mi")
    assert catalogue.problems(action, target) == ()
    plan = catalogue.plan(action, target, raw.NOW)
    assert (plan.blast.pods, plan.inverse) == (1, to(memory_limit="256Mi"))
    assert "restarted for it: its resizePolicy says so for memory." in plan.blast.note
    assert catalogue.plan(to(cpu_limit="1"), target, raw.NOW).blast.pods == 0


def test_a_raised_memory_limit_has_no_way_back_in_a_container_that_runs_on() -> None:
    plan = catalogue.plan(to(memory_limit="512Mi"), examples.resizable(BOTH), raw.NOW)
    assert plan.inverse is None
    assert "a new pod has what the template says" in plan.irreversible
    back = catalogue.plan(to(memory_limit="512Mi"), examples.resizable(BOTH, RESTARTED), raw.NOW).inverse
    assert back == to(memory_limit="256Mi")


def test_a_patch_of_an_init_container_or_of_a_template_is_not_its_shape() -> None:
    action = to(cpu_limit="1")
    (operation,) = catalogue.plan(action, examples.resizable(BOTH), raw.NOW).operations
    remedy = catalogue.REMEDIES["resize-pod"]
    assert remedy.shaped(operation, action)
    assert isinstance(operation.body, list)
    for root in ("/spec/initContainers/0", "/spec/template/spec/containers/0"):
        body = [{**step, "path": step["path"].replace("/spec/containers/0", root)} for step in operation.body]
        assert not remedy.shaped(model.Operation("resize", operation.target, "json", body), action)
    assert not remedy.shaped(model.Operation("patch", operation.target, "json", operation.body), action)


def test_what_the_pin_rests_on_moves_with_the_resources_of_the_container() -> None:
    action, target = to(cpu_limit="1"), examples.resizable(BOTH)
    other = copy.deepcopy(pod_of(target))
    other["spec"]["containers"][0]["resources"]["requests"]["memory"] = "129Mi"
    pins = [catalogue.plan(action, each, raw.NOW).pins for each in (target, replace(target, object=other))]
    assert pins[0] != pins[1]


# --- when it counts as done


def test_it_is_verified_as_soon_as_the_container_runs_with_it() -> None:
    action = to(cpu_request="500m")
    wanted = {**BOTH, "requests": {"cpu": "0.5", "memory": "128Mi"}}
    assert assessed(action, examples.resizable(wanted)).status == "verified"
    waiting = assessed(action, examples.resizable(wanted, state=BOTH))
    assert (waiting.status, waiting.progress) == ("pending", "its node has not told yet")
    late = assessed(action, examples.resizable(wanted, state=BOTH), after=10)
    assert (late.status, "its node has not told yet" in late.reason) == ("not-verified", True)


def test_what_the_node_can_never_give_is_not_verified_at_once() -> None:
    found = assessed(to(cpu_request="500m"), told("PodResizePending", reason="Infeasible", message="too few cores"))
    assert (found.status, found.reason) == ("not-verified", "Its node can never give it: too few cores.")


def test_what_the_node_said_of_an_earlier_resize_does_not_count() -> None:
    action, said = to(cpu_request="500m"), {"reason": "Infeasible", "message": "too few cores"}
    assert assessed(action, told("PodResizePending", of=1, **said)).status == "pending"
    assert assessed(action, told("PodResizePending", of=None, **said), after=0.1).status == "pending"
    assert assessed(action, told("PodResizePending", of=None, **said)).status == "not-verified"


def test_what_waits_for_room_or_fails_is_told_and_waited_for() -> None:
    action = to(cpu_request="500m")
    for target, said in (
        (told("PodResizePending", reason="Deferred", message="no room"), "its node has no room now: no room"),
        (told("PodResizeInProgress"), "under way on its node"),
        (told("PodResizeInProgress", reason="Error", message="in use"), "its node cannot do it: in use"),
    ):
        found = assessed(action, target)
        assert (found.status, found.progress) == ("pending", said)
        assert assessed(action, target, after=10).status == "not-verified"


def test_another_pod_and_other_resources_are_not_verified() -> None:
    action = to(cpu_request="500m")
    assert "is gone" in assessed(action, replace(examples.resizable(BOTH), object=None)).reason
    assert "were changed since" in assessed(action, examples.resizable(BOTH)).reason


@pytest.mark.parametrize(
    ("resources", "found"),
    [
        ([{}], "BestEffort"),
        ([EVEN, EVEN], "Guaranteed"),
        ([EVEN, {}], "Burstable"),
        ([BOTH], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed"),
        ([{"requests": {"example.com/gpu": "1"}}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
    ],
)
def test_the_class_of_a_pod(resources: list[Any], found: str) -> None:
    assert qos.of([{"resources": each} for each in resources]) == found
