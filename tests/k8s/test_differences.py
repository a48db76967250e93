"""What a dry run would change, as lines: complete, in order, without what the server counts, without secrets."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import differences


def containers(*items: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(items)}}


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"spec": {"replicas": 3}}, {"spec": {"replicas": 5}}, ("- spec.replicas: 3", "+ spec.replicas: 5")),
        ({"spec": {}}, {"spec": {"paused": True}}, ("+ spec.paused: true",)),
        ({"spec": {"paused": True}}, {"spec": {}}, ("- spec.paused: true",)),
        ({"spec": {"a": None}}, {"spec": {"a": ""}}, ("- spec.a: null", '+ spec.a: ""')),
        ({"spec": {"a": "3"}}, {"spec": {"a": "x\ny"}}, ("- spec.a: 3", '+ spec.a: "x\\ny"')),
        (
            {"metadata": {"annotations": {}}},
            {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}},
            ("+ metadata.annotations[kubectl.kubernetes.io/restartedAt]: now",),
        ),
        (
            containers({"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}),
            containers({"name": "b", "image": "y:1"}, {"name": "a", "image": "x:2"}),
            ("- spec.containers.a.image: x:1", "+ spec.containers.a.image: x:2"),
        ),
        (
            containers({"name": "a", "env": [{"name": "LEVEL", "value": "info"}]}),
            containers({"name": "a", "env": []}),
            ("- spec.containers.a.env[LEVEL].value: [redacted:value]",),
        ),
        (
            containers({"name": "a"}),
            containers({"name": "a"}, {"name": "b", "ports": [{"containerPort": 80}]}),
            ("+ spec.containers.b.ports[0].containerPort: 80",),
        ),
        ({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["a", "c"]}}, ("- spec.args[1]: b", "+ spec.args[1]: c")),
        ({"spec": {"args": ["a"]}}, {"spec": {"args": ["a", "c"]}}, ('- spec.args: ["a"]', '+ spec.args: ["a","c"]')),
        ({"spec": {"a": {"b": 1}}}, {"spec": {"a": "text"}}, ("- spec.a.b: 1", "+ spec.a: text")),
    ],
)
def test_a_change_as_lines(before: Any, after: Any, lines: tuple[str, ...]) -> None:
    assert differences.lines(before, after) == lines


def test_what_the_server_keeps_for_itself_is_no_difference() -> None:
    metadata = {"name": "a", "resourceVersion": "1", "generation": 1, "uid": "u", "managedFields": [{"manager": "x"}]}
    before = {"metadata": metadata, "status": {"replicas": 1}}
    after = {"metadata": {"name": "a", "resourceVersion": "2", "generation": 2}, "status": {"replicas": 2}}
    assert differences.lines(before, after) == ()


def test_an_object_without_metadata_is_compared_as_well() -> None:
    assert differences.lines({}, {"metadata": None, "spec": {"a": 1}}) == ("+ spec.a: 1",)


@pytest.mark.parametrize("name", ["DB_PASSWORD", "API_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_the_value_of_a_variable_with_a_secrets_name_is_not_shown(name: str) -> None:
    secret = "hunter2-Zx81-9f8e7d6c"
    before = containers({"name": "a", "env": [{"name": name, "value": secret}]})
    for lines in (differences.lines(before, containers({"name": "a", "env": []})), differences.lines({}, before)):
        assert any(name in line and "redacted" in line for line in lines)
        assert secret not in "".join(lines)


@pytest.mark.parametrize("name", ["LEVEL", "level", "a.b", "x-y"])
def test_no_value_of_a_variable_is_shown_whatever_its_name(name: str) -> None:
    before = containers({"name": "a", "env": [{"name": name, "value": "mostly-harmless"}]})
    for env in ([], [{"name": name, "value": "other-words"}], [{"name": name, "value": "thrice-told"}] * 2):
        lines = differences.lines(before, containers({"name": "a", "env": env}))
        assert lines
        assert not any(word in line for line in lines for word in ("harmless", "other-words", "thrice"))


def test_where_a_variable_comes_from_is_shown() -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "level"}}
    after = containers({"name": "a", "env": [{"name": "LEVEL", "valueFrom": source}]})
    assert any(line.endswith("name: settings") for line in differences.lines({}, after))


def test_a_long_value_is_cut() -> None:
    (line,) = differences.lines({}, {"spec": {"text": "word " * 1000}})
    assert len(line) < 250
    assert line.endswith("…")


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4)
trees = st.recursive(
    scalars, lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=3), deeper, max_size=3)
)


@settings(deadline=None, max_examples=150)
@given(before=trees, after=trees)
def test_lines_are_there_exactly_where_something_differs(before: Any, after: Any) -> None:
    lines = differences.lines({"spec": {"x": before}}, {"spec": {"x": after}})
    assert all(line[:2] in ("- ", "+ ") for line in lines)
    if before == after:
        assert lines == ()
    elif not _hollow(before) and not _hollow(after):
        assert lines


def _hollow(tree: Any) -> bool:
    """Whether the tree holds an empty list or map somewhere, which has no plain value to show."""
    if isinstance(tree, dict):
        return not tree or any(_hollow(value) for value in tree.values())
    return isinstance(tree, list) and (not tree or any(_hollow(value) for value in tree))


@settings(deadline=None, max_examples=50)
@given(tree=trees)
def test_no_tree_breaks_it(tree: Any) -> None:
    assert isinstance(differences.lines({}, {"spec": msgspec.json.decode(msgspec.json.encode(tree))}), tuple)
