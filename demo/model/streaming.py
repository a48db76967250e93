"""How an answer goes out where a request asks for it as a stream: the events of the Messages API. Pure.

https://platform.claude.com/docs/en/build-with-claude/streaming: `message_start`, each block of the content by its
start, deltas and stop, `message_delta` with why it stopped and what it took, `message_stop`; a `ping` may come
anywhere, an `error` in the place of the rest. Called by `demo.model.server`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]
PIECE = 24
"""Characters of a delta."""


def events(message: Json) -> Iterator[Json]:
    """All events of an answer, as it would have been whole."""
    yield start(message)
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        opened, deltas = _parts(block)
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def start(message: Json) -> Json:
    """The first event: what the request took is known by then, and of the answer the first token."""
    usage = {**message["usage"], "output_tokens": min(1, message["usage"]["output_tokens"])}
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "message_start", "message": begun}


def _parts(block: Json) -> tuple[Json, Sequence[Json]]:
    """The block as it begins, and what is added to it piece by piece."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _cut(block["text"])]
        case "thinking":
            thought = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*thought, signed]
        case "tool_use":
            given = json.dumps(block["input"], ensure_ascii=False)
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in ("", *_cut(given))
            ]
        case _:
            return block, ()


def _cut(text: str) -> Iterator[str]:
    yield from (text[at : at + PIECE] for at in range(0, len(text), PIECE))


def frame(event: Json) -> bytes:
    """As a server-sent event: its name, its data in one line, an empty line."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
