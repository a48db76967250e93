"""Slack's Web API over HTTP: tokens, argument encodings, faults and the journal around the method handlers.

`standin` mounts these routes: /api/<method>, /upload/v1/<file>, /actions/<team>/<secret> (response_url) and
/files-pri/<file>/<name>.
"""

import asyncio
import json
import math
from typing import Any

from aiohttp import web

from demo.slack import files
from demo.slack.errors import SlackError
from demo.slack.faults import ApiCall, Fault
from demo.slack.guard import guarded
from demo.slack.ids import APP_TOKEN, BOT_TOKEN
from demo.slack.methods import auth, chat, conversations
from demo.slack.methods import files as file_methods
from demo.slack.methods import views as view_methods
from demo.slack.model import Json
from demo.slack.service import Args, Handler, Service

METHODS: dict[str, tuple[Handler, str]] = {
    **auth.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **view_methods.METHODS,
    **file_methods.METHODS,
}
_WITHOUT_TOKEN = frozenset(["api.test"])


class WebApi:
    """The HTTP side of the Web API."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def routes(self) -> list[web.RouteDef]:
        """What to mount."""
        return [
            web.route("*", "/api/{method}", self.call),
            web.post("/upload/v1/{file}", self.upload),
            web.post("/actions/{team}/{secret}", self.respond),
            web.get("/files-pri/{file}/{name}", guarded(self.download)),
        ]

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One API call."""
        method = request.match_info["method"]
        values = await _read_arguments(request)
        token = _token(request, values)
        return await self._faulted(request, method, values, lambda: self._run(method, token, values))

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """An answer to a response_url."""
        values = await _read_arguments(request)

        async def run() -> Json:
            self.service.response_urls.answer(request.match_info["secret"], values)
            return {"ok": True}

        response = await self._faulted(request, "response_url", values, run)
        if not isinstance(response, web.Response) or response.status != 200:
            return response
        answer = json.loads(response.text or "{}")
        if answer.get("ok"):
            return web.Response(text="ok")
        gone = answer["error"] in ("expired_url", "used_url")
        return web.Response(status=404 if gone else 400, text=str(answer["error"]))

    async def _faulted(self, request: web.Request, method: str, values: Json, run: Any) -> web.StreamResponse:
        """Make the call as the ordered fault allows, and write it down."""
        fault = self.service.faults.take(method)
        result: Json = {"ok": False}
        status = 200
        if fault is None or fault.kind in ("delay", "drop_response"):
            if fault is not None:
                await asyncio.sleep(fault.seconds)
            try:
                result = await run()
            except SlackError as error:
                result = error.answer()
        else:
            status, result = _refusal(fault)
        fault_name = fault.kind if fault else None
        self.service.journal.entries.append(ApiCall(method, values, result, status, self.service.clock(), fault_name))
        if fault is not None and fault.kind in ("drop_request", "drop_response"):
            return _broken(request)
        if status == 429:
            headers = {"Retry-After": str(math.ceil(fault.seconds) if fault else 1)}
            return web.json_response(result, status=status, headers=headers)
        if status != 200:
            return web.Response(status=status, text="")
        return web.json_response(result, headers={"X-OAuth-Scopes": ",".join(sorted(self.service.scopes))})

    async def _run(self, method: str, token: str, values: Json) -> Json:
        if method not in METHODS:
            raise SlackError("unknown_method", req_method=method)
        handler, scope = METHODS[method]
        if method not in _WITHOUT_TOKEN:
            self._check_token(method, token)
        if scope and scope != "connections:write" and scope not in self.service.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(self.service.scopes)))
        return await handler(self.service, Args(values))

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (BOT_TOKEN, APP_TOKEN):
            raise SlackError("invalid_auth")
        if (token == APP_TOKEN) != (method == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """The second step of an upload: the content itself."""
        file = self.service.workspace.files.get(request.match_info["file"])
        if file is None or file.content is not None:
            return web.Response(status=404, text="not found")
        content = await _uploaded_bytes(request)
        if len(content) != file.length:
            return web.Response(status=400, text="length does not match")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file's content, for the page and for the app."""
        file_id = request.match_info["file"].rpartition("-")[2]
        file = self.service.workspace.files.get(file_id)
        if file is None or file.content is None or not file.completed:
            return web.Response(status=404, text="not found")
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        if request.query.get("download"):
            headers["Content-Disposition"] = "attachment"
        return web.Response(body=file.content, content_type=files.mimetype(file), charset="utf-8", headers=headers)


async def _read_arguments(request: web.Request) -> Json:
    """Query, form and JSON together, as Slack reads them."""
    values: Json = dict(request.query)
    if request.method == "POST" and request.can_read_body:
        if request.content_type == "application/json":
            body = _json_object(await request.text())
            values |= {key: value for key, value in body.items() if value is not None}
        else:
            form = await request.post()
            values |= {key: value for key, value in form.items() if isinstance(value, str)}
            if "payload" in values:
                values |= _json_object(values.pop("payload"))
    return values


def _json_object(text: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _token(request: web.Request, values: Json) -> str:
    header = request.headers.get("Authorization", "")
    sent = str(values.pop("token", ""))
    return header.removeprefix("Bearer ") if header.startswith("Bearer ") else sent


async def _uploaded_bytes(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    for value in form.values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""


def _refusal(fault: Fault) -> tuple[int, Json]:
    if fault.kind == "ratelimited":
        return 429, {"ok": False, "error": "ratelimited"}
    if fault.kind == "http_error":
        return fault.status, {"ok": False, "error": f"http_{fault.status}"}
    return 200, {"ok": False, "error": fault.error}


def _broken(request: web.Request) -> web.Response:
    """Break the connection: whatever is returned never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
