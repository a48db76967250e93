"""What a message names as absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import absences


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('configmap "web" not found', {"missing": "ConfigMap web", "missing_kind": "ConfigMap", "missing_name": "web"}),
        ("secret web not found", {"missing": "Secret web", "missing_kind": "Secret", "missing_name": "web"}),
        (
            "couldn't find key url in ConfigMap shop/web",
            {
                "missing": "key url of ConfigMap web",
                "missing_kind": "ConfigMap",
                "missing_name": "web",
                "missing_key": "url",
            },
        ),
        (
            'error processing PVC: persistentvolumeclaim "data" not found',
            {
                "missing": "PersistentVolumeClaim data",
                "missing_kind": "PersistentVolumeClaim",
                "missing_name": "data",
            },
        ),
        (
            'serviceaccounts "web" not found',
            {"missing": "ServiceAccount web", "missing_kind": "ServiceAccount", "missing_name": "web"},
        ),
        (
            "references non-existent secret key: token",
            {"missing": "key token of a Secret", "missing_kind": "Secret", "missing_key": "token"},
        ),
        ('object "shop"/"web" not registered', {}),
        ("image not found", {}),
        ("", {}),
    ],
)
def test_what_is_named(text: str, missing: dict[str, str]) -> None:
    assert absences.missing(text) == missing


def test_the_quota_that_refuses_is_named() -> None:
    assert absences.quota('pods "x" is forbidden: exceeded quota: few, requested: pods=1') == "few"
    assert absences.quota("forbidden: violates PodSecurity") == ""


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(absences.missing(text).values())
    assert isinstance(absences.quota(text), str)
