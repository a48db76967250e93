"""/healthz, /readyz and /metrics for probes and Prometheus. No secrets, no names of people."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from bot import telemetry

Check = Callable[[], Awaitable[Mapping[str, str]]]


def register(app: web.Application, metrics: telemetry.Metrics, check: Check) -> None:
    """`check` answers: part → what is wrong with it; empty where all is well."""
    door = _Health(metrics, check)
    app.router.add_get("/healthz", door.alive)
    app.router.add_get("/readyz", door.ready)
    app.router.add_get("/metrics", door.metrics)


class _Health:
    def __init__(self, metrics: telemetry.Metrics, check: Check) -> None:
        self._metrics = metrics
        self._check = check

    async def alive(self, _request: web.Request) -> web.Response:
        """The process runs and its loop turns. Outages of others are no reason to be restarted: see `ready`."""
        return web.json_response({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """503 with what is wrong, part by part; 200 where all is well."""
        wrong = await self._check()
        return web.json_response(
            {"status": "ready" if not wrong else "not ready", "wrong": dict(wrong)}, status=503 if wrong else 200
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": telemetry.CONTENT_TYPE})
