"""Paths of the API: right for each resource, and no name can lead anywhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model
from k8s.client import resources


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "subresource", "path"),
    [
        ("Pod", "payments", "api-1", "", "/api/v1/namespaces/payments/pods/api-1"),
        ("pods", "payments", "api-1", "log", "/api/v1/namespaces/payments/pods/api-1/log"),
        ("pods", None, "", "", "/api/v1/pods"),
        ("Node", "", "node-1", "", "/api/v1/nodes/node-1"),
        ("Node", "ignored", "node-1", "", "/api/v1/nodes/node-1"),
        ("Deployment", "payments", "api", "scale", "/apis/apps/v1/namespaces/payments/deployments/api/scale"),
        ("cronjobs", "payments", "", "", "/apis/batch/v1/namespaces/payments/cronjobs"),
        (
            "HorizontalPodAutoscaler",
            "a",
            "b",
            "",
            "/apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers/b",
        ),
        ("PodDisruptionBudget", "a", "", "", "/apis/policy/v1/namespaces/a/poddisruptionbudgets"),
        ("endpointslices", "a", "", "", "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices"),
        ("IngressClass", "ignored", "nginx", "", "/apis/networking.k8s.io/v1/ingressclasses/nginx"),
        (
            "validatingwebhookconfigurations",
            "",
            "",
            "",
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        ),
    ],
)
def test_the_path_of_a_resource(kind: str, namespace: str | None, name: str, subresource: str, path: str) -> None:
    assert resources.named(kind).path(namespace, name, subresource) == path


def test_a_kind_outside_of_the_table_is_a_mistake_of_ours() -> None:
    with pytest.raises(LookupError, match="Unicorn"):
        resources.named("Unicorn")


@pytest.mark.parametrize(
    "ref",
    [
        model.ResourceRef("Pod", "", "api"),
        model.ResourceRef("Pod", "payments", ""),
        model.ResourceRef("Node", "", ""),
        model.ResourceRef("Pod", "payments", ".."),
        model.ResourceRef("Pod", ".", "api"),
    ],
)
def test_an_incomplete_or_climbing_reference_has_no_path(ref: model.ResourceRef) -> None:
    with pytest.raises(ValueError, match=r"incomplete reference|not a name"):
        resources.path_of(ref)


@settings(deadline=None, max_examples=200)
@given(name=st.text(min_size=1).filter(lambda text: text not in (".", "..")))
def test_no_name_leaves_its_place(name: str) -> None:
    path = resources.path_of(model.ResourceRef("Pod", "payments", name))
    root, _, last = path.rpartition("/")
    assert root == "/api/v1/namespaces/payments/pods"
    assert last
    assert not set(last) & set("/?#&")
