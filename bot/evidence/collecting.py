"""Collecting: everything about one problem that the cluster tells, in parallel, each source with its own time limit.

Implements `ports.Witness`. A source that does not answer is named in `Dossier.missing`; it never ends a diagnosis. All
text is redacted here, before it goes anywhere.

Facts for the rules: `container`, `error_line`, `missing_name`, `log` (current or previous), `rollout_revision`,
`rollout_previous`, `rollout_diff` (one change a line), `rollout_at` (RFC 3339), `healthy_revision`,
`scaled_from`, `scaled_to`, `room`, `room_never`, `kept_off`, and those of `proving`.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from bot.domain import diagnoses, ports
from bot.evidence import changing, logs, proving, room, telling
from k8s import changes_seen, fields, model, redact, workloads
from k8s.client import errors, reader

T = TypeVar("T")

SOURCE_SECONDS = 8.0
LOG_RETRIES = (0.5, 2.0)
"""Seconds after which a log that a node has just dropped is asked for again."""
LOG_LINES = 200
LOG_BYTES = 65_536
BODY_CHARACTERS = 6000

WORKLOAD_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


@dataclass(slots=True)
class _Gathering:
    """What has come in so far."""

    facts: dict[str, str] = field(default_factory=dict)
    pieces: list[diagnoses.Evidence] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Lines that are told with the state of the subject."""

    def prove(self, proof: proving.Proof) -> None:
        self.facts.update({name: redact.redact(text) for name, text in proof.facts.items()})
        self.notes += proof.lines

    def add(self, source: diagnoses.Source, title: str, body: str, *, cut: bool = False) -> None:
        if not body.strip():
            return
        text = redact.redact(body)
        cut = cut or len(text) > BODY_CHARACTERS
        self.pieces.append(
            diagnoses.Evidence(len(self.pieces) + 1, source, redact.redact(title), text[:BODY_CHARACTERS], cut)
        )


