"""One cause in several clusters is linked; what only looks alike, or came at another time, is not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import incidents, linking
from k8s import model
from tests.bot.domain import examples

MINUTE = timedelta(minutes=1)
HERE = examples.incident()
IMAGE = "registry.example.org/shop:7"


def there(one: incidents.Incident = HERE, **changes: Any) -> incidents.Incident:
    """The same in another cluster, a minute later."""
    values: dict[str, Any] = {"id": 40, "cluster": "prod-us", "opened_at": one.opened_at + MINUTE}
    return replace(one, **{**values, **changes})


def named(name: str, **changes: Any) -> incidents.Incident:
    subject = model.ResourceRef("Deployment", "shop", name)
    return replace(HERE, subject=subject, headline=f"Pod {name} fails.", **changes)


def test_the_same_workload_with_the_same_failure_is_linked_whatever_pod_and_numbers_it_names() -> None:
    mine = replace(HERE, headline="Container app of pod api-7d4f5b6c8-x2zvq ended 5 times, last with exit 1.")
    other = there(headline="Container app of pod api-6b9c7d5f4-k8m2t ended 12 times, last with exit 1.")
    assert linking.linked(mine, [other]) == (other,)
    assert linking.linked(other, [mine]) == (mine,)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "prod"},
        {"opened_at": HERE.opened_at + timedelta(minutes=11)},
        {"opened_at": HERE.opened_at - timedelta(minutes=11)},
        {"headline": "Something else is wrong."},
        {"kinds": ("OOMKilled",)},
        {"subject": model.ResourceRef("Deployment", "payments", "other")},
        {"subject": model.ResourceRef("Deployment", "other", "api")},
    ],
)
def test_what_only_looks_alike_is_not_linked(changes: dict[str, Any]) -> None:
    assert linking.linked(HERE, [there(**changes)]) == ()


def test_nodes_of_one_name_are_not_one_cause() -> None:
    node = replace(HERE, subject=model.ResourceRef("Node", "", "worker-1"), kinds=("NodeNotReady",), causes=())
    assert linking.linked(node, [there(node)]) == ()


def test_one_image_that_cannot_be_pulled_is_linked_whatever_workload_has_it() -> None:
    mine = named("shop", kinds=("ImagePull",), causes=(f"ImagePull:{IMAGE}",))
    same = there(named("store", kinds=("ImagePull", "RolloutStuck"), causes=(f"ImagePull:{IMAGE}", "RolloutStuck:x")))
    other = there(named("store", kinds=("ImagePull",), causes=(f"ImagePull:{IMAGE}1",)))
    assert linking.linked(mine, [same, other]) == (same,)


def test_one_registry_is_linked_whatever_is_told_of_it() -> None:
    registry = model.ResourceRef("Registry", "", "registry.example.org")
    mine = replace(HERE, subject=registry, headline="3 workloads cannot pull.", causes=())
    assert len(linking.linked(mine, [there(mine, headline="40 workloads wait for it.")])) == 1
    assert linking.linked(mine, [there(mine, subject=model.ResourceRef("Registry", "", "quay.io"))]) == ()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-15, 15), st.sampled_from(["x-1", "x-2", "y"])), max_size=6)
)
def test_links_go_both_ways(rows: list[tuple[str, int, str]]) -> None:
    every = [
        replace(HERE, id=number, cluster=cluster, opened_at=HERE.opened_at + minutes * MINUTE, headline=headline)
        for number, (cluster, minutes, headline) in enumerate(rows)
    ]
    for one in every:
        for other in every:
            assert (other in linking.linked(one, every)) == (one in linking.linked(other, every))
