"""Expressions: what is no CEL is refused with its line, and what is has an answer, an error of ours, and an end."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import expressions

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
TEXTS = st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.characters(codec=None),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def value(text: str, of: dict[str, Any] | None = None, answer: expressions.Answer = "bool") -> Any:
    return expressions.Expression(text, answer).value(of or {}, NOW)


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("object.spec.replicas > 2", "bool", True),
        ('object.status.conditions.exists(c, c.type == "Ready" && c.status != "True")', "bool", True),
        ('object.?status.?phase.orValue("none") == "none"', "bool", True),
        ('"%s: %d".format([object.metadata.name, object.spec.replicas])', "string", "a: 3"),
        ("object.metadata.creationTimestamp", "timestamp", "2026-11-21T03:00:00Z"),
        ("timestamp(object.metadata.creationTimestamp)", "timestamp", NOW - timedelta(hours=1)),
        ('now - timestamp(object.metadata.creationTimestamp) > duration("59m")', "bool", True),
    ],
)
def test_an_expression_answers_of_an_object_and_the_time(text: str, answer: expressions.Answer, expected: Any) -> None:
    conditions = [{"type": "Ready", "status": "False"}]
    meta = {"name": "a", "creationTimestamp": "2026-11-21T03:00:00Z"}
    assert (
        value(text, {"metadata": meta, "spec": {"replicas": 3}, "status": {"conditions": conditions}}, answer)
        == expected
    )


@pytest.mark.parametrize(
    ("text", "answer", "line", "told"),
    [
        ("", "bool", 1, "it is empty"),
        ("1 +", "bool", 1, "mismatched input '<EOF>' (column 4)"),
        ("true &&\n  object.x & true", "bool", 2, "token recognition error at: '& ' (column 12)"),
        ("objct.x == 1", "bool", 1, "undeclared reference to 'objct.x' (column 6)"),
        ("object.name.frob()", "bool", 1, "undeclared reference to 'frob' (column 17)"),
        ("'a' + 1 == 2", "bool", 1, "found no matching overload for '_+_' applied to '(string, int)' (column 5)"),
        ("'a'", "bool", 1, "it gives string, where true or false is asked for"),
        ("1 == 1", "string", 1, "it gives bool, where a text is asked for"),
        ("3", "timestamp", 1, "it gives int, where a time"),
        ("true" + " || true" * 1000, "bool", 1, "it is longer than 4,000 characters"),
        ("(" * 1000 + "true" + ")" * 1000, "bool", 1, "recursion limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_line(
    text: str, answer: expressions.Answer, line: int, told: str
) -> None:
    with pytest.raises(expressions.Unusable) as refused:
        expressions.Expression(text, answer)
    assert told in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("text", "of", "told"),
    [
        ("object.status.phase == 'x'", {"status": {}}, 'Key not found in map : "phase"'),
        ("object.metadata.labels.app == 'x'", {"metadata": {"labels": None}}, "Applying SELECT to non-message type"),
        ("object.name.matches('(')", {"name": "x"}, "invalid regular expression"),
        ("object.n", {"n": "text"}, "it gives str, where true or false is asked for"),
        ("object.n > 1", {"n": 2**70}, "out of range"),
        ("object.n == 'x'", {"n": "\ud800"}, "basic_string"),
    ],
)
def test_what_has_no_answer_for_an_object_is_an_error_of_ours(text: str, of: dict[str, Any], told: str) -> None:
    with pytest.raises(expressions.Unevaluated) as failed:
        value(text, of)
    assert told in str(failed.value)


def test_what_may_be_absent_is_no_answer() -> None:
    with pytest.raises(expressions.Unusable, match="it gives optional_type<dyn>, where a text is asked for"):
        value("object.?name", {}, "string")
    with pytest.raises(expressions.Unevaluated):
        value("object.l[0]", {"l": []}, "string")


def test_an_expression_that_would_go_on_for_hours_gives_up_within_a_moment() -> None:
    began = time.monotonic()
    with pytest.raises(expressions.Unevaluated, match="Iteration budget exceeded"):
        value("object.l.all(a, object.l.all(b, object.l.all(c, a >= 0)))", {"l": list(range(2000))})
    assert time.monotonic() - began < 2


@settings(deadline=None, max_examples=60)
@given(of=st.dictionaries(TEXTS, JSON, max_size=5), key=TEXTS)
def test_no_object_however_odd_raises_anything_else(of: dict[str, Any], key: str) -> None:
    for text in ('object.?status.?conditions.orValue([]).exists(c, c.type == "x")', "has(object.metadata.labels.app)"):
        with contextlib.suppress(expressions.Unevaluated):
            assert isinstance(value(text, {**of, "status": {"conditions": of.get(key)}}), bool)


@settings(deadline=None, max_examples=60)
@given(text=st.text(alphabet="object.now()[]{}'\"&|!=<>+-?:, 1ab\n", max_size=60))
def test_no_text_however_odd_raises_anything_else(text: str) -> None:
    with contextlib.suppress(expressions.Unusable, expressions.Unevaluated):
        assert isinstance(value(text, {"a": 1}), bool)