class Collector:
    """Collects from the readers of all clusters."""

    def __init__(
        self,
        readers: Callable[[str], Awaitable[reader.Reader]],
        clock: ports.Clock,
        *,
        log_lines: int = LOG_LINES,
        log_bytes: int = LOG_BYTES,
        seconds: float = SOURCE_SECONDS,
        secret_changes: bool = False,
    ) -> None:
        self._readers = readers
        self._clock = clock
        self._log_lines = log_lines
        self._log_bytes = log_bytes
        self._seconds = seconds
        self._secret_changes = secret_changes
        """Whether it is asked when Secrets were changed."""

    async def collect(self, cluster: str, problem: model.Problem) -> diagnoses.Dossier:
        """See `ports.Witness`."""
        gathering = _Gathering()
        try:
            source = await self._readers(cluster)
        except errors.ClusterError as error:
            return diagnoses.Dossier((), {}, None, (f"the cluster did not answer ({error.message})",))
        target, owner_events = await asyncio.gather(
            self._target(source, problem.subject, gathering),
            self._owner_events(source, problem.subject, gathering),
        )
        suspect = telling.suspect(problem, target) or await self._failed_run(source, problem, gathering)
        pod_events, current, previous, nodes, asked = await asyncio.gather(
            self._pod_events(source, problem, suspect, gathering),
            self._log(source, suspect, gathering, previous=False),
            self._log(source, suspect, gathering, previous=True),
            self._nodes(source, problem, gathering),
            changing.ask(source, problem, target, secrets=self._secret_changes, seconds=self._seconds),
        )
        placed = await self._placed(source, problem, nodes or (), gathering)
        now = self._clock()
        if target is not None:
            target = replace(target, revisions=asked.revisions)
        gathering.prove(proving.of_container(suspect))
        gathering.prove(proving.of_deletion(problem, telling.raw_pod(problem, target)))
        state = "\n".join((telling.status(problem, target, suspect), *gathering.notes))
        gathering.add("status", f"State of {problem.subject}", state)
        _tell_logs(gathering, suspect, current, previous, self._longer)
        events = telling.events([*(pod_events or ()), *(owner_events or ())], now)
        gathering.add("events", "Events, newest first", events)
        rollout = None if target is None else _tell_rollout(gathering, target, now)
        changes = changing.changes(asked, problem, target, _own(problem, nodes or ()), rollout)
        gathering.add("changes", changing.TITLE, changing.told(changes, asked.unread))
        gathering.missing += asked.missing
        gathering.facts.update(telling.scaling(owner_events or ()))
        _tell_nodes(gathering, problem, nodes or (), placed, target)
        missing = tuple(gathering.missing)
        return diagnoses.Dossier(tuple(gathering.pieces), gathering.facts, target, missing, changes)

    async def _target(
        self, source: reader.Reader, subject: model.ResourceRef, gathering: _Gathering
    ) -> model.Target | None:
        if subject.kind not in WORKLOAD_KINDS:
            return None
        reading = source.read_target(model.RolloutRestart(subject))
        return await self._ask(gathering, "the workload and its revisions", reading)

    async def _owner_events(
        self, source: reader.Reader, subject: model.ResourceRef, gathering: _Gathering
    ) -> Sequence[model.Json] | None:
        """A registry is no object of the API: nothing is told about it there."""
        if subject.kind == "Registry":
            return None
        return await self._ask(gathering, "events of the owner", source.events(subject))

    async def _failed_run(
        self, source: reader.Reader, problem: model.Problem, gathering: _Gathering
    ) -> "telling.Suspect | None":
        """The newest pod of a failed Job, where it was not cleaned up yet."""
        job = problem.primary.resource
        if job.kind != "Job":
            return None
        reading = source.list_json("pods", job.namespace, f"job-name={job.name}")
        pods = await self._ask(gathering, "the pods of the Job", reading) or ()
        gathering.prove(proving.of_run(problem, pods))
        return telling.newest(pods)

    async def _pod_events(
        self,
        source: reader.Reader,
        problem: model.Problem,
        suspect: "telling.Suspect | None",
        gathering: _Gathering,
    ) -> Sequence[model.Json] | None:
        if suspect is None or suspect.pod.same(problem.subject):
            return None
        return await self._ask(gathering, "events of the pod", source.events(suspect.pod))

    async def _log(
        self,
        source: reader.Reader,
        suspect: "telling.Suspect | None",
        gathering: _Gathering,
        *,
        previous: bool,
    ) -> str | None:
        """None where there is no such log: a container that never ran has none, and that is no gap."""
        if suspect is None or not suspect.container or (previous and not suspect.restarted) or not suspect.ran:
            return None
        reading = self._log_that_is_there(source, suspect, previous=previous)
        return await self._ask(
            gathering, f"the {'previous' if previous else 'current'} log", reading, (errors.Rejected,)
        )

    def _longer(self, log: str) -> bool:
        """Whether a log was most likely longer than what was read of it: the part of a line that comes first in a log
        that was cut by its bytes is left out of what was read."""
        return log.count("\n") >= self._log_lines or len(log) >= 0.75 * self._log_bytes

    async def _log_that_is_there(self, source: reader.Reader, suspect: "telling.Suspect", *, previous: bool) -> str:
        """A node drops the log of a dead container a moment before the pod's status names the next one."""
        reading = functools.partial(
            source.logs,
            suspect.pod.namespace,
            suspect.pod.name,
            suspect.container,
            previous=previous,
            tail_lines=self._log_lines,
            limit_bytes=self._log_bytes,
        )
        for pause in LOG_RETRIES:
            try:
                return await reading()
            except errors.NotFound:
                await asyncio.sleep(pause)
        return await reading()

    async def _nodes(
        self, source: reader.Reader, problem: model.Problem, gathering: _Gathering
    ) -> Sequence[model.Json] | None:
        if not (_placing(problem) or problem.primary.kind == "Unschedulable" or problem.subject.kind == "Node"):
            return None
        if problem.subject.kind == "Node":
            node = await self._ask(gathering, "the node", source.get(problem.subject))
            others = await self._beside(source, problem, gathering)
            return None if node is None else [node, *others]
        needless = () if problem.primary.kind == "Unschedulable" else (errors.Forbidden,)
        return await self._ask(gathering, "the nodes", source.list_json("nodes", None), needless)

    async def _beside(
        self, source: reader.Reader, problem: model.Problem, gathering: _Gathering
    ) -> Sequence[model.Json]:
        """The nodes besides the one that lacks something: whether they can take its pods."""
        if problem.primary.kind != "NodePressure":
            return ()
        found = await self._ask(gathering, "the other nodes", source.list_json("nodes", None), (errors.Forbidden,))
        return [node for node in found or () if fields.text(node, "metadata", "name") != problem.subject.name]

    async def _placed(
        self,
        source: reader.Reader,
        problem: model.Problem,
        nodes: Sequence[model.Json],
        gathering: _Gathering,
    ) -> dict[str, Sequence[model.Json]]:
        """Node name → the pods on it, of the nodes that are worth a look. Who may not list them knows no more than
        what a node can hold: that is no gap."""
        if problem.primary.kind == "NodePressure":
            names = [problem.subject.name]
        elif _placing(problem):
            names = [fields.text(node, "metadata", "name") for node in room.looked(nodes, problem)]
        else:
            return {}
        readings = (source.list_json("pods", None, field_selector=room.RUNNING.format(name=name)) for name in names)
        asked = [self._ask(gathering, "the pods on the nodes", reading, (errors.Forbidden,)) for reading in readings]
        found = await asyncio.gather(*asked)
        return {name: pods for name, pods in zip(names, found, strict=True) if pods is not None}

    async def _ask(
        self,
        gathering: _Gathering,
        what: str,
        reading: Awaitable[T],
        expected: tuple[type[errors.ClusterError], ...] = (),
    ) -> T | None:
        try:
            async with asyncio.timeout(self._seconds):
                return await reading
        except expected:
            return None
        except errors.ClusterError as error:
            gathering.missing.append(f"{what}: {redact.redact(error.message)}")
        except TimeoutError:
            gathering.missing.append(f"{what}: no answer within {self._seconds:g} s")
        return None


