"""The frame of actions of somebody's own: what a patch may hold is a list, and everything else is refused."""

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.cluster import patches
from k8s import custom_actions
from tests.k8s.actions import examples

GUARDED = (
    *("serviceAccountName", "serviceAccount", "hostNetwork", "hostPID", "hostIPC", "hostUsers", "volumes"),
    *("securityContext", "containers", "initContainers", "ephemeralContainers", "imagePullSecrets", "nodeName"),
    *("automountServiceAccountToken", "shareProcessNamespace", "runtimeClassName", "hostAliases", "dnsConfig"),
)
NAMES = st.sampled_from((*GUARDED, "affinity", "tolerations", "nodeSelector", "hostnetwork", "image", "command", "x"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TOP = st.sampled_from(("metadata", "spec", "status", "kind", "apiVersion", "data"))
SPEC = st.sampled_from(
    ("template", "replicas", "selector", "minReadySeconds", "paused", "volumeClaimTemplates", "strategy")
)
PATCHES = st.one_of(
    st.dictionaries(TOP, JSON, max_size=2),
    st.dictionaries(TOP, st.dictionaries(SPEC, JSON, max_size=2), max_size=2),
    st.builds(lambda pod: {"spec": {"template": {"spec": pod}}}, st.dictionaries(NAMES, JSON, max_size=3)),
    st.builds(
        lambda field, marks: {"metadata": {field: marks}},
        st.sampled_from(("annotations", "labels", "finalizers", "ownerReferences", "name")),
        st.dictionaries(
            st.sampled_from(("team", "a/b", "watchkeeper.io/protected", "helm.sh/chart", "argocd.argoproj.io/x")),
            st.none() | st.text(max_size=3) | st.integers(),
        ),
    ),
)
WORKLOAD: Any = {
    "metadata": {"name": "api", "labels": {"app": "api"}, "annotations": {"watchkeeper.io/protected": "false"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "api"}},
        "template": {
            "metadata": {"labels": {"app": "api"}},
            "spec": {
                "serviceAccountName": "api",
                "securityContext": {"runAsNonRoot": True},
                "containers": [{"name": "web", "image": "web:1", "command": ["web"], "securityContext": {}}],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "tolerations": [],
            },
        },
    },
}


def _kept(workload: Any) -> Any:
    """All that no patch may change, by a way of its own: the workload without what is on the list."""
    left = copy.deepcopy(workload)
    spec = left.get("spec", {})
    for field in ("minReadySeconds", "paused", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy"):
        spec.pop(field, None)
    spec.pop("updateStrategy", None)
    pod = spec.get("template", {}).get("spec", {})
    for field in ("affinity", "tolerations", "nodeSelector", "topologySpreadConstraints", "priorityClassName"):
        pod.pop(field, None)
    for field in ("enableServiceLinks", "preemptionPolicy", "readinessGates", "terminationGracePeriodSeconds"):
        pod.pop(field, None)
    for meta in (left["metadata"], spec.get("template", {}).get("metadata", {})):
        for kind in ("labels", "annotations"):
            marks = {key: value for key, value in meta.pop(kind, {}).items() if "." in key}
            meta[f"guarded {kind}"] = marks
    return left


@settings(max_examples=300, deadline=None)
@given(PATCHES)
def test_whatever_passes_leaves_all_else_of_the_workload_as_it_was(patch: Any) -> None:
    if custom_actions.patch_fault(patch):
        return
    after = patches.apply_patch(copy.deepcopy(WORKLOAD), patch, "application/merge-patch+json")
    assert _kept(after) == _kept(WORKLOAD)
    assert custom_actions.merged(WORKLOAD, patch) == after


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GUARDED), JSON)
def test_nothing_that_gives_a_pod_more_than_it_had_passes(field: str, value: Any) -> None:
    pod = {"affinity": {}, field: value}
    assert field in custom_actions.patch_fault({"spec": {"template": {"spec": pod}}})
    for path in ({field: value}, {"spec": {field: value}}, {"spec": {"template": {field: value}}}):
        assert custom_actions.patch_fault(path)


