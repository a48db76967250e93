"""Asking a model about the cases, by the very advisor of the product, and what it costs. Called by `evals.__main__`.

Nothing is stored: the record that its tools read is empty, and the ledger keeps the bill in memory. The ceilings of the
settings hold: that of an incident for each case, that of a day for all of them.
"""

import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from bot import settings
from bot.domain import consultations, diagnoses, ports
from bot.evidence import looking, ranking
from bot.flow import diagnosing
from bot.llm import advisor, client, pricing
from evals import judging, running, values
from k8s import model


@dataclass
class Bill:
    """A ledger in memory: `ports.Ledger`."""

    ceiling: int
    """Micro-dollars for one case."""
    total: int
    """Micro-dollars for all."""
    sizes: list[int] = field(default_factory=list)
    """Tokens of the first prompt of each case."""
    usage: consultations.Usage = field(default_factory=consultations.Usage)
    cost: int = 0
    _of_case: int = 0
    _first: bool = True

    def begin(self) -> None:
        """The next case."""
        self._of_case, self._first = 0, True

    async def reserve(self, new: consultations.NewCall) -> int | str:
        if self._of_case + new.estimate > self.ceiling:
            return "What one incident may cost is spent"
        if self.cost + new.estimate > self.total:
            return "What a day may cost is spent"
        return 1

    async def finish(
        self, call_id: int, usage: consultations.Usage, cost: int, *, stop: str, received: str, error: str
    ) -> None:
        if self._first and not error:
            self.sizes.append(usage.input + usage.written + usage.read)
            self._first = False
        self.usage += usage
        self.cost += cost
        self._of_case += cost

    async def answered(self, watch_id: int, key: str) -> None:
        """Every case is asked anew."""

    def __str__(self) -> str:
        median = f"{statistics.median(self.sizes):,.0f}" if self.sizes else "none"
        read = self.usage.input + self.usage.written + self.usage.read
        dollars = self.cost / consultations.MICRO
        tokens = f"tokens: {read:,} in, {self.usage.output:,} out"
        return f"{tokens}; cost: ${dollars:.4f}; median first prompt: {median} tokens"


@dataclass(frozen=True)
class Asked:
    """What rules and model made of the same evidence."""

    rules: Sequence[values.Verdict]
    model: Sequence[values.Verdict]
    bill: Bill


class _NoWatches:
    async def get(self, watch_id: int) -> None:
        return None


class _NoIncidents:
    async def of_subject(self, *_: object) -> tuple[()]:
        return ()

    async def live(self, cluster: str) -> tuple[()]:
        return ()


class _NoExecutions:
    async def tried(self, *_: object) -> tuple[()]:
        return ()


class _NoRunbooks:
    async def matching(self, *_: object) -> tuple[()]:
        return ()


class _EmptyRecord:
    """Of a cluster that nobody watched before: what the tools of a model read of a record."""

    watches, incidents, executions, runbooks = _NoWatches(), _NoIncidents(), _NoExecutions(), _NoRunbooks()


class _Store:
    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Tx]:
        yield cast("ports.Tx", _EmptyRecord())


async def ask(picked: Sequence[values.Case], chosen: settings.Settings, told: Callable[[int], None]) -> Asked:
    """Every case in turn. `told` hears how many are done. The settings hold a key."""
    key = chosen.anthropic_api_key.get_secret_value() if chosen.anthropic_api_key is not None else ""
    asking = client.Client(key, chosen.anthropic_base_url)
    try:
        return await ask_with(picked, chosen, asking, told)
    finally:
        await asking.close()


async def ask_with(
    picked: Sequence[values.Case], chosen: settings.Settings, asking: advisor.Asking, told: Callable[[int], None]
) -> Asked:
    """As `ask`, of anything that answers as the API does."""
    bill = Bill(_micro(chosen.budget_incident), _micro(chosen.budget_day))
    rules, opinions = [], []
    for done, case in enumerate(picked):
        told(done)
        bill.begin()
        async with running.seen(case) as (eyes, examined):
            rules.append(judging.judge(case, running.by_rules(examined)))
            answer = None
            if examined.problem is not None:
                brief = _brief(examined, examined.problem, chosen)

                def look(about: consultations.Brief, eyes: running.Eyes = eyes) -> ports.Looking:
                    return looking.Looking(about, eyes.reader, eyes.selected, _Store(), running.now, chosen.policy)

                asked = advisor.Advisor(
                    asking,
                    look,
                    bill,
                    pricing.Prices(chosen.model_prices),
                    ranking.fit,
                    advisor.Options(chosen.model, chosen.model_small, chosen.model_max_turns),
                    monotonic=time.monotonic,
                )
                answer = _answer(examined, (await asked.advise(brief)).opinion)
            opinions.append(judging.judge(case, answer))
    return Asked(rules, opinions, bill)


def _micro(dollars: float) -> int:
    return int(dollars * consultations.MICRO)


def _brief(examined: values.Examined, problem: model.Problem, chosen: settings.Settings) -> consultations.Brief:
    return consultations.Brief(
        incident_id=1,
        watch_id=1,
        cluster=running.CLUSTER,
        problem=problem,
        dossier=examined.dossier,
        rules=diagnosing.diagnose(problem, examined.dossier, running.now()),
        language="en",
        deadline=timedelta(seconds=chosen.model_deadline.total_seconds()),
    )


def _answer(examined: values.Examined, opinion: diagnoses.Opinion | None) -> values.Answer | None:
    if opinion is None:
        return None
    cited = {number for claim in opinion.claims for number in claim.cites}
    pieces = (*examined.dossier.evidence, *opinion.evidence)
    return values.Answer(
        cause=" ".join((opinion.cause, *(claim.text for claim in opinion.claims))),
        kind=opinion.kind,
        confidence=opinion.confidence,
        actions=tuple(model.name_of(candidate.action) for candidate in opinion.candidates),
        cited=tuple(piece for piece in pieces if piece.number in cited or f"[{piece.label}]" in opinion.cause),
    )
