"""The pipeline: the only place that chains the stages, and the page to read first.

    doors                stages
    schedule ┐
    /watch   ├─> sweeping ─> triage ─> diagnosing ─> proposing ─> approving ─> executing ─> verifying ─> reporting
    button   ┘   snapshot    incidents  evidence      one exact    a person     once, with    did it
                                        and cause     action       decides      a permit      help? undo

Each stage commits its result together with its audit events. What comes next is a row that says so (an incident that
wants a diagnosis, a queued execution, a pending verification), never a coroutine: so any replica goes on where another
one died. Between sweeps `bot.following` hands on what watch streams show, which only ever opens incidents. The doors
(`handlers`) call the upper half; the workers that `bot.main` runs call the lower half, in turns.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import errors
from bot.domain import (
    approvals,
    cards,
    choices,
    consultations,
    diagnoses,
    edits,
    incidents,
    inquiries,
    intents,
    looks,
    memory,
    ports,
    proposals,
    watches,
)
from bot.flow import (
    accounting,
    advising,
    announcing,
    answering,
    approving,
    asking,
    breaking,
    diagnosing,
    editing,
    examining,
    executing,
    explaining,
    inspecting,
    proposing,
    questioning,
    reporting,
    shelving,
    sweeping,
    taking,
    triage,
    verifying,
    watching,
)
from k8s import guardrails, model
from k8s import policy as rulebook

PRESSES = 4
"""Presses that are decided at once in one process; more of them wait for their turn, in order. Less than the pool has
connections: however many people press, none is told that the database is busy, and the workers go on."""
WHY_SECONDS = 45.0
"""For the answer to `/watch why`."""


@dataclass(frozen=True, slots=True)
class SweptNow:
    """The answer to `/watch now`."""

    watch: watches.Watch
    sweep: watches.Sweep | None
    """None where it could not look; `error` says why."""
    found: Sequence[incidents.Incident] = ()
    error: str = ""
    scope: model.Scope | None = None
    """Where it looked."""


class Pipeline:
    """All that the doors and the workers may ask for."""

    def __init__(self, wired: ports.Ports, diagnose: examining.Diagnose = diagnosing.diagnose) -> None:
        self._wired = wired
        self._diagnose = diagnose
        self._turns = asyncio.Semaphore(PRESSES)
        self._looking: dict[tuple[int, model.Scope | None], asyncio.Task[SweptNow]] = {}
        """Sweeps that people asked for and that run now: whoever asks for the same meanwhile gets its answer."""
        self._viewing: dict[tuple[int, str], asyncio.Task[inquiries.View]] = {}
        """Likewise what a model is being asked for people, by watch and evidence."""

    # --- sweeping: schedule and /watch now ------------------------------------------------------------------------

    async def tick(self, watch: watches.Watch, slot: datetime, trigger: watches.Trigger = "schedule") -> bool:
        """One scheduled sweep; False where another replica has this tick."""
        sweep = await sweeping.claim(self._wired, watch, slot, trigger)
        if sweep is None:
            return False
        await self._sweep(watch, sweep, None)
        return True

    async def sweep_now(self, words: str) -> Sequence[SweptNow]:
        """`/watch now [cluster/]namespace[/kind/name]`. Raises NotPossible with near names."""
        return [await self._shared(place) for place in await answering.places(self._wired, words)]

    async def _shared(self, place: answering.Place) -> SweptNow:
        """One sweep at a time of the same place, however many ask: sweeps that pile up would slow each other down."""
        key = (place.watch.id, place.scope)
        running = self._looking.get(key)
        if running is None:
            running = asyncio.create_task(self._look_now(place))
            self._looking[key] = running
            running.add_done_callback(lambda _: self._looking.pop(key, None))
        swept = await asyncio.shield(running)
        looked = replace(place, scope=swept.scope)
        return replace(swept, found=tuple(one for one in swept.found if answering.concerns(looked, one.subject)))

    async def stop(self) -> None:
        """Ends sweeps and questions of people that still run. Before clusters and database are closed."""
        running = [*self._looking.values(), *self._viewing.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _look_now(self, place: answering.Place) -> SweptNow:
        sweep = await sweeping.claim(self._wired, place.watch, None, "command")
        swept = None if sweep is None else await self._sweep(place.watch, sweep, place.scope)
        async with self._wired.store.begin() as tx:
            if swept is None:
                failed = await tx.sweeps.latest(place.watch.id)
                return SweptNow(place.watch, None, (), "" if failed is None else failed.error)
            found = tuple(await tx.incidents.live(place.watch.cluster))
            return SweptNow(place.watch, swept.sweep, found, scope=swept.snapshot.scope)

    async def _sweep(
        self, watch: watches.Watch, sweep: watches.Sweep, scope: model.Scope | None
    ) -> sweeping.Swept | None:
        swept = await sweeping.look(self._wired, watch, sweep, scope)
        if swept is None:
            return None
        try:
            await triage.triage(self._wired, swept.sweep, watch, swept.snapshot, swept.detection)
        finally:
            await self._wired.eyes.release(swept.snapshot)
        return swept

    async def notice(self, watch: watches.Watch, problems: Sequence[model.Problem]) -> triage.Triaged:
        """What watch streams showed between two sweeps: opens incidents, and ends none."""
        return await triage.notice(self._wired, watch, problems)

    async def look_once(self, cluster: str, scope: model.Scope, *, diagnose: bool) -> looks.Look:
        """`watchkeeper sweep`: one look with neither Slack nor database. Raises ClusterUnavailable."""
        return await examining.look(self._wired, cluster, scope, self._diagnose if diagnose else None)

    # --- buttons --------------------------------------------------------------------------------------------------

    async def approve(self, press: approvals.Press) -> approvals.Answer:
        async with self._turns:
            answer = await approving.approve(self._wired, press)
        return answer if answer.ending != "lapsed" else await self._lapsed(press, answer)

    async def reject(self, press: approvals.Press) -> approvals.Answer:
        async with self._turns:
            return await approving.reject(self._wired, press)

    async def stop_alone(self, press: approvals.Press) -> approvals.Answer:
        """Keeps what was announced from being done by itself. For those who may approve it."""
        answer = await approving.may_decide(self._wired, press)
        return await announcing.stop(self._wired, press) if answer.counted else answer

    async def close_breaker(self, watch_id: int, user: str) -> approvals.Answer:
        """What a watch may do by itself, it does again. For those who approve what is of low risk."""
        return await breaking.close(self._wired, watch_id, user)

    async def stop_execution(self, press: approvals.Press) -> approvals.Answer:
        """Asks what runs in steps to end before its next one."""
        return await approving.stop(self._wired, press)

    async def may_decide(self, press: approvals.Press) -> approvals.Answer:
        return await approving.may_decide(self._wired, press)

    async def may_approve(self, press: approvals.Press) -> approvals.Answer:
        """As `may_decide`, of an approval whose reason is still to come."""
        answer = await approving.may_approve(self._wired, press)
        return answer if answer.ending != "lapsed" else await self._lapsed(press, answer)

    async def _lapsed(self, press: approvals.Press, answer: approvals.Answer) -> approvals.Answer:
        """A remedy is proposed anew by the next diagnosis; the way back from one that was done, right here."""
        row = await answering.proposal(self._wired, press)
        if row.kind == "undo":
            async with self._wired.store.begin() as tx:
                incident = await tx.incidents.get(row.incident_id)
            if incident is not None:
                candidate = diagnoses.Candidate(row.action, row.why)
                drafted = await proposing.draft(
                    self._wired, incident, "approve", [candidate], kind="undo", undo_of=row.undo_of
                )
                await proposing.offer(self._wired, incident, drafted)
        return answer

    async def proposal(self, press: approvals.Press) -> proposals.Proposal:
        """What a press is about, to be shown once more. Raises NotPossible."""
        return await answering.proposal(self._wired, press)

    async def begin_edit(self, press: approvals.Press) -> editing.Editing:
        """What could be set of a proposed action. Raises NotPossible, ClusterUnavailable."""
        return await editing.begin(self._wired, await answering.proposal(self._wired, press))

    async def edit(self, press: approvals.Press, values: Mapping[str, str]) -> approvals.Edited:
        """A person's own version in the place of what is proposed, checked like any proposal; approved by nobody yet.

        Raises NotPossible, ClusterUnavailable.
        """
        answer = await approving.may_decide(self._wired, press)
        if not answer.counted:
            return approvals.Edited(answer)
        begun = await self.begin_edit(press)
        mode = "observe" if begun.watch is None else begun.watch.mode
        why = f"in the place of {begun.proposal.kubectl}"
        try:
            candidate = diagnoses.Candidate(editing.changed(begun, values), why)
        except edits.Wrong as error:
            return await self._not_edited(begun, press, error.faults)
        drafted = await proposing.draft(self._wired, begun.incident, mode, [candidate], proposer=press.user)
        if drafted.proposal is None:
            return await self._not_edited(begun, press, editing.told(begun, drafted.reasons))
        if await proposing.replace_by(self._wired, begun.proposal, drafted, press.user) is None:
            return approvals.Edited(await approving.may_decide(self._wired, press))
        return approvals.Edited(approvals.Answer("counted"))

    async def _not_edited(
        self, begun: editing.Editing, press: approvals.Press, faults: Mapping[str, str]
    ) -> approvals.Edited:
        await editing.refused(self._wired, begun, press.user, faults)
        return approvals.Edited(approvals.Answer("unavailable"), faults)

    async def options(self, incident_id: int, user: str) -> choices.Menu:
        """What this person may ask for, in the place of what the rules propose. Raises NotPossible,
        ClusterUnavailable."""
        return choices.menu(await asking.sight(self._wired, await self._asking(incident_id, user)))

    async def fields_of(self, incident_id: int, name: str, user: str) -> choices.Menu:
        """The same with what to enter for this action, by a fresh look, or why not. Raises NotPossible,
        ClusterUnavailable."""
        return choices.menu(await asking.sight(self._wired, await self._asking(incident_id, user)), name)

    async def _asking(self, incident_id: int, user: str) -> asking.Asking:
        begun = await asking.begin(self._wired, incident_id, user)
        if isinstance(begun, approvals.Answer):
            raise errors.NotPossible(begun.text)
        return begun

    async def ask_with(self, incident_id: int, name: str, values: Mapping[str, str], user: str) -> approvals.Edited:
        """As `ask_for`, of what a person entered. Faults are by field; under "" about the whole."""
        begun = await asking.begin(self._wired, incident_id, user)
        if isinstance(begun, approvals.Answer):
            return approvals.Edited(begun)
        seen = await asking.sight(self._wired, begun)
        try:
            action = choices.made(name, values, seen)
        except edits.Wrong as error:
            await asking.refused(self._wired, begun, user, error.faults)
            return approvals.Edited(approvals.Answer("unavailable"), error.faults)
        return await self._ask_for(begun, action, user)

    async def ask_for(self, incident_id: int, action: model.Action, user: str) -> approvals.Edited:
        """Proposes this very action, in the place of what is open: checked like any proposal, approved by nobody yet.

        What speaks against it is in `faults`, and in the trail. Raises ClusterUnavailable.
        """
        begun = await asking.begin(self._wired, incident_id, user)
        if isinstance(begun, approvals.Answer):
            return approvals.Edited(begun)
        return await self._ask_for(begun, action, user)

    async def _ask_for(self, begun: asking.Asking, action: model.Action, user: str) -> approvals.Edited:
        wired, old = self._wired, begun.open
        why = "asked for by a person" if old is None else f"asked for by a person, in the place of {old.kubectl}"
        candidate = diagnoses.Candidate(action, why)
        drafted = await proposing.draft(wired, begun.incident, begun.mode, [candidate], proposer=user)
        reasons: tuple[str, ...] = drafted.reasons or ("It cannot be done.",)
        if drafted.proposal is not None:
            same = old is not None and old.expires_at > wired.clock() and asking.same(old, drafted.proposal)
            reasons = (asking.SAME,) if same else ()
        if reasons:
            faults = {"": " ".join(reasons)}
            await asking.refused(wired, begun, user, faults, action)
            return approvals.Edited(approvals.Answer("unavailable"), faults)
        if await proposing.asked(wired, begun.incident.id, old, drafted, user, begun.approved) is None:
            await asking.refused(wired, begun, user, {"": asking.LATE}, action)
            return approvals.Edited(approvals.Answer("late", asking.LATE))
        return approvals.Edited(approvals.Answer("counted"))

    async def acknowledge(self, incident_id: int, user: str) -> approvals.Answer:
        return await taking.acknowledge(self._wired, incident_id, user)

    async def propose_again(self, incident_id: int, user: str) -> approvals.Answer:
        return await taking.ask_again(self._wired, incident_id, user)

    # --- questions and watches ------------------------------------------------------------------------------------

    async def status(self, cluster: str = "") -> cards.Status:
        return await answering.status(self._wired, cluster)

    async def list_incidents(self, which: str, user: str) -> Sequence[incidents.Incident]:
        return await answering.listed(self._wired, which, user)

    async def show(self, words: str) -> cards.IncidentCard:
        return await answering.show(self._wired, words)

    async def hear(self, mention: inquiries.Mention) -> bool:
        """A question in an incident's thread: kept, once, to be answered there. False for any other place."""
        incident = await questioning.incident_of(self._wired, mention)
        if incident is None:
            return False
        await questioning.ask(self._wired, mention, incident)
        return True

    async def why(self, words: str) -> inquiries.Inquiry:
        """`/watch why [cluster/]namespace/[kind/]name`: its incident; else a fresh look, diagnosed by the rules.

        Opens nothing. Raises NotPossible with near names, ClusterUnavailable.
        """
        try:
            async with asyncio.timeout(WHY_SECONDS):
                return await self._inquire(words)
        except TimeoutError:
            told = f"The cluster did not answer within {WHY_SECONDS:g} s. Ask again, or look at `/watch status`."
            raise errors.NotPossible(told) from None

    async def _inquire(self, words: str) -> inquiries.Inquiry:
        wired = self._wired
        watch, subject = await answering.workload(wired, words)
        incident = await inspecting.incident_of(wired, watch.cluster, subject)
        if incident is not None:
            return inquiries.Inquiry(watch.cluster, subject, await self.show(incident.name))
        seen = await inspecting.look(wired, watch, subject)
        dossiers = await asyncio.gather(*(wired.witness.collect(watch.cluster, one) for one in seen.problems))
        found = tuple(
            inquiries.Found(problem, self._diagnose(problem, dossier, wired.clock()), dossier.evidence)
            for problem, dossier in zip(seen.problems, dossiers, strict=True)
        )
        return inquiries.Inquiry(watch.cluster, subject, None, found, seen.facts, seen.looked, seen.unread, watch)

    def may_view(self, inquiry: inquiries.Inquiry) -> bool:
        """Whether a model is asked about this, too: where one is set, and there is something to explain. What has an
        incident has a model's view on its card."""
        return bool(self.model and inquiry.found and inquiry.watch)

    async def view(self, inquiry: inquiries.Inquiry) -> inquiries.View:
        """What a model makes of the first problem of a fresh look, as evidence and rules had it; or why there is
        nothing. Whoever asks for the same meanwhile gets the same answer. For what `may_view`."""
        if inquiry.watch is None:
            raise errors.NotPossible("The model was not asked: no watch looks at this.")
        found = inquiry.found[0]
        key = (inquiry.watch.id, advising.key(self._wired, found.problem, found.diagnosis, found.evidence))
        running = self._viewing.get(key)
        if running is None:
            running = asyncio.create_task(advising.inquire(self._wired, inquiry.watch, found))
            self._viewing[key] = running
            running.add_done_callback(lambda _: self._viewing.pop(key, None))
        return await asyncio.shield(running)

    async def runbooks(self) -> Sequence[consultations.Runbook]:
        return await shelving.listed(self._wired)

    async def runbook(self, name: str) -> Sequence[consultations.Runbook]:
        """All of this name, from wherever. Raises NotPossible."""
        return await shelving.show(self._wired, name)

    async def add_runbook(self, new: consultations.Runbook) -> bool:
        """False where it is there just like this. Raises NotPossible."""
        return await shelving.add(self._wired, new)

    async def remove_runbook(self, name: str, user: str) -> None:
        """Raises NotPossible."""
        await shelving.remove(self._wired, name, user)

    async def costs(self, words: str) -> Sequence[consultations.Costs]:
        """What models cost in a time. Raises NotPossible."""
        return await accounting.costs(self._wired, words)

    async def sent(self, incident: incidents.Incident, user: str) -> Sequence[consultations.Call]:
        """The requests to models about this incident, oldest first, for this person's eyes."""
        return await accounting.sent(self._wired, incident.id, incident.cluster, user)

    @property
    def model(self) -> str:
        """What is asked besides the rules; empty where nothing is."""
        return self._wired.advisor.model

    async def audit_page(self, words: str, user: str) -> cards.AuditPage:
        return await answering.audited(self._wired, words, user)

    async def list_watches(self) -> Sequence[watches.Watch]:
        async with self._wired.store.begin() as tx:
            return await tx.watches.all()

    async def clusters_ever(self) -> frozenset[str]:
        """Clusters that some watch was ever made of: what somebody removed is not made again."""
        async with self._wired.store.begin() as tx:
            return await tx.watches.clusters_ever()

    async def add_watch(self, new: watches.NewWatch) -> watches.Watch:
        return await watching.add(self._wired, new)

    async def add_default_watch(self, new: watches.NewWatch) -> watches.Watch:
        """As `add_watch`, with the cluster not asked: it may be away at the very start."""
        return await watching.store(self._wired, new)

    async def counts(self) -> Mapping[str, int]:
        """Live incidents by state."""
        async with self._wired.store.begin() as tx:
            found = await tx.incidents.counts()
        return {state: count for state, count in found.items() if state != "resolved"}

    async def pause_watch(self, name: str, user: str) -> watches.Watch:
        watch = await answering.watch_named(self._wired, name)
        await watching.pause(self._wired, watch, user)
        return watch

    async def resume_watch(self, name: str, user: str) -> watches.Watch:
        watch = await answering.watch_named(self._wired, name)
        await watching.resume(self._wired, watch, user)
        return watch

    async def change_mode(self, name: str, mode: guardrails.Mode, user: str) -> watches.Watch:
        """Raises NotPossible, for autonomous also where the policy or this person may not have that."""
        watch = await answering.watch_named(self._wired, name)
        return await watching.change_mode(self._wired, watch, mode, user)

    async def close_breaker_of(self, name: str, user: str) -> approvals.Answer:
        """As `close_breaker`, by the watch's name."""
        return await self.close_breaker((await answering.watch_named(self._wired, name)).id, user)

    async def change_kinds(
        self, name: str, said: watches.Kinds, forgotten: Collection[str], user: str
    ) -> watches.Watch:
        """What holds of failure kinds for one watch alone. The watch as it is afterwards."""
        watch = await answering.watch_named(self._wired, name)
        return await watching.change_kinds(self._wired, watch, said, forgotten, user)

    @property
    def own_kinds(self) -> Collection[str]:
        """Failure kinds of somebody's own, which commands may name beside those of the catalogue."""
        return tuple(self._wired.rules.kinds.own.kinds)

    @property
    def policy(self) -> rulebook.Policy:
        """What may be done, and by whom."""
        return self._wired.rules.policy

    @property
    def clusters(self) -> Sequence[str]:
        """Those of the settings."""
        return self._wired.eyes.clusters

    async def remove_watch(self, name: str, user: str) -> tuple[watches.Watch, int]:
        """The watch, and how many of its incidents were closed."""
        watch = await answering.watch_named(self._wired, name)
        return watch, await watching.remove(self._wired, watch, user)

    async def report(self, channel: str, slot: datetime, asked_by: str = "") -> cards.Report | None:
        return await reporting.report(self._wired, channel, slot, asked_by)

    async def report_channels(self) -> Sequence[str]:
        async with self._wired.store.begin() as tx:
            return await tx.reports.channels()

    # --- workers: each call is one turn, True where there was something to do -------------------------------------

    async def diagnose_next(self) -> bool:
        """Diagnoses one incident that wants it, on fresh state, and proposes what may be done."""
        wired = self._wired
        async with wired.store.begin() as tx:
            incident = await tx.incidents.wanting_diagnosis(wired.owner, wired.clock(), wired.rules.lease)
            watch = None if incident is None else await tx.watches.get(incident.watch_id)
        if incident is None:
            return False
        problem = await examining.problem_of(wired, incident, watch)
        if problem is None:
            await self._leave(incident)
            return True
        dossier = await wired.witness.collect(incident.cluster, problem)
        found = self._diagnose(problem, dossier, wired.clock())
        remembered = await self._remembered(incident, found.candidates)
        found = replace(found, candidates=remembered.candidates)
        mode = "observe" if watch is None else watch.mode
        drafted = await proposing.draft(wired, incident, mode, found.candidates, proposer=incident.asked_by)
        drafted = replace(drafted, refused=(*remembered.dropped, *drafted.refused))
        question = advising.key(wired, problem, found, dossier.evidence)
        await proposing.publish(wired, incident, found, dossier.evidence, drafted, incidents.causes(problem), question)
        await announcing.announce(wired, incident.id, watch)
        return True

    async def advise_next(self) -> bool:
        """Asks a model about one diagnosis that the rules have made; what it says is put beside what is shown."""
        wired = self._wired
        turn = await advising.take(wired) if wired.advisor.model else None
        if turn is None:
            return False
        done = await advising.remembered(wired, turn)
        if done is None:
            try:
                done = await advising.ask(wired, turn, await examining.problem_of(wired, turn.incident, turn.watch))
            except errors.ClusterUnavailable as error:
                done = advising.away(turn, error)
        if done is not None:
            drafted = await self._advised(turn, done)
            if await advising.record(wired, turn, done, drafted.refused):
                await proposing.advised(wired, turn.incident.id, drafted)
        return True

    async def _advised(self, turn: advising.Turn, done: consultations.Advice) -> proposing.Drafted:
        """What the model speaks for, where the rules have nothing: by the same way, and never done by itself."""
        wired, incident = self._wired, turn.incident
        async with wired.store.begin() as tx:
            rows = await tx.proposals.of_incident(incident.id)
        spoken_for = tuple(advising.candidates(done, rows))
        ordered = await self._remembered(incident, spoken_for)
        mode: guardrails.Mode = "observe" if turn.watch is None or turn.watch.mode == "observe" else "approve"
        drafted = await proposing.draft(wired, incident, mode, ordered.candidates)
        return replace(drafted, refused=(*ordered.dropped, *drafted.refused))

    async def _remembered(
        self, incident: incidents.Incident, candidates: tuple[diagnoses.Candidate, ...]
    ) -> memory.Ordered:
        """The candidates in the order that what was tried here before speaks for."""
        if not candidates or not incident.kinds:
            return memory.Ordered(candidates)
        since = self._wired.clock() - memory.SPAN
        async with self._wired.store.begin() as tx:
            tries = await tx.executions.tried(incident.cluster, incident.subject, incident.kinds[0], since)
        return memory.ordered(candidates, tries)

    async def answer_next(self) -> bool:
        """Answers one question that somebody asked in an incident's thread."""
        return await questioning.answer(self._wired, explaining.answer, intents.about)

    async def _leave(self, incident: incidents.Incident) -> None:
        """Its findings are gone on a fresh look: the sweeps will say so in their own time."""
        async with self._wired.store.begin() as tx:
            await tx.incidents.lock(incident.cluster)
            await examining.unwant(tx, incident.id)

    async def execute_next(self) -> bool:
        job = await executing.take(self._wired)
        if job is None:
            return await executing.orphans(self._wired) > 0 or await executing.settle(self._wired)
        ended = await executing.do(self._wired, job, examining.gone)
        await executing.finish(self._wired, job, ended)
        return True

    async def announce_next(self) -> bool:
        """One step of what is done by itself: its announcement, its start, or what its end means for the breaker."""
        return await announcing.turn(self._wired) or await breaking.count(self._wired)

    async def verify_next(self) -> bool:
        turn = await verifying.take(self._wired)
        if turn is None:
            return False
        after = await verifying.look(self._wired, turn, examining.recovered)
        back = await self._undo(turn, after) if after.status != "pending" else verifying.NOT_NEEDED
        await verifying.record(self._wired, turn, after, back)
        return True

    async def _undo(self, turn: verifying.Turn, after: proposals.Verification) -> verifying.WayBack:
        """The way back from what was done, checked like any proposal, or why there is none.

        Raises ClusterUnavailable where a verified fix is to be recorded and the way back cannot be worked out now: the
        turn is taken again, rather than an Undo lost.
        """
        inverse = turn.proposal.inverse
        if turn.proposal.kind == "undo":
            return verifying.NOT_NEEDED
        if inverse is None:  # it was told before that nothing can be taken back: said again where that is needed
            return verifying.WayBack(none="" if after.status == "verified" else turn.proposal.irreversible)
        candidate = diagnoses.Candidate(inverse, f"it takes back: {turn.proposal.kubectl}")
        drafted = await proposing.draft(
            self._wired, turn.incident, "approve", [candidate], kind="undo", undo_of=turn.proposal.id
        )
        if drafted.away and after.status == "verified":
            raise errors.ClusterUnavailable(f"the way back could not be worked out: {drafted.refused[0]}")
        if drafted.proposal is not None:
            return verifying.WayBack(drafted.proposal)
        considered = f"{model.name_of(inverse)} was considered: "
        return verifying.WayBack(none="; ".join(reason.removeprefix(considered) for reason in drafted.refused))

    async def tidy(self) -> None:
        """Ends proposals that expired and sweeps that were abandoned; forgets what was sent to a model long ago."""
        await proposing.expire(self._wired)
        await sweeping.abandon(self._wired)
        await advising.forget(self._wired)
