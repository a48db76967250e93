"""Label selectors: the query that a server is asked with, and the predicate that decides here, mean the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s.client import selectors

LABELS = {"app": "api", "tier": "backend"}


@pytest.mark.parametrize(
    ("selector", "query", "selected"),
    [
        ({}, "", True),
        ({"matchLabels": None, "matchExpressions": None}, "", True),
        ({"matchLabels": {"app": "api"}}, "app=api", True),
        ({"matchLabels": {"tier": "backend", "app": "api"}}, "app=api,tier=backend", True),
        ({"matchLabels": {"app": "web"}}, "app=web", False),
        ({"matchLabels": {"zone": "a"}}, "zone=a", False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}, "app in (api,web)", True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, "app in (web)", False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, "app notin (web)", True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, "app notin (api)", False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, "zone notin (a)", True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, "tier", True),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, "zone", False),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, "!zone", True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "!app", False),
        ({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}, "", False),
        (
            {"matchLabels": {"app": "api"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            "app=api,tier",
            True,
        ),
    ],
)
def test_a_selector_as_query_and_as_predicate(selector: dict[str, object], query: str, *, selected: bool) -> None:
    assert selectors.query(selector) == query
    assert selectors.matches(selector, LABELS) is selected


def test_no_selector_selects_nothing() -> None:
    assert not selectors.matches(None, LABELS)
    assert not selectors.matches(None, {})


names = st.sampled_from(["app", "tier", "zone"])
values = st.sampled_from(["a", "b"])


@settings(deadline=None, max_examples=100)
@given(labels=st.dictionaries(names, values), wanted=st.dictionaries(names, values), key=names, value=values)
def test_opposites_never_agree(labels: dict[str, str], wanted: dict[str, str], key: str, value: str) -> None:
    for one, other in (("In", "NotIn"), ("Exists", "DoesNotExist")):
        chosen = [
            selectors.matches({"matchExpressions": [{"key": key, "operator": each, "values": [value]}]}, labels)
            for each in (one, other)
        ]
        assert sorted(chosen) == [False, True]
    assert selectors.matches({"matchLabels": wanted}, labels) == (wanted.items() <= labels.items())
