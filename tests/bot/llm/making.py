"""A brief about a crash loop, a twin of what a model may look at, and a ledger that counts. For the tests of `bot.llm`.

The twins hold what they were asked, and answer what a test put into them; nothing in them checks anything, so that what
is refused was refused by `bot.llm`.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import consultations, diagnoses, picks
from bot.llm import advisor, client, pricing, prompts
from demo.model import KEY, Script, StandIn
from k8s import model

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
DEPLOYMENT = model.ResourceRef("Deployment", "payments", "api", "uid-api")
POD = model.ResourceRef("Pod", "payments", "api-7d4b9c-x2x2x", "uid-pod")
LARGE, SMALL = "claude-sonnet-5-5", "claude-haiku-5-5"
PRICES = pricing.Prices({SMALL: (0.1, 0.5, 0.125, 0.01), LARGE: (2, 10, 2.5, 0.1)})

STATE = diagnoses.Evidence(
    1, "status", "State of Deployment/payments/api", "0 of 3 ready, container api: CrashLoopBackOff"
)
LOG = diagnoses.Evidence(
    2,
    "previous-log",
    "Log of container api of pod api-7d4b9c-x2x2x, before its last restart",
    "Traceback (most recent call last):\n  File \"/app/main.py\", line 12\nKeyError: 'DATABASE_URL'",
)
ROLLOUT = diagnoses.Evidence(
    3, "rollout", "Rollout of revision 4", "revision 4, 6 min before the first crash\n- env DATABASE_URL removed"
)
RULES = diagnoses.Diagnosis(
    cause="Container api ends with KeyError: 'DATABASE_URL' [E2].",
    cites=(2,),
    confidence="medium",
    reason="the log names it",
    next_step="Put the variable back.",
    kind="missing-variable",
)


def finding(**changes: Any) -> model.Finding:
    values: dict[str, Any] = {
        "kind": "CrashLoop",
        "severity": "P1",
        "resource": POD,
        "owner": DEPLOYMENT,
        "message": "container api was restarted 7 times",
        "since": NOW - timedelta(minutes=6),
        "cause": "exit 1",
        "container": "api",
    }
    return model.Finding(**{**values, **changes})


def brief(**changes: Any) -> consultations.Brief:
    problem = model.Problem(DEPLOYMENT, (finding(),), "P1", 0, 3)
    values: dict[str, Any] = {
        "incident_id": 12,
        "watch_id": 3,
        "cluster": "demo",
        "problem": problem,
        "dossier": diagnoses.Dossier((STATE, LOG, ROLLOUT)),
        "rules": RULES,
        "language": "en",
        "deadline": timedelta(seconds=100),
    }
    return consultations.Brief(**{**values, **changes})


def deployment(replicas: int = 3) -> model.Json:
    container = {"name": "api", "image": "registry.local/api:4", "resources": {"limits": {"memory": "128Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "payments", "uid": "uid-api"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "api"}},
            "template": {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [container]}},
        },
        "status": {"replicas": replicas},
    }


def sight() -> picks.Sight:
    target = model.Target(DEPLOYMENT, deployment(), NOW)
    return picks.Sight(target, ("CrashLoop",), NOW, "demo")


@dataclass
class Look:
    """Implements `ports.Looking`. `body` is what every read brings; an exception is raised instead."""

    seen: picks.Sight | None = field(default_factory=sight)
    body: str | Exception = "apiVersion: v1\nkind: Pod"
    sources: Collection[str] = ("prometheus", "loki")
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def _answer(self, *asked: object) -> str:
        self.asked.append(tuple(map(str, asked)))
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    async def sight(self) -> picks.Sight | None:
        return self.seen

    async def get(self, ref: model.ResourceRef) -> str:
        return await self._answer("get", ref)

    async def listed(self, kind: str, namespace: str, labels: str) -> str:
        return await self._answer("list", kind, namespace, labels)

    async def logs(self, pod: model.ResourceRef, container: str, *, previous: bool) -> str:
        return await self._answer("logs", pod, container, previous)

    async def events(self, ref: model.ResourceRef) -> str:
        return await self._answer("events", ref)

    async def rollouts(self, workload: model.ResourceRef) -> str:
        return await self._answer("rollouts", workload)

    async def top(self, namespace: str, workload: str) -> str:
        return await self._answer("top", namespace, workload)

    async def promql(self, query: str, minutes: int) -> str:
        return await self._answer("promql", query, minutes)

    async def logql(self, query: str, minutes: int) -> str:
        return await self._answer("logql", query, minutes)

    async def past(self, workload: model.ResourceRef) -> str:
        return await self._answer("past", workload)

    async def runbook(self, words: str) -> str:
        return await self._answer("runbook", words)


@dataclass
class Entry:
    """One call of the ledger."""

    new: consultations.NewCall
    usage: consultations.Usage | None = None
    cost: int = 0
    stop: str = ""
    received: str = ""
    error: str = ""


@dataclass
class Ledger:
    """Implements `ports.Ledger`, with one ceiling over all."""

    ceiling: int = 10_000_000
    entries: list[Entry] = field(default_factory=list)

    async def reserve(self, new: consultations.NewCall) -> int | str:
        spent = sum(each.cost for each in self.entries)
        if spent + new.estimate > self.ceiling:
            return "The model was not asked: the budget of $0.10 for today is used up"
        self.entries.append(Entry(new))
        return len(self.entries)

    async def finish(
        self, call_id: int, usage: consultations.Usage, cost: int, *, stop: str, received: str, error: str
    ) -> None:
        entry = self.entries[call_id - 1]
        self.entries[call_id - 1] = replace(entry, usage=usage, cost=cost, stop=stop, received=received, error=error)

    async def answered(self, watch_id: int, key: str) -> consultations.Call | None:
        """As the record does, but for the time."""
        for number, entry in reversed(list(enumerate(self.entries, 1))):
            new = entry.new
            if (new.watch_id, new.key, entry.stop, entry.error) == (watch_id, key, "end_turn", ""):
                about = (new.purpose, new.cluster, new.model, new.prompt, NOW, new.sent)
                return consultations.Call(number, *about, stop=entry.stop, received=entry.received)
        return None


def whole(
    pieces: Sequence[diagnoses.Evidence], _tokens: int, _kind: str
) -> tuple[tuple[diagnoses.Evidence, ...], tuple[int, ...]]:
    """Everything fits."""
    return tuple(pieces), ()


def report(**changes: Any) -> dict[str, Any]:
    """An answer that stands every check."""
    values: dict[str, Any] = {
        "cause": "Revision 4 removed the variable DATABASE_URL [E3], and the process ends with a KeyError for it [E2].",
        "kind": "missing-variable",
        "claims": [
            {"text": "the log names the variable", "quote": "KeyError: 'DATABASE_URL'", "cites": ["E2"]},
            {"text": "the rollout removed it", "quote": "env DATABASE_URL removed", "cites": ["E3"]},
        ],
        "view": "agrees",
        "sure": True,
        "unknown": ["whether the removal was meant"],
        "settle": ["the change of revision 4"],
        "next_step": "Look at who removed the variable.",
        "actions": [],
    }
    return {**values, **changes}


@dataclass
class Setting:
    """An advisor on a stand-in, with all that it used."""

    advisor: advisor.Advisor
    model: StandIn
    look: Look
    ledger: Ledger


@contextlib.asynccontextmanager
async def asking(
    script: Script,
    *,
    small: str = "",
    max_turns: int = 6,
    look: Look | None = None,
    ledger: Ledger | None = None,
    fit: prompts.Fit = whole,
    seconds: float = 100.0,
    retries: int = 2,
    monotonic: Callable[[], float] | None = None,
) -> AsyncIterator[Setting]:
    """Closes all that it starts; no request may have been one that the API refuses."""
    async with StandIn(script) as standin:
        over = client.Client(KEY, standin.url, seconds=seconds, retries=retries)
        found, book = look or Look(), ledger or Ledger()
        options = advisor.Options(LARGE, small, max_turns)
        made = advisor.Advisor(over, lambda _: found, book, PRICES, fit, options, monotonic=monotonic or (lambda: 0.0))
        try:
            yield Setting(made, standin, found, book)
        finally:
            await over.close()
        assert standin.faults == []
