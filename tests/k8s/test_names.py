"""What may stand as an object's name, in a namespace or without one."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, names

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
subdomains = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?){0,2}", fullmatch=True
)


@pytest.mark.parametrize(
    ("ref", "field"),
    [
        (("Deployment", "shop", "web"), None),
        (("Deployment", "", "web"), "namespace"),
        (("Deployment", "shop", "Web"), "name"),
        (("Deployment", "shop", "web", "a/b"), "uid"),
        (("Node", "", "worker-1.example"), None),
        (("Node", "shop", "worker-1"), "namespace"),
        (("Node", "", "worker_1"), "name"),
    ],
)
def test_the_first_field_that_cannot_be_is_named(ref: tuple[str, ...], field: str | None) -> None:
    found = names.fault(model.ResourceRef(*ref))
    assert (found and found[0]) == field


@settings(deadline=None, max_examples=200)
@given(subdomains, st.integers(0, 2**31))
def test_what_is_made_has_a_name_that_can_be_a_label_whatever_it_is_made_from(source: str, seconds: int) -> None:
    found = names.made(source, "again", datetime.fromtimestamp(seconds, UTC))
    assert names.is_subdomain(found)
    assert len(found) <= 63
    assert re.fullmatch(r".+-again-[0-9a-f]{8}", found)
    assert names.made(found, "again", AT) == names.made(source, "again", AT), "the ends of names do not pile up"
