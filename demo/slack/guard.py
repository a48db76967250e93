"""Who may use the web page and the control endpoints: this machine, and the stand-in's own page.

A page on the web can make a browser send requests to 127.0.0.1 (and, by DNS rebinding, even read the answers). So the
Host header must name this machine, a browser's Origin must be the stand-in's own, and a POST must be JSON, which no
foreign page can send without being asked first. Used by `control` and `page`.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

_LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: _Handler) -> _Handler:
    """Refuse foreign requests with 403, and a POST that is not JSON with 415."""

    async def checked(request: web.Request) -> web.StreamResponse:
        if not is_local(request):
            return web.Response(status=403, text="only from this machine")
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=415, text="JSON only")
        return await handler(request)

    return checked


def is_local(request: web.Request) -> bool:
    """True when the Host is this machine's and the Origin, if there is one, is the page's own."""
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        return False
    if host not in _LOCAL:
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin == f"http://{request.headers['Host']}"