@pytest.mark.parametrize(
    "patch",
    [
        None, [], "x", {}, {"spec": None}, {"spec": []}, {"spec": {"template": None}}, {"metadata": None},
        {"spec": {"template": {"spec": None}}}, {"metadata": {"annotations": None}}, {"metadata": {"labels": "x"}},
        {"metadata": {"finalizers": []}}, {"metadata": {"annotations": {"a": 1}}}, {"status": {}},
        {"metadata": {"annotations": {"a": "x" * 20_000}}}, {"spec": {"strategy": float("nan")}},
        {"spec": {"strategy": {1: 2}}}, {"spec": {"strategy": object()}}, {"spec": {"strategy": (1, 2)}},
    ],
)  # fmt: skip
def test_what_is_no_patch_or_takes_more_than_it_names_is_refused(patch: Any) -> None:
    assert custom_actions.patch_fault(patch)


@pytest.mark.parametrize(
    "key",
    ["sidecar.istio.io/proxyImage", "vault.hashicorp.com/agent-inject", "dapr.io/sidecar-image", "Linkerd.io/inject"],
)
def test_what_has_a_webhook_put_containers_into_pods_is_refused(key: str) -> None:
    for patch in ({"metadata": {"annotations": {key: "x"}}}, {"metadata": {"labels": {key: "x"}}}):
        assert key in custom_actions.patch_fault({"spec": {"template": patch}})


def test_what_is_on_the_list_passes() -> None:
    for patch in (
        {"spec": {"minReadySeconds": 5}},
        {"spec": {"template": {"spec": {"tolerations": [{"key": "a"}], "affinity": None}}}},
        {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}},
        {"metadata": {"labels": {"team": "shop", "old": None}}},
    ):
        assert custom_actions.patch_fault(patch) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "drain-longer"}, "its name"),
        ({"name": "custom-"}, "its name"),
        ({"kinds": ("Pod",)}, "its kinds"),
        ({"kinds": ()}, "its kinds"),
        ({"risk": "low"}, "its risk"),
        ({"words": ""}, "its words"),
        ({"never": "a\nb"}, "its never"),
        ({"parameters": {"a": "("}}, "no regular expression"),
        ({"parameters": {"a": (2, 1)}}, "no bounds"),
        ({"parameters": {"A b": "x"}}, "no parameter's name"),
        ({"parameters": None}, "no mapping"),
        ({"patch": None}, "no function patch"),
    ],
)
def test_one_that_does_not_keep_to_the_contract_is_refused_at_once(change: dict[str, Any], said: str) -> None:
    made = type("Made", (examples.Patience,), change)()
    with pytest.raises(custom_actions.Faulty, match=said):
        custom_actions.Guarded(made, "acme: x")


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [("[a-z]+", ("a", "abc"), ("", "A", "a1", "a\n")), ((1, 9), ("1", "9"), ("0", "10", "01", "+1", "x")),
     (("slow", "fast"), ("slow",), ("", "slo", "slow,fast"))],
)  # fmt: skip
def test_values_fit_their_rule_whole(rule: Any, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    guarded = custom_actions.Guarded(type("Made", (examples.Patience,), {"parameters": {"x": rule}})(), "acme: x")
    assert [guarded.fault((("x", value),)) for value in good] == [""] * len(good)
    assert all(guarded.fault((("x", value),)) for value in bad)


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    go = threading.Event()
    yield go
    go.set()


def test_one_that_hangs_is_left_behind(hanging: threading.Event) -> None:
    def problems(self: Any, workload: Any, params: Any) -> list[str]:
        hanging.wait(30)
        return []

    guarded = custom_actions.Guarded(type("Made", (examples.Patience,), {"problems": problems})(), "acme: x")
    with pytest.raises(custom_actions.Faulty, match="did not answer within 2 s"):
        guarded.problems({"spec": {}}, (("seconds", "60"),))
