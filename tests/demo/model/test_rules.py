"""The stand-in is as strict as the API where a request could be wrong."""

from typing import Any

import pytest

from demo.model import rules

USER = {"role": "user", "content": [{"type": "text", "text": "x"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "y"}]}


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 10, "messages": [USER], **changes}


def tool(**schema: Any) -> dict[str, Any]:
    return {"name": "get", "description": "", "strict": True, "input_schema": {"type": "object", **schema}}


@pytest.mark.parametrize(
    "good",
    [
        body(),
        body(messages=[USER, CALL, RESULT]),
        body(tool_choice={"type": "none"}),
        body(stream=True),
        body(tools=[tool(properties={"a": {"type": "string"}}, required=["a"], additionalProperties=False)]),
    ],
)
def test_a_right_request_passes(good: dict[str, Any]) -> None:
    assert rules.fault(good) == ""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (body(temperature=0), "temperature"),
        (body(effort="high"), "Extra inputs"),
        (body(stream="yes"), "stream"),
        (body(model=""), "model"),
        (body(max_tokens=0), "max_tokens"),
        (body(messages=[]), "first message"),
        (body(messages=[CALL]), "first message"),
        (body(messages=[{"role": "user", "content": []}]), "empty"),
        (body(messages=[{"role": "user", "content": " "}]), "whitespace"),
        (body(messages=[USER, CALL]), "tool_use"),
        (body(messages=[USER, CALL, USER]), "tool_use"),
        (body(messages=[USER, RESULT]), "tool_use"),
        (body(messages=[USER, {"role": "assistant", "content": "{"}]), "prefill"),
        (body(tool_choice={"type": "tool", "name": "get"}), "forced"),
        (body(tools=[tool(properties={}, required=[])]), "additionalProperties"),
        (body(tools=[tool(properties={"a": {}}, required=[], additionalProperties=False)]), "required"),
        (body(tools=[tool(properties={}, required=[], additionalProperties=False, minLength=1)]), "minLength"),
        (body(tools=[tool(properties={}, required=[], additionalProperties=False)] * 2), "unique"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(wrong: dict[str, Any], why: str) -> None:
    assert why in rules.fault(wrong)
