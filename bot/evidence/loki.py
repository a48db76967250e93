"""Loki: lines of errors that a workload logged before it failed, also those that its pods' own logs hold no more.

A source of `collecting` where WATCHKEEPER_LOKI_URL is set; `ask` is for queries of others (a model's, which
`bot.llm.queries` has scoped). By the labels `namespace` and `pod`, which Promtail, Alloy and Fluent Bit set by default.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import ports
from bot.evidence import asking, gathering, listening, logs, names, prometheus
from k8s import model, phrases

BEFORE = timedelta(minutes=30)
LINES = 500
_AFTER = timedelta(minutes=1)
_TELLS = "(?i)(error|exception|fatal|panic|critical|traceback|refused|denied|timed? ?out|out of memory)"


class Loki:
    """Implements `gathering.Source`."""

    name = "Loki"

    def __init__(self, at: asking.Address, clock: ports.Clock) -> None:
        self._at = at
        self._clock = clock

    async def collect(
        self, cluster: str, problem: model.Problem, target: model.Target | None
    ) -> Sequence[gathering.Piece]:
        """Nothing where there is no such line."""
        pods, space = names.pods(problem, target), names.namespace(problem)
        if not pods or not space:
            return ()
        end = min(self._clock(), problem.since + _AFTER)
        query = f'{{namespace="{space}",pod=~"{pods}"}} |~ "{_TELLS}"'
        found = _lines((await self._range(cluster, query, end - BEFORE, end)).result)
        if not found:
            return ()
        body, cut = logs.excerpt(listening.clean("\n".join(text for _, _, text in found)))
        pods_told = phrases.counted(len({pod for _, pod, _ in found}), "pod")
        title = f"Loki: lines of errors of {pods_told} in the 30 min up to {end:%H:%M} UTC, oldest first"
        return (gathering.Piece("loki", title, body, cut or len(found) >= LINES),)

    async def ask(self, cluster: str, query: str, minutes: int) -> str:
        """Lines of any query over the last `minutes`, with time and pod. Raises gathering.Unanswered."""
        now = self._clock()
        answer = await self._range(cluster, query, now - timedelta(minutes=max(1, minutes)), now)
        if any("metric" in one for one in answer.result):
            return "\n".join((*prometheus.told("", answer.result, "", ""), *prometheus.warned(answer.warnings)))
        found = _lines(answer.result)
        if not found:
            return "\n".join(("no line matches", *prometheus.warned(answer.warnings)))
        rows = [" ".join(part for part in (f"{at:%H:%M:%S}", pod, text.strip()) if part) for at, pod, text in found]
        more = [f"these are of the newest {LINES} lines: there are more"] if len(found) >= LINES else []
        return "\n".join((logs.excerpt(listening.clean("\n".join(rows)))[0], *more))

    async def _range(self, cluster: str, query: str, start: datetime, end: datetime) -> asking.Answer:
        """https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time"""
        parameters = {
            "query": query,
            "start": str(int(start.timestamp() * 1_000_000_000)),
            "end": str(int(end.timestamp() * 1_000_000_000)),
            "limit": str(LINES),
            "direction": "backward",
        }
        return await asking.get(self._at, cluster, "loki/api/v1/query_range", parameters)


def _lines(result: Sequence[dict[str, Any]]) -> list[tuple[datetime, str, str]]:
    """(when, pod, line) of all streams, oldest first. What is odd is left out."""
    found: list[tuple[int, str, str]] = []
    for stream in result:
        labels = stream.get("stream")
        pod = str(labels.get("pod", "")) if isinstance(labels, dict) else ""
        values = stream.get("values")
        found += [
            (_nanoseconds(pair[0]), pod, pair[1])
            for pair in (values if isinstance(values, list) else ())
            if isinstance(pair, list) and len(pair) >= 2 and isinstance(pair[1], str)
        ]
    found.sort(key=lambda each: each[0])
    return [(_moment(at), pod, line) for at, pod, line in found]


def _nanoseconds(value: object) -> int:
    return int(value[:20]) if isinstance(value, str) and value.isascii() and value.isdigit() else 0


def _moment(nanoseconds: int) -> datetime:
    seconds = nanoseconds // 1_000_000_000
    return datetime.fromtimestamp(seconds if seconds < 10**11 else 0, UTC)
