"""Logs that no secret gets into, and metrics as they are scraped."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import telemetry

TOKEN = "xoxb-hunter2-hunter2"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    for name in telemetry.NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_its_event_level_time_logger_and_the_ids_of_its_context(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json")
    with telemetry.about(incident=7, proposal=3):
        structlog.get_logger("bot.flow").info("executing.started", attempt=1)
    structlog.get_logger("bot.flow").info("executing.ended")
    first, second = _lines(stream)
    assert first["event"] == "executing.started"
    assert (first["level"], first["logger"]) == ("info", "bot.flow")
    assert (first["incident"], first["proposal"], first["attempt"]) == (7, 3, 1)
    assert first["timestamp"].endswith("Z")
    assert "incident" not in second


async def test_what_is_awaited_inside_carries_the_ids_too(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json")

    async def work(number: int) -> None:
        with telemetry.about(incident=number):
            await asyncio.sleep(0)
            structlog.get_logger("x").info("worked", number=number)

    await asyncio.gather(*(work(number) for number in range(5)))
    assert all(line["incident"] == line["number"] for line in _lines(stream))


def _refuse() -> None:
    raise RuntimeError(f"refused {TOKEN} and p@ss-word")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_gets_into_a_line_however_it_got_into_the_event(stream: io.StringIO, form: telemetry.Format) -> None:
    telemetry.configure(stream=stream, form=form, secrets=(TOKEN, "p@ss-word"), level="DEBUG")
    log = structlog.get_logger("bot")
    log.info("posting with %s", TOKEN)
    log.info("posting", headers={"Authorization": f"Bearer {TOKEN}"}, body=[{"deep": [f"x{TOKEN}y"]}])
    log.info("connecting", error=ValueError(f"cannot use {TOKEN}"), password="hunter2-but-unknown")
    log.info("named", slack_token="hunter2-but-unknown")
    log.info("looks", line="postgresql://wk:hunter2@db:5432/wk")
    try:
        _refuse()
    except RuntimeError:
        log.exception("failed")
    logging.getLogger("elsewhere").warning("from the library: %s", TOKEN)
    logging.getLogger("elsewhere").warning("with extra", extra={"cookie": "hunter2"})
    told = stream.getvalue()
    assert "hunter2" not in told
    assert "p@ss-word" not in told
    assert "RuntimeError" in told
    assert told.count("\n") >= 8


def test_libraries_are_heard_from_warnings_up_even_when_we_debug(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json", level="DEBUG")
    for name in ("slack_sdk.web.async_client", "aiohttp.access", "apscheduler.scheduler", "sqlalchemy.engine"):
        logging.getLogger(name).info("the request with its token")
        logging.getLogger(name).warning("trouble")
    structlog.get_logger("bot").debug("ours")
    assert [line["event"] for line in _lines(stream)] == ["trouble"] * 4 + ["ours"]


def test_the_level_holds_for_ours_too(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json", level="ERROR")
    structlog.get_logger("bot").warning("quiet")
    logging.getLogger("slack_sdk").warning("quiet")
    structlog.get_logger("bot").error("loud")
    assert [line["event"] for line in _lines(stream)] == ["loud"]


def test_configuring_again_does_not_say_everything_twice(stream: io.StringIO) -> None:
    telemetry.configure(stream=io.StringIO(), form="json")
    telemetry.configure(stream=stream, form="json")
    structlog.get_logger("bot").info("once")
    assert len(_lines(stream)) == 1


def test_a_line_break_in_a_value_stays_inside_its_json_line(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json")
    structlog.get_logger("bot").info("event", text='one\n{"event": "forged"}')
    assert [line["event"] for line in _lines(stream)] == ["event"]


def test_what_cannot_be_encoded_is_told_by_its_repr(stream: io.StringIO) -> None:
    telemetry.configure(stream=stream, form="json")
    loop: dict[str, Any] = {}
    loop["self"] = loop
    structlog.get_logger("bot").info("odd", value=object, nested={"when": {1, 2}}, loop=loop, raw=b"\xff")
    assert _lines(stream)[0]["event"] == "odd"


# --- metrics


def _samples(metrics: telemetry.Metrics) -> dict[str, float]:
    lines = [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_what_happened_is_counted_under_its_labels() -> None:
    metrics = telemetry.Metrics("1.2.3")
    metrics.swept("prod", "issues", 0.4, 3)
    metrics.swept("prod", "failed", 30.0, None)
    metrics.incidents({"open": 2, "acknowledged": 1})
    metrics.pressed("approve", "counted")
    metrics.executed("rollout-undo", "succeeded")
    metrics.called_slack("chat.postMessage", "ok")
    metrics.called_slack("chat.postMessage", "ratelimited")
    metrics.lagged(0.2)
    samples = _samples(metrics)
    assert samples['watchkeeper_sweeps_total{cluster="prod",status="issues"}'] == 1
    assert samples['watchkeeper_sweeps_total{cluster="prod",status="failed"}'] == 1
    assert samples['watchkeeper_sweep_seconds_count{cluster="prod"}'] == 2
    assert samples['watchkeeper_findings{cluster="prod"}'] == 3
    assert samples['watchkeeper_incidents{state="open"}'] == 2
    assert samples['watchkeeper_presses_total{button="approve",ending="counted"}'] == 1
    assert samples['watchkeeper_executions_total{action="rollout-undo",outcome="succeeded"}'] == 1
    assert samples['watchkeeper_slack_calls_total{answer="ok",method="chat.postMessage"}'] == 1
    assert samples['watchkeeper_slack_throttled_total{method="chat.postMessage"}'] == 1
    assert samples['watchkeeper_loop_lag_seconds_bucket{le="0.25"}'] == 1
    assert samples['watchkeeper_loop_lag_seconds_bucket{le="0.1"}'] == 0
    assert any(name.startswith("watchkeeper_build_info") and '"1.2.3"' in name for name in samples)


def test_a_state_that_no_incident_has_any_more_is_gone() -> None:
    metrics = telemetry.Metrics()
    metrics.incidents({"open": 2})
    metrics.incidents({"acknowledged": 2})
    assert not any('state="open"' in name for name in _samples(metrics))


def test_two_bots_in_one_process_count_apart() -> None:
    one, other = telemetry.Metrics(), telemetry.Metrics()
    one.pressed("approve", "counted")
    assert not any(name.startswith("watchkeeper_presses_total") for name in _samples(other))


async def test_a_late_wake_up_is_measured_as_lag() -> None:
    metrics = telemetry.Metrics()
    times = iter([0.0, 0.5, 1.0, 2.0, 3.0])
    naps = 0

    async def sleep(_seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await telemetry.measure_lag(metrics, lambda: next(times), every=0.5, sleep=sleep)
    samples = _samples(metrics)
    assert samples["watchkeeper_loop_lag_seconds_count"] == 2
    assert samples["watchkeeper_loop_lag_seconds_sum"] == 0.5
