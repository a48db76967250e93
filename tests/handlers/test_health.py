"""/healthz, /readyz and /metrics, asked over HTTP."""

from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import test_utils, web

from bot import telemetry
from handlers import health


@pytest.fixture
def wrong() -> dict[str, str]:
    return {}


@pytest.fixture
async def probe(wrong: dict[str, str]) -> AsyncIterator[test_utils.TestClient[web.Request, web.Application]]:
    async def check() -> Mapping[str, str]:
        return wrong

    app, metrics = web.Application(), telemetry.Metrics("1.2.3")
    metrics.pressed("approve", "late")
    health.register(app, metrics, check)
    async with test_utils.TestClient(test_utils.TestServer(app)) as client:
        yield client


Probe = test_utils.TestClient[web.Request, web.Application]


async def test_readyz_says_what_is_wrong_part_by_part(probe: Probe, wrong: dict[str, str]) -> None:
    answer = await probe.get("/readyz")
    assert (answer.status, await answer.json()) == (200, {"status": "ready", "wrong": {}})
    wrong["database"] = "The database does not answer"
    answer = await probe.get("/readyz")
    assert answer.status == 503
    assert await answer.json() == {"status": "not ready", "wrong": wrong}


async def test_healthz_is_about_this_process_alone(probe: Probe, wrong: dict[str, str]) -> None:
    wrong["database"] = "away"
    answer = await probe.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_metrics_are_in_prometheus_format(probe: Probe) -> None:
    answer = await probe.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == telemetry.CONTENT_TYPE
    page = await answer.text()
    assert 'watchkeeper_presses_total{button="approve",ending="late"} 1.0' in page
    assert 'version="1.2.3"' in page


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_the_probes_only_answer(probe: Probe, path: str) -> None:
    assert (await probe.post(path)).status == 405
    assert (await probe.head(path)).status in {200, 503}
