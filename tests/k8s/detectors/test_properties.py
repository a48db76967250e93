"""Whatever a cluster sends, detection does not raise, does not depend on order, and healthy objects change nothing."""

import copy
import dataclasses
import functools
import random
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection, folding, history, indexing, model, objects, slimming, surroundings, usage
from tests.k8s.detectors import around, examples
from tests.k8s.detectors import builders as b

_WORDS = st.sampled_from(
    [
        *("True", "False", "Unknown", "Running", "Pending", "Failed", "Succeeded", "Always", "Never", ""),
        *("CrashLoopBackOff", "ErrImagePull", "CreateContainerConfigError", "OOMKilled", "StartError", "Completed"),
        *("Ready", "PodScheduled", "Unschedulable", "SchedulingGated", "Progressing", "ReplicaFailure", "Available"),
        *("BackOff", "Unhealthy", "FailedCreate", "ProgressDeadlineExceeded", "MemoryPressure", "KernelDeadlock"),
        *("Service", "PersistentVolumeClaim", "exceeded quota: compute, requested: pods=1", "tls.crt", "10", "fast"),
        *("ProvisioningFailed", "Lost", "Fail", "Ignore", "kubernetes.io/service-name", "app=web", "compute", "hook"),
        *("Pod", "ReplicaSet", "Deployment", "Job", "CronJob", "Node", "StatefulSet", "app", "web", "shop", "uid-web"),
        *("Readiness probe failed: no", "exceeded quota: x", 'secret "a" not found', "3 Insufficient cpu", "{app}"),
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-14T02:59:00Z", "2026-03-14", "not a time"),
        *("watchkeeper.io/ignore", "deployment.kubernetes.io/revision", "1", "²", "128Mi", "1e999999", "é\u0000\u2028"),
    ]
)
_TEXTS = _WORDS | st.text(max_size=12)
_NUMBERS = st.sampled_from([0, 1, 2, 3, 137, -1, 2**31, 2**63 - 1, -(2**63)]) | st.integers(-5, 5)
_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)

_LISTS: Mapping[str, type[objects.Object]] = {
    "namespaces": objects.Namespace,
    "nodes": objects.Node,
    "pods": objects.Pod,
    "deployments": objects.Workload,
    "replicasets": objects.Workload,
    "statefulsets": objects.Workload,
    "daemonsets": objects.Workload,
    "jobs": objects.Job,
    "cronjobs": objects.CronJob,
    "events": objects.Event,
    "services": surroundings.Service,
    "endpointslices": surroundings.EndpointSlice,
    "ingresses": surroundings.Ingress,
    "ingressclasses": surroundings.IngressClass,
    "persistentvolumeclaims": surroundings.Claim,
    "storageclasses": surroundings.StorageClass,
    "resourcequotas": surroundings.Quota,
    "horizontalpodautoscalers": surroundings.Autoscaler,
    "poddisruptionbudgets": surroundings.Budget,
    "validatingwebhookconfigurations": surroundings.WebhookConfiguration,
    "mutatingwebhookconfigurations": surroundings.WebhookConfiguration,
    "secrets": surroundings.TlsSecret,
    "podmetrics": usage.PodMetrics,
}


