"""One call asks every detector: settings, mutes, what a broken detector costs, what the catalogue says of itself."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from k8s import detection, folding, model
from tests.k8s.detectors import around
from tests.k8s.detectors import builders as b

CRASHING = b.whole(b.pod(statuses=[b.crashed()]))


class BreaksOff:
    """A detector that finds one thing and then trips over an object."""

    kinds: tuple[str, ...] = ("CrashLoopBackOff", "Odd")
    reads: tuple[str, ...] = ("pods",)

    def detect(self, snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
        yield from detection.DETECTORS[5].detect(snapshot, index)
        raise ZeroDivisionError


def _marked(item: b.Json, value: str, *, place: str = "annotations") -> b.Json:
    return item | {"metadata": item["metadata"] | {place: {"watchkeeper.io/ignore": value}}}


def _namespace(value: str) -> b.Json:
    return {"metadata": {"name": "shop", "annotations": {"watchkeeper.io/ignore": value}}}


def test_a_healthy_cluster_has_no_findings() -> None:
    lists = b.whole(b.pod("a"), b.pod("b"), ready=2)
    found = detection.detect(b.snapshot(**lists, nodes=[b.node()], jobs=[b.job()]))
    assert found == detection.Detection(findings=(), muted=0, problems=(), errors={})


def test_the_catalogue_is_complete() -> None:
    of_detectors = [kind for detector in detection.DETECTORS for kind in detector.kinds]
    assert sorted(of_detectors) == sorted(detection.KINDS)
    assert set(folding.CAUSAL_ORDER) == set(detection.KINDS)
    for kind, info in detection.KINDS.items():
        assert kind == info.kind
        assert info.doc.startswith("https://kubernetes.io/docs/")
        assert info.grace >= timedelta(0)
        assert info.condition.startswith(("a ", "an ", "the "))
        assert len(info.condition) < 100
        assert info.unless == "" or info.unless[:2] in {"P1", "P2", "P3"} - {info.severity}


@pytest.mark.parametrize("kind", detection.KINDS)
def test_every_kind_names_the_lists_that_it_rests_on(kind: str) -> None:
    lists = {field.name for field in dataclasses.fields(model.Snapshot)}
    assert detection.reads(kind)
    assert set(detection.reads(kind)) <= lists


def test_a_kind_that_is_not_in_the_catalogue_has_no_lists() -> None:
    with pytest.raises(KeyError):
        detection.reads("Bogus")


def test_a_disabled_kind_is_not_found_and_its_neighbours_are() -> None:
    both = b.snapshot(nodes=[b.node("n", b.node_condition("Ready", "False"), b.node_condition("DiskPressure", "True"))])
    options = detection.Options(disabled=frozenset({"NodeNotReady"}))
    assert [finding.kind for finding in detection.detect(both, options).findings] == ["NodePressure"]
    options = detection.Options(disabled=frozenset({"NodeNotReady", "NodePressure"}))
    assert detection.detect(both, options).findings == ()


def test_graces_and_severities_are_settings() -> None:
    options = detection.Options(
        graces={"CrashLoopBackOff": timedelta(minutes=5)}, severities={"CrashLoopBackOff": "P3"}
    )
    found = detection.detect(b.snapshot(**CRASHING), options)
    crash, missing = found.findings
    assert (crash.severity, crash.grace) == ("P3", timedelta(minutes=5))
    assert (missing.severity, missing.grace) == ("P2", timedelta(seconds=120))
    assert found.problems[0].severity == "P2"


def test_a_kind_whose_severity_depends_says_so_and_a_severity_that_was_set_holds_whatever_it_depends_on() -> None:
    crash = detection.detect(b.snapshot(**CRASHING)).findings[0]
    none_ready = b.snapshot(**b.whole(b.pod(statuses=[b.crashed()]), ready=0))
    alone = detection.detect(none_ready).findings[0]
    assert (crash.severity, alone.severity) == ("P2", "P1")
    assert detection.KINDS["CrashLoopBackOff"].unless == "P1 where no replica is ready"
    options = detection.Options(severities={"CrashLoopBackOff": "P2", "ReplicasMissing": "P3"})
    found = detection.detect(none_ready, options)
    assert [finding.severity for finding in found.findings] == ["P2", "P3"]


@pytest.mark.parametrize(
    ("grace", "mature"), [(timedelta(0), True), (timedelta(minutes=4), True), (timedelta(minutes=6), False)]
)
def test_a_problem_is_mature_by_the_grace_that_was_set(grace: timedelta, mature: bool) -> None:
    since = b.NOW - timedelta(minutes=5)
    lists = b.whole(b.pod(statuses=[b.crashed()]))
    options = detection.Options(graces=dict.fromkeys(detection.KINDS, grace))
    (problem,) = detection.detect(b.snapshot(**lists), options).problems
    shifted = [dataclasses.replace(finding, since=since) for finding in problem.findings]
    assert {finding.grace for finding in shifted} == {grace}
    assert dataclasses.replace(problem, findings=tuple(shifted)).mature(b.NOW) is mature


@pytest.mark.parametrize(
    ("grace", "subjects"), [(timedelta(0), ["Node"]), (timedelta(hours=1), ["Node", "ReplicaSet"])]
)
def test_a_node_takes_its_pods_once_the_grace_that_was_set_for_it_is_over(
    grace: timedelta, subjects: list[str]
) -> None:
    node = b.node("node-a", b.node_condition("Ready", "Unknown"))
    lists = b.snapshot(nodes=[node], pods=[b.pod(statuses=[b.crashed()])])
    found = detection.detect(lists, detection.Options(graces={"NodeNotReady": grace}))
    assert sorted(problem.subject.kind for problem in found.problems) == subjects


def test_a_detector_that_breaks_off_costs_only_what_it_had_not_found_yet() -> None:
    others = [detector for detector in detection.DETECTORS if "ReplicasMissing" in detector.kinds]
    found = detection.detect(b.snapshot(**CRASHING), detectors=[BreaksOff(), *others])
    assert [finding.kind for finding in found.findings] == ["CrashLoopBackOff", "ReplicasMissing"]
    assert found.errors == {
        "CrashLoopBackOff": "The detector broke off with ZeroDivisionError.",
        "Odd": "The detector broke off with ZeroDivisionError.",
    }


def test_a_disabled_kind_of_a_detector_that_breaks_off_is_no_error() -> None:
    options = detection.Options(disabled=frozenset({"CrashLoopBackOff"}))
    found = detection.detect(b.snapshot(**CRASHING), options, detectors=[BreaksOff()])
    assert (found.findings, set(found.errors)) == ((), {"Odd"})


# --- mutes


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("true", []),
        ("True", []),
        ("CrashLoopBackOff", ["ReplicasMissing"]),
        ("OOMKilled, crashloopbackoff ,", ["ReplicasMissing"]),
        ("CrashLoopBackOff,ReplicasMissing", []),
        ("false", ["CrashLoopBackOff", "ReplicasMissing"]),
        ("", ["CrashLoopBackOff", "ReplicasMissing"]),
    ],
)
@pytest.mark.parametrize("where", ["workload", "namespace"])
def test_a_workload_or_a_namespace_can_be_muted_for_all_or_some_kinds(value: str, kinds: list[str], where: str) -> None:
    lists = dict(CRASHING)
    if where == "workload":
        lists["deployments"] = [_marked(lists["deployments"][0], value)]
    else:
        lists["namespaces"] = [_namespace(value)]
    found = detection.detect(b.snapshot(**lists))
    assert [finding.kind for finding in found.findings] == kinds
    assert found.muted == 2 - len(kinds)
    assert len(found.problems) == min(len(kinds), 1)


def test_a_pod_can_be_muted_alone_by_a_label_too() -> None:
    muted = _marked(b.pod("one", [b.crashed()]), "true", place="labels")
    found = detection.detect(b.snapshot(pods=[muted, b.pod("two", [b.crashed()])]))
    assert [finding.resource.name for finding in found.findings] == ["two"]
    assert found.muted == 1


def test_a_mute_elsewhere_mutes_nothing_here() -> None:
    other = {"metadata": {"name": "other", "annotations": {"watchkeeper.io/ignore": "true"}}}
    assert detection.detect(b.snapshot(**CRASHING, namespaces=[other])).muted == 0


def test_a_muted_node_mutes_its_own_findings_only() -> None:
    node = _marked(b.node("node-a", b.node_condition("Ready", "Unknown")), "true")
    found = detection.detect(b.snapshot(nodes=[node], pods=[b.pod(statuses=[b.crashed()])]))
    assert [finding.kind for finding in found.findings] == ["CrashLoopBackOff"]
    assert found.problems[0].subject.kind == "ReplicaSet"


def test_the_namespace_of_a_nodes_finding_is_no_namespace() -> None:
    nameless = {"metadata": {"name": "", "annotations": {"watchkeeper.io/ignore": "true"}}}
    node = b.node("node-a", b.node_condition("Ready", "Unknown"))
    assert detection.detect(b.snapshot(nodes=[node], namespaces=[nameless])).muted == 0


@pytest.mark.parametrize(
    "kind", ["ServiceNoEndpoints", "IngressBroken", "PVCPending", "QuotaExhausted", "WebhookBroken"]
)
def test_what_stands_around_workloads_can_be_muted_where_it_is(kind: str) -> None:
    lists = {
        "services": [around.service(selector={"app": "gone"})],
        "ingresses": [around.ingress(to="gone")],
        "persistentvolumeclaims": [around.claim(phase="Lost")],
        "resourcequotas": [around.quota(hard={"pods": "1"}, used={"pods": "1"})],
        "validatingwebhookconfigurations": [around.webhook("gone")],
    }
    assert kind in {finding.kind for finding in detection.detect(b.snapshot(**lists)).findings}
    marked = {name: [_marked(item, kind.lower()) for item in items] for name, items in lists.items()}
    found = detection.detect(b.snapshot(**marked))
    assert kind not in {finding.kind for finding in found.findings}
    assert found.muted == 1


def test_a_cause_may_rest_on_more_lists_than_its_kind() -> None:
    for kind, info in detection.KINDS.items():
        for start, lists in info.also.items():
            assert detection.reads(kind, f"{start}x") == detection.reads(kind) + lists
            assert detection.reads(kind, f"x{start}") == detection.reads(kind)
