"""The three patch formats, without a server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.cluster.errors import ApiError
from demo.cluster.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply_patch, json_patch, merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"b": {"c": {"d": None, "e": 1}}}, {"a": 1, "b": {"c": {"e": 1}}}),
    ],
)
def test_merge_patch(document: Any, patch: Any, expected: Any) -> None:
    assert apply_patch(document, patch, MERGE_PATCH) == expected


@given(st.dictionaries(st.text("abc", max_size=2), JSON, max_size=3))
def test_an_empty_merge_patch_changes_nothing(document: Any) -> None:
    assert merge_patch(document, {}) == document


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2], "b~/c": 3}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9], "b~/c": 3}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "b~/c": 3}),
        ([{"op": "replace", "path": "/b~0~1c", "value": 4}], {"a": [1, 2], "b~/c": 4}),
        ([{"op": "move", "from": "/b~0~1c", "path": "/d"}], {"a": [1, 2], "d": 3}),
        ([{"op": "copy", "from": "/a", "path": "/d"}], {"a": [1, 2], "b~/c": 3, "d": [1, 2]}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2], "b~/c": 3}),
    ],
)
def test_json_patch(operations: list[Any], expected: Any) -> None:
    assert json_patch({"a": [1, 2], "b~/c": 3}, operations) == expected


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "test", "path": "/a", "value": 2}, 422),
        ({"op": "remove", "path": "/nothing"}, 422),
        ({"op": "replace", "path": "/nothing", "value": 1}, 422),
        ({"op": "add", "path": "/l/5", "value": 1}, 422),
        ({"op": "add", "path": "/l/01", "value": 1}, 422),
        ({"op": "add", "path": "a", "value": 1}, 422),
        ({"op": "replace", "path": "", "value": 1}, 422),
        ({"op": "jump", "path": "/a"}, 400),
        ({"path": "/a"}, 400),
    ],
)
def test_json_patch_refusals(operation: Any, code: int) -> None:
    document = {"a": 1, "l": [1]}
    with pytest.raises(ApiError) as caught:
        apply_patch(document, [operation], JSON_PATCH)
    assert caught.value.code == code
    assert document == {"a": 1, "l": [1]}


POD: dict[str, Any] = {
    "containers": [
        {"name": "api", "image": "api:1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]},
        {"name": "side", "image": "side:1"},
    ],
    "tolerations": [{"key": "a"}],
    "imagePullSecrets": [{"name": "one"}],
}


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        ({"containers": [{"name": "side", "image": "side:2"}]}, ("containers", 1, "image"), "side:2"),
        ({"containers": [{"name": "side", "$patch": "delete"}]}, ("containers",), POD["containers"][:1]),
        ({"containers": [{"name": "new", "image": "n"}]}, ("containers", 2), {"name": "new", "image": "n"}),
        ({"containers": [{"$patch": "replace"}, {"name": "x"}]}, ("containers",), [{"name": "x"}]),
        (
            {"containers": [{"name": "api", "ports": [{"containerPort": 81}]}]},
            ("containers", 0, "ports"),
            [{"containerPort": 80}, {"containerPort": 81}],
        ),
        (
            {"containers": [{"name": "api", "env": None}]},
            ("containers", 0),
            {k: v for k, v in POD["containers"][0].items() if k != "env"},
        ),
        ({"tolerations": [{"key": "b"}]}, ("tolerations",), [{"key": "b"}]),
        ({"imagePullSecrets": [{"name": "two"}]}, ("imagePullSecrets",), [{"name": "one"}, {"name": "two"}]),
        (
            {
                "$setElementOrder/containers": [{"name": "side"}, {"name": "api"}],
                "containers": [{"name": "api", "image": "z"}],
            },
            ("containers", 0, "name"),
            "side",
        ),
    ],
)
def test_strategic_merge_of_lists(patch: Any, path: tuple[Any, ...], expected: Any) -> None:
    result: Any = apply_patch({"spec": POD}, {"spec": patch}, STRATEGIC_PATCH)["spec"]
    for step in path:
        result = result[step]
    assert result == expected


def test_strategic_directives_and_primitive_lists() -> None:
    document = {
        "metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}},
        "spec": {"strategy": {"type": "A", "r": 1}},
    }
    patch: Any = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "labels": {"$patch": "replace", "y": "2"}},
        "spec": {"strategy": {"$retainKeys": ["type"], "type": "B"}},
    }
    result: Any = apply_patch(document, patch, STRATEGIC_PATCH)
    assert result["metadata"] == {"finalizers": ["b"], "labels": {"y": "2"}}
    assert result["spec"]["strategy"] == {"type": "B"}
    added: Any = apply_patch(document, {"metadata": {"finalizers": ["b", "c"]}}, STRATEGIC_PATCH)
    assert added["metadata"]["finalizers"] == ["a", "b", "c"]
    gone: Any = apply_patch(document, {"metadata": {"labels": {"$patch": "delete"}}}, STRATEGIC_PATCH)
    assert gone["metadata"]["labels"] == {}


@pytest.mark.parametrize(
    ("patch", "content_type", "code"),
    [
        ({}, JSON_PATCH, 400),
        ([], MERGE_PATCH, 400),
        ({"containers": [{"image": "x"}]}, STRATEGIC_PATCH, 400),
        ({"a": {"$patch": "explode"}}, STRATEGIC_PATCH, 400),
        ({}, "application/apply-patch+yaml", 415),
    ],
)
def test_malformed_patches(patch: Any, content_type: str, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        apply_patch({"containers": []}, patch, content_type)
    assert caught.value.code == code
