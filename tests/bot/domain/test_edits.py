"""What may be set of a proposed action, and what becomes of what was entered."""

from datetime import UTC, datetime
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.domain import edits
from k8s import catalogue, model

NOW = datetime(2026, 11, 21, tzinfo=UTC)
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")


def _replicaset(number: int, image: str, ready: int = 0) -> model.Json:
    owner = {"kind": "Deployment", "name": "api", "uid": "uid-api", "controller": True}
    return {
        "metadata": {
            "name": f"api-{number}",
            "namespace": "payments",
            "uid": f"uid-{number}",
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [owner],
        },
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"replicas": ready, "readyReplicas": ready},
    }


def target(*images: str) -> model.Target:
    """A Deployment with a revision for each image, the last one running."""
    sets = tuple(_replicaset(number, image) for number, image in enumerate(images, 1))
    obj: dict[str, Any] = {
        "metadata": {
            "name": "api",
            "namespace": "payments",
            "uid": "uid-api",
            "annotations": {"deployment.kubernetes.io/revision": str(len(images))},
        },
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": images[-1]}]}}},
    }
    return model.Target(API, obj, NOW, replicasets=sets)


FOUR = target("shop/web:1", "shop/web:2", "shop/web:1", "shop/web:3")


def test_replicas_are_a_number_and_it_is_said_how_many_there_are() -> None:
    (field,) = edits.fields(model.Scale(API, 4), FOUR)
    assert (field.name, field.kind, field.value, field.hint) == ("replicas", "number", "4", "It has 3 replicas now.")
    assert edits.edited(model.Scale(API, 4), {"replicas": " 6 "}, FOUR) == model.Scale(API, 6)


def test_revisions_are_those_that_are_kept_but_for_the_current_one() -> None:
    (field,) = edits.fields(model.RolloutUndo(API, 2), FOUR)
    assert [choice.value for choice in field.choices] == ["3", "2", "1"]
    assert field.choices[1].label.startswith("2 · ")
    assert "web:2" in field.choices[1].label
    assert edits.edited(model.RolloutUndo(API, 2), {"revision": "1"}, FOUR) == model.RolloutUndo(API, 1)


def test_images_are_those_that_ran_each_once_and_no_other_can_be_entered() -> None:
    action = model.SetImage(API, "app", "shop/web:2")
    (field,) = edits.fields(action, FOUR)
    assert [(choice.value, choice.label.partition(" ")[0]) for choice in field.choices] == [
        ("3", "web:1"),
        ("2", "web:2"),
    ]
    assert field.value == "2"
    assert edits.edited(action, {"image": "3"}, FOUR) == model.SetImage(API, "app", "shop/web:1")
    for entered in ("4", "9"):
        with pytest.raises(edits.Wrong, match="no longer there"):
            edits.edited(action, {"image": entered}, FOUR)
    with pytest.raises(edits.Wrong, match="whole number"):
        edits.edited(action, {"image": "evil/image:latest"}, FOUR)


def test_amounts_are_made_canonical_and_what_is_left_empty_is_left_alone() -> None:
    action = model.SetResources(API, "app", memory_limit="256Mi")
    assert [field.value for field in edits.fields(action, FOUR)] == ["", "", "", "256Mi"]
    made = edits.edited(action, {"memory_limit": "0.5Gi", "cpu_request": "0.25", "cpu_limit": ""}, FOUR)
    assert made == model.SetResources(API, "app", cpu_request="250m", memory_limit="512Mi")


def test_each_amount_that_is_none_is_named_at_its_field() -> None:
    action = model.SetResources(API, "app", memory_limit="256Mi")
    with pytest.raises(edits.Wrong) as wrong:
        edits.edited(action, {"memory_limit": "lots", "cpu_request": "0", "memory_request": "1Gi"}, FOUR)
    assert set(wrong.value.faults) == {"memory_limit", "cpu_request"}
    assert wrong.value.faults["memory_limit"] == "Memory limit: give a quantity above zero, such as 256Mi or 1Gi."
    with pytest.raises(edits.Wrong, match=r"[Nn]either a request nor a limit"):
        edits.edited(action, {}, FOUR)


def test_what_has_no_typed_parameters_cannot_be_set() -> None:
    for action in (model.RolloutRestart(API), model.DeletePod(API, API)):
        assert not edits.editable(action)
        assert edits.fields(action, FOUR) == ()
        with pytest.raises(edits.Wrong):
            edits.edited(action, {"workload": "other"}, FOUR)
    assert edits.editable(model.Scale(API, 1))


@hypothesis.given(st.text(max_size=30))
@hypothesis.settings(deadline=None, max_examples=60)
def test_whatever_is_entered_is_an_action_of_the_catalogue_on_the_same_workload_or_wrong(entered: str) -> None:
    for action, name in (
        (model.Scale(API, 4), "replicas"),
        (model.RolloutUndo(API, 2), "revision"),
        (model.SetImage(API, "app", "shop/web:2"), "image"),
        (model.SetResources(API, "app", cpu_limit="1"), "cpu_limit"),
    ):
        try:
            made = edits.edited(action, {name: entered}, FOUR)
        except edits.Wrong:
            continue
        assert (type(made), made.workload) == (type(action), API)
        assert catalogue.remedy_for(made).fault(made) is None
