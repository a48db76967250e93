"""Collecting: everything about one problem that can be known, in parallel, each source with its own time limit.

Implements `ports.Witness`. A source that does not answer never ends a diagnosis: it is named in `Dossier.missing` where
rules rest on it, else in `Dossier.beside`. All text is redacted in `gathering`, before it goes anywhere. Each family of
sources has a module of its own; those outside of the cluster are plugged in as `more` (`gathering.Source`).

Facts for the rules are named by the module that proves them: `listening` (container, error_line, missing_name, log),
`rollouts` (rollout_…, healthy_revision), `telling` (scaled_from, scaled_to), `placing` (room, room_never, kept_off),
`proving`, `refuting` (refuted, failed_before) and `dependencies` (dependency, dependency_state, dependency_by).

The pieces that rules rest on come first, in one order; what is added to them later comes after, so that `[E2]` of a
cause is what it always was.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain import diagnoses, ports
from bot.evidence import (
    changing,
    dependencies,
    gathering,
    listening,
    placing,
    proving,
    refuting,
    rollouts,
    surrounding,
    telling,
)
from k8s import fields, model
from k8s.client import errors, reader

SOURCE_SECONDS = 8.0
LOG_LINES = 200
LOG_BYTES = 65_536

WORKLOAD_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


class Collector:
    """Collects from the readers of all clusters, and from `more` sources beside them."""

    def __init__(
        self,
        readers: Callable[[str], Awaitable[reader.Reader]],
        clock: ports.Clock,
        *,
        log_lines: int = LOG_LINES,
        log_bytes: int = LOG_BYTES,
        seconds: float = SOURCE_SECONDS,
        secret_changes: bool = False,
        more: Sequence[gathering.Source] = (),
        live: dependencies.Live | None = None,
        record: refuting.Record | None = None,
    ) -> None:
        self._readers = readers
        self._clock = clock
        self._listener = listening.Listener(log_lines, log_bytes)
        self._seconds = seconds
        self._secret_changes = secret_changes
        """Whether it is asked when Secrets were changed."""
        self._more = more
        self._live = live
        """Which incidents are open: a dependency may have one of its own."""
        self._record = record
        """How the workload was while its earlier revisions were current."""

    async def collect(self, cluster: str, problem: model.Problem) -> diagnoses.Dossier:
        """See `ports.Witness`."""
        told = gathering.Gathering(self._seconds)
        try:
            source = await self._readers(cluster)
        except errors.ClusterError as error:
            return diagnoses.Dossier((), {}, None, (f"the cluster did not answer ({error.message})",))
        target, owner_events = await asyncio.gather(
            self._target(source, problem.subject, told),
            self._owner_events(source, problem.subject, told),
        )
        suspect = telling.suspect(problem, target) or await self._failed_run(source, problem, told)
        place = gathering.Place(source, gathering.Aside(self._seconds), problem, target)
        logs = asyncio.gather(
            self._listener.log(source, suspect, told, previous=False),
            self._listener.log(source, suspect, told, previous=True),
        )
        pod_events, (current, previous), nodes, asked, beside = await asyncio.gather(
            self._pod_events(source, problem, suspect, told),
            logs,
            placing.read(source, problem, told),
            changing.ask(source, problem, target, secrets=self._secret_changes, seconds=self._seconds),
            self._beside(cluster, place, suspect, logs),
        )
        placed = await placing.placed(source, problem, nodes or (), told)
        now = self._clock()
        if target is not None:
            target = replace(target, revisions=asked.revisions)
        refuted = await refuting.ask(replace(place, target=target), self._record, now)
        if target is not None:
            told.prove(refuting.proof(target, refuted, now))
        told.prove(proving.of_container(suspect))
        told.prove(proving.of_deletion(problem, telling.raw_pod(problem, target)))
        state = "\n".join((telling.status(problem, target, suspect), *told.notes))
        told.add("status", f"State of {problem.subject}", state)
        self._listener.tell(told, suspect, current, previous)
        events = telling.events([*(pod_events or ()), *(owner_events or ())], now)
        told.add("events", "Events, newest first", events)
        rollout = None if target is None else rollouts.tell(told, target, now, refuted)
        changes = changing.changes(asked, problem, target, placing.own(problem, nodes or ()), rollout)
        told.add("changes", changing.TITLE, changing.told(changes, asked.unread))
        told.missing += asked.missing
        told.facts.update(telling.scaling(owner_events or ()))
        placing.tell(told, problem, nodes or (), placed, target)
        for piece in beside.pieces:
            told.add(piece.source, piece.title, piece.body, cut=piece.cut)
        told.prove(beside.proof)
        return diagnoses.Dossier(
            tuple(told.pieces), told.facts, target, tuple(told.missing), changes, beside=place.aside.told
        )

    async def _beside(
        self,
        cluster: str,
        place: gathering.Place,
        suspect: telling.Suspect | None,
        logs: Awaitable[Sequence[str | None]],
    ) -> "_Beside":
        """What is told after the pieces that rules rest on."""
        sources = (place.aside.collect(one, cluster, place.problem, place.target) for one in self._more)
        sibling, (around, proof), more = await asyncio.gather(
            self._listener.beside(place, suspect),
            self._around(place, suspect, logs),
            asyncio.gather(*sources),
        )
        first = [sibling] if sibling is not None else []
        return _Beside([*first, *around, *(piece for pieces in more for piece in pieces)], proof)

    async def _around(
        self, place: gathering.Place, suspect: telling.Suspect | None, logs: Awaitable[Sequence[str | None]]
    ) -> tuple[list[gathering.Piece], proving.Proof]:
        """What stands around the workload, and what its failing container depends on."""
        seen, said = await asyncio.gather(surrounding.look(place), logs)
        name = "" if suspect is None else suspect.container
        pieces = surrounding.tell(place, seen, name)
        looking = dependencies.look(
            place,
            surrounding.container_of(seen, name),
            surrounding.complaints(*reversed(said)),
            fields.labels(seen.template),
            seen.near,
            self._live,
        )
        found = await place.aside.ask("what it depends on", "what it depends on", looking)
        if found is None or found[0] is None:
            return pieces, proving.Proof()
        return [found[0], *pieces], found[1]

    async def _target(
        self, source: reader.Reader, subject: model.ResourceRef, told: gathering.Gathering
    ) -> model.Target | None:
        if subject.kind not in WORKLOAD_KINDS:
            return None
        return await told.ask("the workload and its revisions", source.read_target(model.RolloutRestart(subject)))

    async def _owner_events(
        self, source: reader.Reader, subject: model.ResourceRef, told: gathering.Gathering
    ) -> Sequence[model.Json] | None:
        """A registry is no object of the API: nothing is told about it there."""
        if subject.kind == "Registry":
            return None
        return await told.ask("events of the owner", source.events(subject))

    async def _failed_run(
        self, source: reader.Reader, problem: model.Problem, told: gathering.Gathering
    ) -> telling.Suspect | None:
        """The newest pod of a failed Job, where it was not cleaned up yet."""
        job = problem.primary.resource
        if job.kind != "Job":
            return None
        reading = source.list_json("pods", job.namespace, f"job-name={job.name}")
        pods = await told.ask("the pods of the Job", reading) or ()
        told.prove(proving.of_run(problem, pods))
        return telling.newest(pods)

    async def _pod_events(
        self,
        source: reader.Reader,
        problem: model.Problem,
        suspect: telling.Suspect | None,
        told: gathering.Gathering,
    ) -> Sequence[model.Json] | None:
        if suspect is None or suspect.pod.same(problem.subject):
            return None
        return await told.ask("events of the pod", source.events(suspect.pod))


@dataclass(frozen=True, slots=True)
class _Beside:
    """What no rule rests on, and what it proves all the same."""

    pieces: Sequence[gathering.Piece]
    proof: proving.Proof
