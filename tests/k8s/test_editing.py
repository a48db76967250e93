"""A patch of one container: it fits this container only, and is known again by its shape."""

from typing import Any

import pytest

from k8s import editing, model
from tests.k8s import raw

PATH = "/spec/template/spec/containers/0"
NAMED: model.Json = {"op": "test", "path": f"{PATH}/name", "value": "web"}


def operation(body: Any, patch_type: Any = "json", verb: Any = "patch") -> model.Operation:
    return model.Operation(verb, raw.API, patch_type, body)


def test_a_patch_is_taken_apart_into_its_steps() -> None:
    where = editing.place(raw.pod_template(), "web")
    assert where is not None
    steps: list[model.Json] = [{"op": "replace", "path": "/image", "value": "x"}]
    body = editing.patch(where, steps)
    assert body == [NAMED, {"op": "replace", "path": f"{PATH}/image", "value": "x"}]
    assert editing.steps(operation(body), "web") == steps


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "web"}, {"name": "web"}]},
        {"containers": [{"name": "web"}], "initContainers": [{"name": "web"}]},
        {"containers": [{"name": "other"}]},
        {"containers": "odd"},
        {},
    ],
)
def test_a_container_that_is_not_there_once_has_no_place(spec: model.Json) -> None:
    assert editing.place({"spec": spec}, "web") is None


def test_odd_entries_count_as_positions() -> None:
    where = editing.place({"spec": {"containers": [None, {"name": "web"}]}}, "web")
    assert where is not None
    assert where.path == "/spec/template/spec/containers/1"


STEP: model.Json = {"op": "replace", "path": f"{PATH}/image", "value": "x"}


@pytest.mark.parametrize(
    "odd",
    [
        operation([NAMED, STEP], "merge"),
        operation([NAMED, STEP], verb="scale"),
        operation({"spec": {}}),
        operation([]),
        operation([STEP]),
        operation([{**NAMED, "value": "other"}, STEP]),
        operation([{**NAMED, "op": "replace"}, STEP]),
        operation([{**NAMED, "path": f"{PATH}0/x/name"}, STEP]),
        operation([{**NAMED, "path": "/spec/template/spec/volumes/0/name"}, STEP]),
        operation([NAMED, {**STEP, "path": "/spec/template/spec/containers/1/image"}]),
        operation([NAMED, {**STEP, "path": "/spec/template/spec/containers/00/image"}]),
        operation([NAMED, {**STEP, "path": "/spec/paused"}]),
        operation([NAMED, {**STEP, "path": PATH}]),
        operation([NAMED, None]),
    ],
)
def test_what_is_no_patch_of_this_container_is_none(odd: model.Operation) -> None:
    assert editing.steps(odd, "web") is None
