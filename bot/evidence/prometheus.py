"""Prometheus: how a workload's memory, cpu, restarts and errors went before it failed, as short series.

A source of `collecting` where WATCHKEEPER_PROMETHEUS_URL is set; `ask` is for queries of others (a model's, which
`bot.llm.queries` has scoped). Metrics as the kubelet (cAdvisor) and kube-state-metrics name them; what a server does
not have is left out without a word.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.domain import ports
from bot.evidence import asking, gathering, names
from k8s import model, phrases

BEFORE = timedelta(hours=1)
POINTS = 12
_AFTER = timedelta(minutes=5)
_SERIES = 6
"""Series of one query that are shown, those of the largest values."""
_NAME = 120
_WARNING = 200
_WARNINGS = 2

Unit = Literal["bytes", "cores", "share", "count", "rate", ""]


@dataclass(frozen=True, slots=True)
class Query:
    """One thing to be seen. `text` holds `{pods}`, `{space}` and `{window}`; by: the label that tells series apart."""

    what: str
    text: str
    unit: Unit
    by: str = "container"


_OF = 'namespace="{space}",pod=~"{pods}"'
_USED = _OF + ',container!="",container!="POD"'
QUERIES = (
    Query("memory, working set", f"max by (container) (container_memory_working_set_bytes{{{_USED}}})", "bytes"),
    Query(
        "memory of its limit",
        f"max by (container) (container_memory_working_set_bytes{{{_USED}}} / on (namespace, pod, container) "
        f'kube_pod_container_resource_limits{{{_OF},resource="memory"}})',
        "share",
    ),
    Query("cpu", f"max by (container) (rate(container_cpu_usage_seconds_total{{{_USED}}}[{{window}}]))", "cores"),
    Query(
        "cpu of its limit",
        f"max by (container) (rate(container_cpu_usage_seconds_total{{{_USED}}}[{{window}}]) / on (namespace, pod, "
        f'container) kube_pod_container_resource_limits{{{_OF},resource="cpu"}})',
        "share",
    ),
    Query(
        "time throttled by its cpu limit",
        f"max by (container) (rate(container_cpu_cfs_throttled_periods_total{{{_USED}}}[{{window}}]) / "
        f"rate(container_cpu_cfs_periods_total{{{_USED}}}[{{window}}]))",
        "share",
    ),
    Query("restarts", f"sum by (container) (kube_pod_container_status_restarts_total{{{_OF}}})", "count"),
    Query(
        "requests a second",
        f"sum(rate(http_requests_total{{{_OF}}}[{{window}}]))",
        "rate",
        "",
    ),
    Query(
        "of these, answered with 5xx",
        f'sum(rate(http_requests_total{{{_OF},code=~"5.."}}[{{window}}]) or '
        f'rate(http_requests_total{{{_OF},status=~"5.."}}[{{window}}])) / '
        f"sum(rate(http_requests_total{{{_OF}}}[{{window}}]))",
        "share",
        "",
    ),
)


class Prometheus:
    """Implements `gathering.Source`."""

    name = "Prometheus"

    def __init__(self, at: asking.Address, clock: ports.Clock) -> None:
        self._at = at
        self._clock = clock

    async def collect(
        self, cluster: str, problem: model.Problem, target: model.Target | None
    ) -> Sequence[gathering.Piece]:
        """The hour before the failure, and some minutes of it. Nothing where the server knows none of it."""
        pods, space = names.pods(problem, target), names.namespace(problem)
        if not pods or not space:
            return ()
        now = self._clock()
        end = min(now, max(problem.since + _AFTER, now - BEFORE))
        step = BEFORE / POINTS
        window = f"{max(120, int(step.total_seconds()))}s"
        values = {"{pods}": pods, "{space}": space, "{window}": window}
        answers = await asyncio.gather(
            *(self._range(cluster, _filled(each.text, values), end - BEFORE, end, step) for each in QUERIES),
            return_exceptions=True,
        )
        lines: list[str] = []
        failed: list[gathering.Unanswered] = []
        warnings: dict[str, None] = {}
        for query, answer in zip(QUERIES, answers, strict=True):
            if isinstance(answer, gathering.Unanswered):
                failed.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                lines += told(query.what, answer.result, query.unit, query.by)
                warnings |= dict.fromkeys(answer.warnings)
        if len(failed) == len(QUERIES):
            raise failed[0]
        if failed:
            lines += [f"{len(failed)} of {len(QUERIES)} queries had no answer: {failed[0]}"] if lines else []
        if not lines:
            return ()
        lines += warned(tuple(warnings))
        title = f"Prometheus: {POINTS} points over the hour up to {end:%H:%M} UTC, oldest first"
        return (gathering.Piece("prometheus", title, "\n".join(lines)),)

    async def ask(self, cluster: str, query: str, minutes: int) -> str:
        """Series of any query over the last `minutes`, for people. Raises gathering.Unanswered."""
        now = self._clock()
        span = timedelta(minutes=max(1, minutes))
        found = await self._range(cluster, query, now - span, now, span / POINTS)
        if not found.result:
            return "\n".join(("no series matches", *warned(found.warnings)))
        shared, series = _apart(found.result)
        lines = told("", series, "", "")
        head = f"all have {shared}" if shared and len(series) > 1 else ""
        empty = len(series) - sum(bool(_points(one.get("values"))) for one in series)
        rest = f"{empty} series without a number (NaN, infinite or a histogram)" if empty else ""
        return "\n".join(line for line in (head, *lines, rest, *warned(found.warnings)) if line)

    async def _range(self, cluster: str, query: str, start: datetime, end: datetime, step: timedelta) -> asking.Answer:
        """https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries"""
        parameters = {
            "query": query,
            "start": f"{start.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{max(1, int(step.total_seconds()))}",
        }
        return await asking.get(self._at, cluster, "api/v1/query_range", parameters)


def warned(warnings: Sequence[str]) -> list[str]:
    return [f"the server warns: {phrases.clip(' '.join(one.split()), _WARNING)}" for one in warnings[:_WARNINGS]]


def _apart(series: Sequence[dict[str, Any]]) -> tuple[str, Sequence[dict[str, Any]]]:
    """The labels that all series share, told once, and the series with those that tell them apart: a line has room for
    a few labels only, and `le` or `code` is not among the first."""
    labels = [one["metric"] if isinstance(one.get("metric"), dict) else {} for one in series]
    shared = {key: value for key, value in labels[0].items() if all(other.get(key) == value for other in labels)}
    if len(series) == 1:
        return "", series
    own = [{key: value for key, value in each.items() if key not in shared} for each in labels]
    told_once = ", ".join(f"{key}={value}" for key, value in sorted(shared.items()))
    return phrases.clip(told_once, 2 * _NAME), [{**one, "metric": left} for one, left in zip(series, own, strict=True)]


def _filled(text: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def told(what: str, result: Sequence[dict[str, Any]], unit: Unit, by: str) -> list[str]:
    """One line a series: its points, its least and its greatest, and the last; those of the largest values first."""
    rows: list[tuple[float, str]] = []
    for series in result:
        points = _points(series.get("values"))
        if not points or (unit == "count" and max(points) == min(points) == 0):
            continue
        labels = series.get("metric")
        name = _label(labels if isinstance(labels, dict) else {}, by)
        head = ", ".join(part for part in (what, name) if part) or "value"
        shown = " ".join(_said(point, unit) for point in points)
        least, most, last = (_said(one, unit) for one in (min(points), max(points), points[-1]))
        rows.append((-max(points), f"{head}: {shown} (least {least}, most {most}, last {last})"))
    rows.sort()
    lines = [line for _, line in rows[:_SERIES]]
    return lines + ([f"… and {len(rows) - _SERIES} more series"] if len(rows) > _SERIES else [])


def _label(labels: dict[str, Any], by: str) -> str:
    if by:
        return phrases.clip(str(labels.get(by, "")), _NAME)
    return phrases.clip(", ".join(f"{key}={value}" for key, value in sorted(labels.items())), _NAME)


def _points(values: object) -> list[float]:
    """About a dozen of them, evenly apart; what is no number is left out."""
    found = []
    for pair in values if isinstance(values, list) else ():
        if isinstance(pair, list) and len(pair) == 2:
            try:
                number = float(pair[1])
            except (TypeError, ValueError):
                continue
            if math.isfinite(number):
                found.append(number)
    if len(found) <= POINTS + 1:
        return found
    return [found[round(place * (len(found) - 1) / (POINTS - 1))] for place in range(POINTS)]


def _said(value: float, unit: Unit) -> str:
    if unit == "bytes":
        return phrases.size(round(value / 1024**2) * 1024**2 if value >= 1024**2 else round(value))
    if unit == "cores":
        return phrases.cores(value)
    if unit == "share":
        return f"{value:.0%}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
