"""What the Messages API refuses of a request: the reason as its error would say it, or nothing. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
_KNOWN = frozenset(("model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "stream"))
"""What our requests could hold: of the API's other parameters we use none."""
_REFUSED = ("temperature", "top_p", "top_k")
_STRICT = frozenset(("type", "properties", "required", "additionalProperties", "enum", "items", "description", "anyOf"))
MOST_STRICT = 20
PREFILL = "This model does not support assistant message prefill."
"""Right only where that turn was paused, which the server knows."""


def fault(body: Mapping[str, Any]) -> str:
    """The first thing that is wrong; empty where nothing is."""
    return next(_faults(body), "")


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    for name in body:
        if name in _REFUSED:
            yield f"{name} is not supported for this model"
        elif name not in _KNOWN:
            yield f"{name}: Extra inputs are not permitted"
    if not isinstance(body.get("stream", False), bool):
        yield "stream: Input should be a valid boolean"
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "model: Field required"
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    choice = body.get("tool_choice", {"type": "auto"})
    if choice.get("type") not in ("auto", "none"):
        yield "tool_choice: a forced tool cannot be used with thinking"
    yield from _tools(body.get("tools", []))
    yield from _turns(body.get("messages") or [])
    schema = body.get("output_config", {}).get("format", {}).get("schema")
    if schema is not None:
        yield from _schema(schema, "output_config.format.schema")
    marks = str(body).count("cache_control")
    if marks > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {marks}."


def _tools(tools: Sequence[Json]) -> Iterator[str]:
    names = [tool.get("name") for tool in tools]
    if len(set(names)) != len(names):
        yield "tools: Tool names must be unique."
    if sum(bool(tool.get("strict")) for tool in tools) > MOST_STRICT:
        yield "tools: too many strict tools"
    for tool in tools:
        yield from _schema(tool.get("input_schema", {}), f"tools.{tool.get('name')}.input_schema")


def _schema(schema: Json, where: str) -> Iterator[str]:
    """The part of JSON Schema that a grammar is made of."""
    for word in schema:
        if word not in _STRICT:
            yield f"{where}: {word} is not supported"
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            yield f"{where}: all properties have to be required"
        for name, each in schema.get("properties", {}).items():
            yield from _schema(each, f"{where}.{name}")
    if schema.get("type") == "array":
        yield from _schema(schema.get("items", {}), f"{where}.items")


def _turns(messages: Sequence[Json]) -> Iterator[str]:
    if not messages or messages[0].get("role") != "user":
        yield "messages: the first message has to be of the user"
        return
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        blocks = message.get("content")
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        if not blocks:
            yield f"messages.{number}: content may not be empty"
            return
        if any(block.get("type") == "text" and not str(block.get("text", "")).strip() for block in blocks):
            yield f"messages.{number}: text content blocks must contain non-whitespace text"
        results = {block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"}
        if results != open_calls:
            yield f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after"
        open_calls = {block["id"] for block in blocks if block.get("type") == "tool_use"}
    if open_calls:
        yield "messages: `tool_use` ids were found without `tool_result` blocks immediately after"
    elif messages[-1].get("role") == "assistant":
        yield PREFILL
