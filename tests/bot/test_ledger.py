"""The ledger between a model and the record: nothing is spent that is not written down, and /metrics counts all."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot import errors, ledger, telemetry
from bot.domain import consultations, ports
from bot.store import engine
from tests.bot.store import examples

NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
CEILINGS = consultations.Ceilings(1_000_000, 1_000_000, 1_000_000)
NEW = consultations.NewCall("diagnosis", "prod-eu", "claude-sonnet-5-5", "v1", "{}", 600_000)


@dataclass
class Counting(ports.Unmetered):
    told: list[tuple[str, str, Mapping[str, int], float]] = field(default_factory=list)

    def asked(self, model: str, answer: str, tokens: Mapping[str, int], dollars: float) -> None:
        self.told.append((model, answer, tokens, dollars))


class Away:
    """A record that does not answer."""

    def begin(self) -> contextlib.AbstractAsyncContextManager[ports.Tx]:
        raise errors.StoreUnavailable("the database is away")


def made(store: ports.Store, meter: ports.Meter) -> ledger.Ledger:
    return ledger.Ledger(store, CEILINGS, lambda: NOW, meter)


async def test_a_call_is_set_aside_counted_and_told_to_the_metrics(store: engine.Database) -> None:
    meter = Counting()
    paying = made(store, meter)
    call = await paying.reserve(NEW)
    assert isinstance(call, int)
    assert await paying.reserve(NEW) == "The model was not asked: the budget of $1.00 for today is used up"
    await paying.finish(call, consultations.Usage(1000, 200, 30, 4), 5000, stop="end_turn", received="[]", error="")
    after = await paying.reserve(NEW)
    assert isinstance(after, int)
    await paying.finish(after, consultations.Usage(), 0, stop="", received="", error="it is overloaded")
    assert meter.told == [
        ("claude-sonnet-5-5", "refused", {}, 0.0),
        ("claude-sonnet-5-5", "answered", {"in": 1000, "out": 200, "written": 30, "read": 4}, 0.005),
        ("claude-sonnet-5-5", "failed", {"in": 0, "out": 0, "written": 0, "read": 0}, 0.0),
    ]
    async with store.begin() as tx:
        costs = await tx.calls.costs(NOW, NOW + examples.SECOND)
    assert (costs.total.calls, costs.total.cost, costs.total.failed) == (2, 5000, 1)


async def test_without_the_record_nothing_is_spent() -> None:
    assert await made(Away(), Counting()).reserve(NEW) == ledger.AWAY


async def test_an_answer_is_not_lost_where_the_record_goes_away_meanwhile() -> None:
    meter = Counting()
    await made(Away(), meter).finish(7, consultations.Usage(1, 2), 3, stop="end_turn", received="", error="")
    assert [one[1] for one in meter.told] == ["answered"]


def test_what_models_take_is_scraped() -> None:
    metrics = telemetry.Metrics()
    metrics.asked("claude-sonnet-5-5", "answered", {"in": 1000, "out": 20}, 0.25)
    metrics.asked("claude-sonnet-5-5", "failed", {}, 0.0)
    page = metrics.render().decode()
    assert 'watchkeeper_model_calls_total{answer="answered",model="claude-sonnet-5-5"} 1.0' in page
    assert 'watchkeeper_model_calls_total{answer="failed",model="claude-sonnet-5-5"} 1.0' in page
    assert 'watchkeeper_model_tokens_total{kind="in",model="claude-sonnet-5-5"} 1000.0' in page
    assert 'watchkeeper_model_dollars_total{model="claude-sonnet-5-5"} 0.25' in page
