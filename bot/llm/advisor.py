"""The model behind its checks, its budget and its deadline: implements `ports.Advisor`.

One conversation a model: the evidence, as many turns of looking as are allowed, an answer, the checks. The small model
comes first; the larger one is asked where that one is not sure, or where nothing of what it said stood. Each request is
reserved in the ledger before it is made. Whatever goes wrong ends as a sentence for the card; nothing is raised but a
cancellation. Made by `bot.parts` for the process, and by `evals`.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from bot import errors
from bot.domain import choices, consultations, diagnoses, picks, ports, sameness
from bot.llm import answers, checking, messages, pricing, prompts, tools
from k8s import redact

_log = structlog.get_logger()

NONCE_BYTES = 8
CANCELLED = "Cancelled"
"""How a request ended whose asker did not wait for it."""
CLOSING_SECONDS = 2.0
"""For writing down that a request was left. Beyond it, its row counts by its estimate for a day."""


class Asking(Protocol):
    """`bot.llm.client.Client`."""

    async def create(self, request: messages.Request, seconds: float) -> messages.Reply: ...


@dataclass(frozen=True, slots=True)
class Options:
    """As the settings have them."""

    model: str
    small: str = ""
    """Asked first; empty: only the larger one."""
    max_turns: int = 6


@dataclass(frozen=True, slots=True)
class _About:
    """What a conversation is for: the same for both models."""

    brief: consultations.Brief
    purpose: prompts.Purpose
    looking: ports.Looking
    sight: picks.Sight | None
    menu: Sequence[prompts.Offer]
    ends: float
    """On the monotonic clock."""
    question_id: int | None = None
    asked: str = ""


@dataclass(slots=True)
class _Talk:
    """One conversation with one model."""

    about: _About
    model: str
    nonce: str
    found: list[diagnoses.Evidence] = field(default_factory=list)
    """What its tools brought, and those of the model before it."""
    uses: int = 0

    @property
    def next_number(self) -> int:
        pieces = (*self.about.brief.dossier.evidence, *self.found)
        return max((one.number for one in pieces), default=0) + 1


class _Stopped(Exception):
    """There is no answer from this model: a sentence that says why. `again`: whether another one may do better."""

    def __init__(self, why: str, *, again: bool = False) -> None:
        super().__init__(why)
        self.again = again


class Advisor:
    """`fit` is `bot.evidence.ranking.fit`, `looking` makes what a model may look at for one incident."""

    def __init__(
        self,
        client: Asking,
        looking: Callable[[consultations.Brief], ports.Looking],
        ledger: ports.Ledger,
        prices: pricing.Prices,
        fit: prompts.Fit,
        options: Options,
        *,
        monotonic: Callable[[], float],
        nonce: Callable[[], str] = lambda: secrets.token_hex(NONCE_BYTES),
    ) -> None:
        self._client = client
        self._looking = looking
        self._ledger = ledger
        self._prices = prices
        self._fit = fit
        self._options = options
        self._monotonic = monotonic
        self._nonce = nonce

    @property
    def model(self) -> str:
        """See `ports.Advisor`."""
        return "+".join((*self._models, prompts.version("diagnosis", ())))

    @property
    def _models(self) -> tuple[str, ...]:
        small = self._options.small
        return (self._options.model,) if small in ("", self._options.model) else (small, self._options.model)

    async def advise(self, brief: consultations.Brief, /) -> consultations.Result:
        """See `ports.Advisor`."""
        about = await self._about(brief, "diagnosis")
        if (known := await self._known(about)) is not None:
            return consultations.Result(known, reused=True)
        best: diagnoses.Opinion | None = None
        found: list[diagnoses.Evidence] = []
        why = ""
        for model in self._models:
            talk = _Talk(about, model, self._nonce(), found)
            try:
                said = answers.report(await self._talk(talk))
                checked = self._checked(said, talk)
            except messages.Malformed as error:
                why = _told(error)
                continue
            except _Stopped as stop:
                why = str(stop)
                if not stop.again:
                    break
                continue
            best = checked.opinion or best
            if checked.opinion is None:
                why = "Nothing of what the model said stood the check against the evidence"
            elif checked.sure:
                break
        return consultations.Result(best, "" if best is not None else why)

    async def answer(
        self, brief: consultations.Brief, question: consultations.Question, before: Sequence[consultations.Turn], /
    ) -> consultations.Answer | str:
        """See `ports.Advisor`."""
        about = await self._about(brief, "question")
        about = replace(about, question_id=question.id)
        best: consultations.Answer | None = None
        found: list[diagnoses.Evidence] = []
        why = ""
        for model in self._models:
            talk = _Talk(about, model, self._nonce(), found)
            talk.about = replace(about, asked=prompts.asked(question.text, before, talk.nonce))
            try:
                said = answers.answered(await self._talk(talk))
            except messages.Malformed as error:
                why = _told(error)
                continue
            except _Stopped as stop:
                why = str(stop)
                if not stop.again:
                    break
                continue
            version = prompts.version("question", about.looking.sources)
            answered = checking.answer(said, _ground(talk), name=model, version=version)
            best = answered or best
            if answered is None:
                why = "Nothing of what the model said stood the check against the evidence"
            elif said.sure:
                break
        return best or why

    async def _known(self, about: _About) -> diagnoses.Opinion | None:
        """What a model said before of the same evidence, for no incident: checked against what it was shown then, and
        carried over to what is there now. None where nothing was asked, or where not all of it holds still."""
        brief = about.brief
        call = await self._ledger.answered(brief.watch_id, brief.key) if brief.key else None
        if call is None:
            return None
        try:
            said = answers.report(messages.Reply(json.loads(call.received), "end_turn", call.usage).text)
            shown = prompts.shown(json.loads(call.sent))
        except (messages.Malformed, ValueError, TypeError, KeyError, AttributeError, IndexError):
            return None
        brought = tuple(one for one in shown if one.source == "tool")
        before = prompts.numbered([one for one in shown if one.source != "tool"], brought)
        old = replace(brief, dossier=replace(brief.dossier, evidence=before))
        ground = checking.Ground((*before, *brought), brief.problem, _more(about))
        checked = checking.report(said, old, ground, about.sight, name=call.model, version=call.prompt, tools=brought)
        return None if checked.opinion is None else sameness.carried(checked.opinion, before, brief.dossier.evidence)

    # --- one conversation -----------------------------------------------------------------------------------------

    async def _about(self, brief: consultations.Brief, purpose: prompts.Purpose) -> _About:
        ends = self._monotonic() + brief.deadline.total_seconds()
        looking = self._looking(brief)
        sight = await _sight(looking) if purpose == "diagnosis" else None
        return _About(brief, purpose, looking, sight, _menu(sight), ends)

    async def _talk(self, talk: _Talk) -> str:
        """The text of the final answer. Raises _Stopped."""
        about = talk.about
        opening = prompts.opening(about.brief, talk.nonce, self._fit, about.menu, talk.found)
        first = [{"type": "text", "text": text} for text in (opening, about.asked) if text]
        sources = about.looking.sources
        request = messages.Request(
            talk.model,
            prompts.system(about.purpose),
            tools.schemas(sources),
            answers.schema(about.purpose),
            ({"role": "user", "content": first},),
        )
        for turn in range(1, self._options.max_turns + 1):
            request = replace(request, last=turn == self._options.max_turns)
            reply = await self._request(talk, request)
            if reply.stop == "end_turn":
                return reply.text
            if reply.stop not in ("tool_use", "pause_turn") or (reply.stop == "tool_use" and not reply.calls):
                raise _Stopped(_told(_ENDS.get(reply.stop, messages.Malformed)()), again=True)
            results = await self._used(talk, reply.calls)
            if turn + 1 == self._options.max_turns:
                results.append(prompts.last_word())
            answered = ({"role": "user", "content": results},) if results else ()
            more = ({"role": "assistant", "content": list(reply.content)}, *answered)
            request = replace(request, messages=(*request.messages, *more))
        raise _Stopped("The model has no view: it came to no end", again=True)

    async def _request(self, talk: _Talk, request: messages.Request) -> messages.Reply:
        """One request, paid for. Raises _Stopped."""
        brief = talk.about.brief
        left = talk.about.ends - self._monotonic()
        if left <= 0:
            raise _Stopped(_told(messages.TimedOut()))
        estimate = self._prices.most(talk.model, request.text, request.max_tokens)
        new = consultations.NewCall(
            purpose=talk.about.purpose,
            cluster=brief.cluster,
            model=talk.model,
            prompt=prompts.version(talk.about.purpose, talk.about.looking.sources),
            sent=_kept(request.body),
            estimate=estimate,
            incident_id=brief.incident_id,
            watch_id=brief.watch_id,
            question_id=talk.about.question_id,
            key=brief.key if brief.incident_id is None else "",
        )
        call = await self._reserve(new)
        try:
            reply = await self._client.create(request, left)
        except asyncio.CancelledError:
            await self._abandon(call, estimate)
            raise
        except messages.Failed as error:
            _log.warning("the model gave no answer", model=talk.model, error=error.name, detail=error.detail)
            cost = estimate if error.billed else self._prices.of(talk.model).of(error.usage)
            await self._ledger.finish(call, error.usage, cost, stop="", received="", error=error.name)
            raise _Stopped(_told(error), again=isinstance(error, _AGAIN)) from error
        cost = self._prices.of(talk.model).of(reply.usage)
        received = _kept(list(reply.content))
        await self._ledger.finish(call, reply.usage, cost, stop=reply.stop, received=received, error="")
        return reply

    async def _reserve(self, new: consultations.NewCall) -> int:
        """The call's id. Raises _Stopped at a ceiling. Whoever is cancelled here leaves no row open."""
        reserving = asyncio.ensure_future(self._ledger.reserve(new))
        try:
            call = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            ending = asyncio.wait_for(reserving, CLOSING_SECONDS)
            (reserved,) = await asyncio.gather(ending, return_exceptions=True)
            if isinstance(reserved, int):
                await self._abandon(reserved, 0)
            raise
        if isinstance(call, str):
            raise _Stopped(call)
        return call

    async def _abandon(self, call: int, cost: int) -> None:
        """Ends a request whose asker left (a deadline, a shutdown). One that was sent may be billed: it costs what was
        set aside for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                usage = consultations.Usage()
                await self._ledger.finish(call, usage, cost, stop="", received="", error=CANCELLED)

    async def _used(self, talk: _Talk, calls: Sequence[messages.Call]) -> list[messages.Json]:
        """The results of all calls of a turn, in their order; what was found is evidence from here on."""
        about = talk.about
        allowed = min(tools.PARALLEL, tools.MOST - talk.uses)
        talk.uses += len(calls)
        looks = (tools.use(call, about.looking, about.brief.namespaces) for call in calls[: max(allowed, 0)])
        left = max(about.ends - self._monotonic(), 0.0)
        try:
            async with asyncio.timeout(left):
                found = list(await asyncio.gather(*looks))
        except TimeoutError:
            raise _Stopped(_told(messages.TimedOut())) from None
        found += [tools.Found(call.name, error="Enough was read: answer with it.") for call in calls[len(found) :]]
        return [self._result(talk, call, one) for call, one in zip(calls, found, strict=True)]

    def _result(self, talk: _Talk, call: messages.Call, found: tools.Found) -> messages.Json:
        told: messages.Json = {"type": "tool_result", "tool_use_id": call.id}
        if found.error:
            return {**told, "content": prompts.refusal(talk.nonce, found.error), "is_error": True}
        piece = tools.evidence(found, talk.next_number)
        talk.found.append(piece)
        return {**told, "content": prompts.result(talk.nonce, piece)}

    def _checked(self, said: answers.Report, talk: _Talk) -> checking.Checked:
        about = talk.about
        return checking.report(
            said,
            about.brief,
            _ground(talk),
            about.sight,
            name=talk.model,
            version=prompts.version("diagnosis", about.looking.sources),
            tools=tuple(talk.found),
        )


_ENDS: dict[str, type[messages.Failed]] = {"max_tokens": messages.CutOff, "refusal": messages.Declined}
_AGAIN = (messages.Overloaded, messages.RateLimited, messages.Refused, messages.Malformed)
"""Where another model may answer: an outage of one, or a request that this one does not take."""


def _told(error: messages.Failed) -> str:
    return f"The model has no view: {error.why}"


def _ground(talk: _Talk) -> checking.Ground:
    pieces = (*talk.about.brief.dossier.evidence, *talk.found)
    return checking.Ground(pieces, talk.about.brief.problem, _more(talk.about))


def _more(about: _About) -> str:
    return "\n".join((about.brief.rules.cause, *(one.line for one in about.menu)))


async def _sight(looking: ports.Looking) -> picks.Sight | None:
    """What could be proposed. Where it cannot be seen, nothing is."""
    try:
        return await looking.sight()
    except (errors.ClusterUnavailable, errors.NotPossible):
        return None


def _menu(seen: picks.Sight | None) -> Sequence[prompts.Offer]:
    if seen is None:
        return ()
    return tuple(prompts.Offer(option, choices.fields_of(option.name, seen)) for option in choices.options(seen))


def _kept(body: object) -> str:
    """As it is stored: what goes out was redacted already, and is so once more."""
    return json.dumps(redact.redact_json(body), ensure_ascii=False)