def _own(problem: model.Problem, nodes: Sequence[model.Json]) -> Sequence[model.Json]:
    """Nodes that may have brought the problem: the node itself, which comes first; all of them where none has room."""
    if problem.subject.kind == "Node":
        return nodes[:1]
    return nodes if problem.primary.kind == "Unschedulable" else ()


def _placing(problem: model.Problem) -> bool:
    """Whether it matters what the nodes have free."""
    facts = problem.primary.facts
    more = problem.primary.kind == "HPABroken" and facts.get("class") == "at-maximum"
    return more or (problem.primary.kind == "Unschedulable" and bool(facts.get("short")))


def _tell_nodes(
    gathering: _Gathering,
    problem: model.Problem,
    nodes: Sequence[model.Json],
    placed: room.Pods,
    target: model.Target | None,
) -> None:
    if problem.subject.kind == "Node":
        proof = proving.of_node(problem, nodes, placed)
        gathering.facts.update(proof.facts)
        body = [telling.node(nodes[0]), *proof.lines] if nodes else []
        gathering.add("scheduling", "Nodes and what they have", "\n".join(body))
        return
    gathering.add("scheduling", "Nodes and what they have", room.lines(nodes, placed, problem))
    if problem.primary.kind == "HPABroken":
        gathering.facts.update(proving.of_room(nodes, placed, target).facts)
    elif nodes:
        gathering.facts.update(room.facts(nodes, placed, problem, telling.raw_pod(problem, target)))


