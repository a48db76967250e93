"""The HTTP side of the stand-in."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any, Self

from aiohttp import web

from demo.model import rules, scripts, streaming

KEY = "stand-in-key"
_CHARACTERS = 3.5
"""Of a token, about."""


class StandIn:
    """Serves until the body of `async with` ends. A request beyond the queue is a mistake of the test: see `faults`."""

    def __init__(self, script: scripts.Script = (), *, key: str = KEY) -> None:
        self._script = script
        self._queue = [] if callable(script) else list(script)
        self._key = key
        self._ids = itertools.count(1)
        self._cached: set[str] = set()
        self._paused = ""
        self.requests: list[scripts.Json] = []
        """The bodies that came, refused ones too."""
        self.headers: list[dict[str, str]] = []
        self.faults: list[str] = []
        """Why requests were refused as wrong, and what else no test meant."""
        self.waiting = asyncio.Event()
        """Set once a request is being kept waiting (`hangs`)."""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/v1/messages", self._messages)
        self._leaving = asyncio.Event()
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leaving.set()
        await self._runner.cleanup()

    def then(self, *answers: scripts.Answer) -> None:
        """More for the queue."""
        self._queue += answers

    @property
    def texts(self) -> Sequence[str]:
        """Each request as one text, for looking for what must not be in it."""
        return [json.dumps(body, ensure_ascii=False) for body in self.requests]

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            return _error(400, "invalid_request_error", "The request body is not valid JSON")
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        if request.headers.get("authorization") != f"Bearer {self._key}":  # as the SDK sends a key
            return _error(401, "authentication_error", "invalid API key")
        if "anthropic-version" not in request.headers:
            return self._refuse("anthropic-version: header is required")
        why = rules.fault(body)
        if why and not (why == rules.PREFILL and self._goes_on(body)):
            return self._refuse(why)
        if callable(self._script):
            return await self._send(request, body, self._script(body))
        if not self._queue:
            self.faults.append("nothing is scripted for this request")
            return _error(500, "api_error", "nothing is scripted")
        return await self._send(request, body, self._queue.pop(0))

    def _goes_on(self, body: scripts.Json) -> bool:
        """Whether it ends with the very turn that was paused."""
        return bool(self._paused) and json.dumps(body["messages"][-1]["content"]) == self._paused

    def _refuse(self, why: str) -> web.Response:
        self.faults.append(why)
        return _error(400, "invalid_request_error", why)

    async def _send(self, request: web.Request, body: scripts.Json, answer: scripts.Answer) -> web.StreamResponse:
        streamed = bool(body.get("stream"))
        if answer.way == "silent" and not streamed:
            await self._silence()
            return _error(500, "api_error", "the stand-in ends")
        if answer.raw is not None:
            return web.Response(status=answer.status, body=answer.raw, content_type="text/html")
        if answer.error and not (streamed and answer.way == "interrupted"):
            return _error(answer.status, answer.error, answer.message, answer)
        content = [self._block(block) for block in answer.content]
        self._paused = json.dumps(content) if answer.stop == "pause_turn" else ""
        told = {
            "id": f"msg_{next(self._ids):04}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": answer.stop,
            "stop_sequence": None,
            "usage": dict(answer.usage) if answer.usage is not None else self._usage(body, content),
        }
        if streamed:
            return await self._stream(request, answer, told)
        if answer.way == "broken":
            return await _torn(request, json.dumps(told).encode())
        return web.json_response(told)

    async def _silence(self) -> None:
        self.waiting.set()
        await self._leaving.wait()

    async def _stream(self, request: web.Request, answer: scripts.Answer, told: scripts.Json) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if answer.way == "silent":
            await response.write(streaming.frame(streaming.start(told)))
            await self._silence()
            return response
        frames = [streaming.frame(event) for event in streaming.events(told)]
        half = len(frames) // 2 + 1
        for frame in frames if answer.way == "whole" else frames[:half]:
            await response.write(frame)
        if answer.way == "interrupted":
            await response.write(streaming.frame(_failure(answer.error, answer.message, answer)))
        elif answer.way == "broken":
            await response.write(frames[half][: len(frames[half]) // 2])
            _abort(request)
        return response

    def _block(self, block: scripts.Json) -> scripts.Json:
        return {"id": f"toolu_{next(self._ids):04}", **block} if block.get("type") == "tool_use" else dict(block)

    def _usage(self, body: scripts.Json, content: Sequence[scripts.Json]) -> dict[str, int]:
        """Tools and system are cached where the request marks them, for as long as the stand-in lives."""
        stable = json.dumps([body["model"], body.get("tools"), body.get("system")])
        marked = "cache_control" in stable
        known = marked and stable in self._cached
        self._cached |= {stable} if marked else set()
        size = _tokens(stable)
        return {
            "input_tokens": _tokens(json.dumps(body["messages"])) + (0 if marked else size),
            "output_tokens": _tokens(json.dumps(content)),
            "cache_creation_input_tokens": size if marked and not known else 0,
            "cache_read_input_tokens": size if known else 0,
        }


def _tokens(text: str) -> int:
    return int(len(text) / _CHARACTERS) + 1


def _error(status: int, kind: str, message: str, answer: scripts.Answer | None = None) -> web.Response:
    headers = dict(answer.headers) if answer else None
    return web.json_response(_failure(kind, message, answer), status=status, headers=headers)


def _failure(kind: str, message: str, answer: scripts.Answer | None = None) -> scripts.Json:
    error: dict[str, Any] = {"type": kind, "message": message}
    if answer is not None and answer.details:
        error["details"] = dict(answer.details)
    return {"type": "error", "error": error, "request_id": "req_0001"}


async def _torn(request: web.Request, whole: bytes) -> web.StreamResponse:
    """Half of an answer whose length was announced, and then the connection's end."""
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(whole))})
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    _abort(request)
    return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