@functools.cache
def _builder(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Objects of one struct type with every field drawn at random: any value that its decoder would let through."""
    fields = {field.name: _value(field.type) for field in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries({}, optional=fields).map(lambda drawn: kind(**drawn))


def _value(annotation: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return st.lists(_value(arguments[0]), max_size=2)
    if origin is tuple:
        return st.lists(_value(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(_TEXTS, _value(arguments[1]), max_size=2)
    if arguments:
        return st.one_of([_value(argument) for argument in arguments])
    simple = {str: _TEXTS, int: _NUMBERS, bool: st.booleans(), type(None): st.none(), Any: _ANYTHING}
    return simple[annotation] if annotation in simple else st.deferred(lambda: _builder(annotation))


def _snapshot(lists: Mapping[str, Any]) -> model.Snapshot:
    return model.Snapshot("odd", b.NOW, **lists)


_SNAPSHOTS = st.fixed_dictionaries(
    {}, optional={name: st.lists(_builder(kind), max_size=3) for name, kind in _LISTS.items()}
).map(lambda lists: _snapshot(lists))

_ALL_EXAMPLES = [example.broken for example in examples.EXAMPLES.values()]
_EXAMPLES = st.sampled_from(_ALL_EXAMPLES)


def _joined(*snapshots: model.Snapshot) -> model.Snapshot:
    lists = {name: [item for snapshot in snapshots for item in getattr(snapshot, name)] for name in _LISTS}
    past = functools.reduce(history.History.with_changes, (snapshot.past for snapshot in snapshots))
    return dataclasses.replace(_snapshot(lists), past=past)


@st.composite
def _mutated(draw: st.DrawFn) -> model.Snapshot:
    """An example with some of its JSON replaced or taken away, decoded again; what no longer decodes is left out."""
    example = _joined(*draw(st.lists(_EXAMPLES, min_size=1, max_size=3)))
    lists: dict[str, list[Any]] = {}
    for name, kind in _LISTS.items():
        lists[name] = []
        for item in getattr(example, name):
            tree = msgspec.to_builtins(item)
            for _ in range(draw(st.integers(1, 4))):
                _mutate(draw, tree)
            try:
                lists[name].append(msgspec.convert(tree, type=kind))
            except msgspec.ValidationError:
                continue
    return dataclasses.replace(_snapshot(lists), past=example.past)


def _mutate(draw: st.DrawFn, tree: Any) -> None:
    """Walks down a random path and changes what it finds at its end."""
    while isinstance(tree, dict | list) and tree:
        keys: list[Any] = sorted(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = draw(st.sampled_from(keys))
        if isinstance(tree[key], dict | list) and tree[key] and draw(st.integers(0, 5)):
            tree = tree[key]
            continue
        if isinstance(tree, dict) and draw(st.booleans()):
            del tree[key]
        else:
            tree[key] = draw(_ANYTHING)
        return


EVERYTHING = detection.Options(enabled=frozenset(detection.KINDS))


def _check(snapshot: model.Snapshot) -> None:
    found = detection.detect(snapshot, EVERYTHING)
    assert found.errors == {}
    assert sum(len(problem.findings) for problem in found.problems) <= len(found.findings)
    assert len({str(problem.subject) for problem in found.problems}) == len(found.problems)
    for finding in (*found.findings, *found.risks):
        assert finding.kind in detection.KINDS
        assert finding.since <= b.NOW
        assert finding.message.endswith(".")
        assert all(finding.facts.values())


@settings(deadline=None, max_examples=150)
@given(_SNAPSHOTS)
def test_no_object_however_odd_breaks_a_detector_off(snapshot: model.Snapshot) -> None:
    _check(snapshot)


@settings(deadline=None, max_examples=200)
@given(_mutated())
def test_no_object_however_mutated_breaks_a_detector_off(snapshot: model.Snapshot) -> None:
    _check(snapshot)


@settings(deadline=None, max_examples=150)
@given(_SNAPSHOTS | _mutated())
def test_what_a_sweep_does_not_keep_of_pods_is_missed_by_no_detector(snapshot: model.Snapshot) -> None:
    slim = slimming.Slimming()
    pods = copy.deepcopy(list(snapshot.pods))
    for pod in pods:
        slim.pod(pod)
    seen = dataclasses.replace(snapshot, pods=pods)
    assert detection.detect(seen, EVERYTHING) == detection.detect(snapshot, EVERYTHING)


def _told(found: detection.Detection) -> list[tuple[str, str, tuple[str, ...]]]:
    return sorted((str(problem.subject), problem.severity, problem.kinds) for problem in found.problems)


@settings(deadline=None, max_examples=50)
@given(st.lists(_EXAMPLES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_neither_the_order_of_objects_nor_of_findings_matters(
    chosen: list[model.Snapshot], shuffler: random.Random
) -> None:
    ordered = _joined(*chosen)
    found = detection.detect(ordered)
    findings = list(found.findings)
    shuffler.shuffle(findings)
    lists = {name: list(getattr(ordered, name)) for name in _LISTS}
    for items in lists.values():
        shuffler.shuffle(items)
    assert detection.detect(dataclasses.replace(ordered, pods=lists["pods"])) == found
    shuffled = dataclasses.replace(_snapshot(lists), past=ordered.past)
    assert _told(detection.detect(shuffled)) == _told(found)
    assert folding.fold(findings, indexing.Index(ordered)) == found.problems


@settings(deadline=None, max_examples=50)
@given(_EXAMPLES, st.integers(1, 5))
def test_healthy_objects_never_change_the_findings(example: model.Snapshot, number: int) -> None:
    healthy = b.snapshot(
        pods=[b.pod(f"well-{n}", owner=b.controlled("ReplicaSet", "well-1"), node="node-w") for n in range(number)],
        replicasets=[b.replicaset("well-1", deployment="well", replicas=number, ready=number)],
        deployments=[b.deployment("well", replicas=number, ready=number)],
        statefulsets=[b.deployment("well-db", replicas=number, ready=number)],
        nodes=[b.node("node-w")],
        jobs=[b.job("well-job")],
        services=[around.service("unhurt", {"app": "unhurt"})],
        endpointslices=[around.endpoints(True, of="unhurt")],
        ingresses=[around.ingress("unhurt", to="unhurt")],
        persistentvolumeclaims=[around.claim("unhurt", phase="Bound")],
        resourcequotas=[around.quota("unhurt", hard={"pods": "9"}, used={"pods": "1"})],
        validatingwebhookconfigurations=[around.webhook("unhurt", name="unhurt")],
    )
    found, alone = detection.detect(_joined(example, healthy)), detection.detect(example)
    assert (found.findings, found.problems) == (alone.findings, alone.problems)