def _tell_logs(
    gathering: _Gathering,
    suspect: "telling.Suspect | None",
    current: str | None,
    previous: str | None,
    longer: Callable[[str], bool],
) -> None:
    """The log of the life that failed comes first: the previous one where the container was restarted."""
    if suspect is None:
        return
    gathering.facts["container"] = suspect.container
    for source, log in (("previous-log", previous), ("log", current)):
        if not log or not log.strip():
            continue
        clean = _clean(log)
        line = logs.telling_line(clean)
        if source == "log" and previous and clean.strip() == _clean(previous).strip():
            continue
        which = "before its last restart" if source == "previous-log" else "now"
        body, cut = logs.excerpt(clean)
        cut = cut or longer(log)
        title = f"Log of container {suspect.container} of pod {suspect.pod.name}, {which}"
        gathering.add("previous-log" if source == "previous-log" else "log", title, body, cut=cut)
        if line and "error_line" not in gathering.facts:
            gathering.facts["error_line"] = line
            gathering.facts["log"] = source
            if name := logs.missing_name(line):
                gathering.facts["missing_name"] = name


def _clean(log: str) -> str:
    return redact.redact(logs.without_torn_key(log))


def _tell_rollout(gathering: _Gathering, target: model.Target, now: datetime) -> changes_seen.Rollout | None:
    """What the last rollout changed. A Deployment keeps its revisions in ReplicaSets, others in ControllerRevisions."""
    if target.ref.kind == "Deployment":
        rollout = _of_deployment(gathering, target, now)
    else:
        rollout = _of_revisions(gathering, target, now)
    if rollout is None:
        return None
    facts = gathering.facts
    facts["rollout_revision"] = str(rollout.number)
    facts["rollout_previous"] = str(rollout.previous)
    changes = [redact.redact(line) for line in rollout.lines]
    facts["rollout_diff"] = "\n".join(changes)
    when = "at an unknown time"
    if rollout.created is not None:
        facts["rollout_at"] = rollout.created.isoformat()
        when = f"at {rollout.created:%Y-%m-%d %H:%M:%S} UTC"
    cause = f" ({rollout.change_cause})" if rollout.change_cause else ""
    body = "\n".join(changes) or "the pod template is the same"
    title = f"Change from revision {rollout.previous} to revision {rollout.number}, rolled out {when}{cause}"
    gathering.add("rollout", title, body)
    return rollout


def _of_revisions(gathering: _Gathering, target: model.Target, now: datetime) -> changes_seen.Rollout | None:
    """The last rollout of a StatefulSet or DaemonSet: from the newest revision that was healthy, where there is one."""
    rollout, current = changes_seen.by_revisions(target, target.revisions), workloads.current_revision(target)
    healthy = workloads.healthy_revision(target, now)
    if healthy is None:
        return rollout
    gathering.facts["healthy_revision"] = str(healthy.number)
    if rollout is None or current is None or current.number != rollout.number:
        return rollout
    lines = workloads.template_diff(healthy.template, current.template)
    return replace(rollout, previous=healthy.number, lines=lines)


def _of_deployment(gathering: _Gathering, target: model.Target, now: datetime) -> changes_seen.Rollout | None:
    """From the newest revision that was healthy, where there is one, else from the one before."""
    current = workloads.current_revision(target)
    if current is None:
        return None
    gathering.facts["rollout_revision"] = str(current.number)
    healthy = workloads.healthy_revision(target, now)
    if healthy is not None:
        gathering.facts["healthy_revision"] = str(healthy.number)
    earlier = [revision for revision in workloads.revisions(target) if revision.number < current.number]
    before = healthy or (earlier[-1] if earlier else None)
    if before is None:
        return None
    return changes_seen.Rollout(
        workload=target.ref,
        number=current.number,
        previous=before.number,
        lines=workloads.template_diff(before.template, current.template),
        created=None if _reused(target, current) else current.created,
        change_cause=current.change_cause,
    )


def _reused(target: model.Target, revision: workloads.Revision) -> bool:
    """Whether the ReplicaSet had another revision number before (a rollback): its age is not the rollout's then."""
    for replicaset in target.replicasets:
        metadata: Mapping[str, object] = replicaset.get("metadata") or {}
        if metadata.get("uid") == revision.holder.uid:
            annotations = metadata.get("annotations")
            return isinstance(annotations, dict) and bool(annotations.get(workloads.REVISION_HISTORY))
    return False
