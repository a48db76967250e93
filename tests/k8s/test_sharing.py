"""Causes that workloads share become one problem that names all, and symptoms go where their cause goes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection, indexing, model, sharing
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b


def _lists(*groups: dict[str, list[b.Json]]) -> dict[str, list[b.Json]]:
    return {name: [item for group in groups for item in group.get(name, [])] for name in {n for g in groups for n in g}}


def _workload(name: str, *statuses: b.Json, ready: int = 0, namespace: str = "shop") -> dict[str, list[b.Json]]:
    """A Deployment of one pod with these containers, all in one namespace."""
    lists = {
        "pods": [b.pod(f"{name}-1-x", list(statuses), owner=b.controlled("ReplicaSet", f"{name}-1"), phase="Pending")],
        "replicasets": [b.replicaset(f"{name}-1", deployment=name, ready=ready)],
        "deployments": [b.deployment(name, ready=ready)],
    }
    for items in lists.values():
        for item in items:
            item["metadata"]["namespace"] = namespace
    return lists


def _lacking(said: str) -> b.Json:
    return b.waiting("CreateContainerConfigError", said)


def _pulling(said: str, image: str = "registry.example/app:1") -> b.Json:
    return b.waiting("ErrImagePull", said, image=image)


def _problems(*groups: dict[str, list[b.Json]], **more: list[b.Json]) -> tuple[model.Problem, ...]:
    found = detection.detect(b.snapshot(**_lists(*groups, more)))
    assert not found.errors
    return found.problems


MISSING = 'configmap "settings" not found'
AWAY = 'failed to pull "x": dial tcp: lookup registry.example: no such host'


def test_two_workloads_that_miss_one_config_map_are_one_problem_that_names_both() -> None:
    (problem,) = _problems(_workload("api", _lacking(MISSING)), _workload("web", _lacking(MISSING)))
    assert problem.subject == model.ResourceRef("ConfigMap", "shop", "settings")
    assert problem.primary.message == "ConfigMap settings does not exist: Deployment api, Deployment web wait for it."
    assert problem.kinds == ("ConfigError", "ReplicasMissing")
    assert {finding.owner.name for finding in problem.findings} == {"api", "web"}
    assert (problem.severity, problem.ready, problem.desired) == ("P1", None, None)
    assert problem.primary.resource.kind == "Pod", "evidence is read from the pod of one of them"


def test_one_workload_that_misses_it_is_its_own_problem() -> None:
    (problem,) = _problems(_workload("api", _lacking(MISSING)))
    assert problem.subject.kind == "Deployment"


def test_forty_pods_of_one_workload_share_nothing() -> None:
    lists = _workload("api", _lacking(MISSING))
    lists["pods"] = [
        lists["pods"][0] | {"metadata": lists["pods"][0]["metadata"] | {"name": f"p{n}"}} for n in range(40)
    ]
    assert [problem.subject.kind for problem in _problems(lists)] == ["Deployment"]


@pytest.mark.parametrize(
    ("said", "subject", "sentence"),
    [
        ('secret "db" not found', "Secret/shop/db", "Secret db does not exist: "),
        ("couldn't find key url in Secret shop/db", "Secret/shop/db", "key url of Secret db does not exist: "),
    ],
)
def test_a_secret_or_a_key_of_it(said: str, subject: str, sentence: str) -> None:
    (problem,) = _problems(_workload("api", _lacking(said)), _workload("web", _lacking(said)))
    assert str(problem.subject) == subject
    assert problem.primary.message.startswith(sentence)


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    problems = _problems(_workload("api", _lacking(MISSING)), _workload("web", _lacking(MISSING), namespace="other"))
    assert {problem.subject.kind for problem in problems} == {"Deployment"}


def test_a_registry_is_one_problem_over_all_namespaces_and_images() -> None:
    (problem,) = _problems(
        _workload("api", _pulling(AWAY, "registry.example/api:1")),
        _workload("web", _pulling("unauthorized: access denied", "registry.example/web:2"), namespace="other"),
    )
    assert problem.subject == model.ResourceRef("Registry", "", "registry.example")
    assert problem.primary.message == (
        "Registry registry.example cannot be reached or does not answer: "
        "Deployment other/web, Deployment shop/api cannot pull their images."
    )
    causes = {finding.cause for finding in problem.findings if finding.kind == "ImagePull"}
    assert causes == {"Registry registry.example"}, "the cause must not change when members come and go"


def test_images_that_do_not_exist_in_one_registry_have_nothing_in_common() -> None:
    said = "manifest unknown: manifest unknown"
    problems = _problems(
        _workload("api", _pulling(said, "registry.example/api:1")),
        _workload("web", _pulling(said, "registry.example/web:1")),
    )
    assert {problem.subject.kind for problem in problems} == {"Deployment"}


def test_a_cause_of_its_own_stays_a_problem_of_its_own_and_symptoms_follow_the_first_cause() -> None:
    both = _workload("api", _lacking(MISSING), b.crashed("log"))
    shared, own = sorted(_problems(both, _workload("web", _lacking(MISSING))), key=lambda problem: problem.subject.kind)
    assert (shared.subject.kind, shared.kinds) == ("ConfigMap", ("ConfigError", "ReplicasMissing"))
    assert (own.subject.name, own.kinds) == ("api", ("CrashLoopBackOff",))


def test_symptoms_stay_with_a_cause_that_comes_before_the_shared_one() -> None:
    both = _workload("api", _lacking(MISSING), _pulling("manifest unknown"))
    problems = {str(problem.subject): problem.kinds for problem in _problems(both, _workload("web", _lacking(MISSING)))}
    assert problems == {
        "ConfigMap/shop/settings": ("ConfigError", "ReplicasMissing"),
        "Deployment/shop/api": ("ImagePull", "ReplicasMissing"),
    }


def test_a_service_without_endpoints_goes_with_the_cause_of_its_workload() -> None:
    lists = _workload("web", _lacking(MISSING))
    lists["pods"][0]["metadata"]["labels"] = a.WEB
    (problem,) = _problems(lists, _workload("api", _lacking(MISSING)), services=[a.service()])
    assert problem.kinds == ("ConfigError", "ReplicasMissing", "ServiceNoEndpoints")


def test_what_sits_on_a_lost_node_is_the_nodes_and_shared_by_nobody() -> None:
    lost = b.node("node-a", b.node_condition("Ready", "Unknown", since=700))
    problems = _problems(_workload("api", _lacking(MISSING)), _workload("web", _lacking(MISSING)), nodes=[lost])
    node = next(problem for problem in problems if problem.subject.kind == "Node")
    assert node.kinds == ("NodeNotReady", "ConfigError")
    assert "ConfigMap" not in {problem.subject.kind for problem in problems}


def test_many_workloads_are_counted_after_the_first_five() -> None:
    (problem,) = _problems(*(_workload(f"w{number}", _lacking(MISSING)) for number in range(9)))
    assert problem.primary.message.endswith("Deployment w3, Deployment w4 and 4 more wait for it.")
    assert problem.primary.facts["owners"] == "9"


def test_a_claim_that_pods_name_and_that_does_not_exist_is_shared() -> None:
    pods = []
    for name in ("db", "etl"):
        pod = a.mounting("data", name=f"{name}-0", owner=b.controlled("StatefulSet", name))
        condition = next(each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
        condition["message"] = '0/3 nodes are available: persistentvolumeclaim "data" not found.'
        pods.append(pod)
    (problem,) = _problems({"pods": pods})
    assert str(problem.subject) == "PersistentVolumeClaim/shop/data"


NAMES = st.lists(st.sampled_from(["api", "web", "db", "etl", "log"]), min_size=1, max_size=5, unique=True)
SHOWN = st.sampled_from([_lacking(MISSING), _lacking('secret "db" not found'), _pulling(AWAY), b.crashed()])


@settings(deadline=None, max_examples=60)
@given(NAMES, st.data())
def test_whatever_is_shared_nothing_is_lost_and_the_order_does_not_matter(
    names: list[str], data: st.DataObject
) -> None:
    groups = [_workload(name, *data.draw(st.lists(SHOWN, min_size=1, max_size=2))) for name in names]
    snapshot = b.snapshot(**_lists(*groups))
    found = detection.detect(snapshot)
    shuffled = list(found.findings)
    random.Random(data.draw(st.integers(0, 9))).shuffle(shuffled)  # noqa: S311
    assert detection.fold(shuffled, indexing.Index(snapshot)) == found.problems
    told = {(finding.kind, finding.owner) for problem in found.problems for finding in problem.findings}
    assert told == {(finding.kind, finding.owner) for finding in found.findings}
    for problem in found.problems:
        if problem.subject.kind in sharing.KINDS:
            owners = {finding.owner for finding in problem.findings if sharing.cause_of(finding) is not None}
            assert len(owners) >= sharing.AT_LEAST
            assert sharing.cause_of(problem.primary) is not None


@settings(deadline=None, max_examples=40)
@given(NAMES, st.data())
def test_one_more_member_never_moves_another_workloads_own_cause(names: list[str], data: st.DataObject) -> None:
    groups = [_workload(name, data.draw(SHOWN)) for name in names]
    before = _problems(*groups)
    after = _problems(*groups, _workload("more", _lacking(MISSING)))
    own = {problem.subject for problem in before if problem.primary.kind == "CrashLoopBackOff"}
    assert own <= {problem.subject for problem in after}
