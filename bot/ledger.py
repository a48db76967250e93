"""Where each request to a model is paid from: the ceilings of the settings over the record that all replicas share.

Implements `ports.Ledger`, for `bot.llm.advisor`; `bot.parts` makes one. Each request is set aside in the record before
it is made, so that no number of replicas breaks a ceiling together, and told to /metrics when it has ended.
"""

from datetime import timedelta

import structlog

from bot import errors
from bot.domain import consultations, ports

_LOG = structlog.get_logger(__name__)

AWAY = "The model was not asked: the database did not answer, and nothing is spent that is not written down"

AGAIN = timedelta(days=1)
"""For so long an answer that belongs to no incident is used again."""


class Ledger:
    """The ceilings, and who counts."""

    def __init__(
        self,
        store: ports.Store,
        ceilings: consultations.Ceilings,
        clock: ports.Clock,
        meter: ports.Meter,
    ) -> None:
        self._store = store
        self._ceilings = ceilings
        self._clock = clock
        self._meter = meter
        self._models: dict[int, str] = {}
        """Of the calls that are under way, for the metrics."""

    async def reserve(self, new: consultations.NewCall) -> int | str:
        """See `ports.Ledger`."""
        try:
            async with self._store.begin() as tx:
                found = await tx.calls.reserve(new, self._ceilings, self._clock())
        except errors.StoreUnavailable as error:
            _LOG.warning("model.not_reserved", error=str(error))
            return AWAY
        if isinstance(found, str):
            _LOG.info("model.ceiling", incident=new.incident_id, model=new.model, why=found)
            self._meter.asked(new.model, "refused", {}, 0.0)
        else:
            self._models[found] = new.model
        return found

    async def finish(
        self, call_id: int, usage: consultations.Usage, cost: int, *, stop: str, received: str, error: str
    ) -> None:
        """See `ports.Ledger`. Where the record is away, what was set aside counts for a day in its place."""
        tokens = {"in": usage.input, "out": usage.output, "written": usage.written, "read": usage.read}
        answer = "failed" if error else "answered"
        self._meter.asked(self._models.pop(call_id, "unknown"), answer, tokens, cost / consultations.MICRO)
        try:
            async with self._store.begin() as tx:
                await tx.calls.finish(call_id, usage, cost, self._clock(), stop=stop, received=received, error=error)
        except errors.StoreUnavailable as fault:
            _LOG.warning("model.not_written_down", call=call_id, cost=cost, error=str(fault))

    async def answered(self, watch_id: int, key: str) -> consultations.Call | None:
        """See `ports.Ledger`. Where the record is away nothing is known, and nothing will be spent."""
        try:
            async with self._store.begin() as tx:
                return await tx.calls.answered(watch_id, key, self._clock() - AGAIN)
        except errors.StoreUnavailable:
            return None
