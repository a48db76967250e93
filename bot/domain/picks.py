"""What of an incident's subject an action could be about: its pods, earlier revisions, Jobs, taints, kinds of failure.

Each pick is one whole action, with the words by which a person knows it. Pure, over one fresh read; used by
`bot.domain.choices`, which offers only those that nothing speaks against.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from bot.domain import edits
from k8s import catalogue, commands, drains, earlier, fields, indexing, jobs, model, policy, workloads

_TOKEN = 24


@dataclass(frozen=True, slots=True)
class Sight:
    """The subject of an incident and what belongs to it, read fresh (`ports.Eyes.around`)."""

    target: model.Target
    """With its revisions and pods; in `extras` the Jobs of a CronJob, and nodes where they matter."""
    failures: tuple[str, ...]
    """Kinds of failure that the incident is about."""
    now: datetime
    cluster: str = ""
    rules: policy.Policy = field(default_factory=policy.Policy)
    """Whose list of commands is what may be run in a container."""

    @property
    def subject(self) -> model.ResourceRef:
        return self.target.ref

    @property
    def object(self) -> model.Json:
        return self.target.object or {}


@dataclass(frozen=True, slots=True)
class Pick:
    action: model.Action
    label: str = ""
    """Raw: which of several this is."""

    @property
    def token(self) -> str:
        """Names exactly this action in a menu, whose values are short: what was chosen is what is proposed, or it is
        not found again."""
        return hashlib.sha256(msgspec.json.encode(self.action)).hexdigest()[:_TOKEN]


Picks = Callable[[Sight], Iterator[Pick]]


def aimed(seen: Sight, action: model.Action) -> model.Target:
    """The same read, as the remedy of this action looks at it: its own object first, the workload as the owner."""
    needs = catalogue.remedy_for(action).needs(action)
    target = seen.target
    here = (target.object, *target.pods, *target.autoscalers, *target.extras)
    found = next((obj for obj in here if obj is not None and fields.uid(obj) == needs.object.uid), None)
    return replace(target, ref=needs.object, object=found, owner=None if needs.owner is None else target.object)


def against(seen: Sight, action: model.Action) -> tuple[str, ...]:
    """What speaks against it as far as this read tells: sentences. The proposal is worked out on a read of its own."""
    return catalogue.problems(action, aimed(seen, action))


# --- pods


def deleted(seen: Sight) -> Iterator[Pick]:
    for pod, ref in _pods(seen):
        yield Pick(model.DeletePod(ref, seen.subject), _pod_label(pod))


def evicted(seen: Sight) -> Iterator[Pick]:
    for pod, ref in _pods(seen):
        yield Pick(model.EvictPod(ref, seen.subject), _pod_label(pod))


def forced(seen: Sight) -> Iterator[Pick]:
    for pod, ref in _pods(seen):
        node = fields.text(pod, "spec", "nodeName")
        if node:
            yield Pick(model.ForceDeletePod(ref, seen.subject, node), _pod_label(pod))


def on_nodes(seen: Sight) -> Iterator[Pick]:
    for pod, ref in _pods(seen):
        node = fields.text(pod, "spec", "nodeName")
        if node:
            yield Pick(model.RestartOnNode(seen.subject, ref, node), f"{node} · {_pod_state(pod)}")


def run(seen: Sight) -> Iterator[Pick]:
    """What the policy lists for this place, in each container that it may be run in."""
    listed = {each.name: each for one in seen.rules.commands for each in one.entries}
    for pod, ref in _pods(seen):
        for container in map(_name_of, fields.items(pod, "spec", "containers")):
            for name, entry in sorted(listed.items()):
                argv = commands.words(entry.line)
                action = model.ExecCommand(ref, seen.subject, container, name, argv, entry.seconds)
                if not commands.refusals(seen.rules, action, seen.cluster):
                    yield Pick(action, f"{name} · {_name(pod)} · {container}")


def _name_of(container: model.Json) -> str:
    return fields.text(container, "name")


def _pods(seen: Sight) -> Iterator[tuple[model.Json, model.ResourceRef]]:
    """Those that are not ready first: they are what it is about."""
    for pod in sorted(seen.target.pods, key=lambda each: (workloads.pod_ready(each), _name(each))):
        yield pod, workloads.reference(pod, "Pod")


def _pod_label(pod: model.Json) -> str:
    return f"{_name(pod)} · {_pod_state(pod)}"


def _pod_state(pod: model.Json) -> str:
    """As `kubectl get pods` says it."""
    if fields.deleting(pod):
        return "Terminating"
    if workloads.pod_ready(pod):
        return "ready"
    statuses = fields.items(pod, "status", "containerStatuses")
    waiting = (fields.text(each, "state", "waiting", "reason") for each in statuses)
    said = next(filter(None, waiting), "") or fields.text(pod, "status", "reason")
    phase = fields.text(pod, "status", "phase") or "Unknown"
    return said or (f"{phase}, not ready" if phase == "Running" else phase)


# --- what ran before


def revisions(seen: Sight) -> Iterator[Pick]:
    for choice in edits.revisions(seen.target):
        yield Pick(model.RolloutUndo(seen.subject, int(choice.value)), choice.label)


def images(seen: Sight) -> Iterator[Pick]:
    for container in containers(seen):
        ran = earlier.images(seen.target, container)
        by_revision = {str(one.revision): one.best for one in ran}
        for choice in edits.images(ran):
            action = model.SetImage(seen.subject, container, by_revision[choice.value])
            yield Pick(action, f"{container}: {choice.label}")


def put_back(seen: Sight) -> Iterator[Pick]:
    """Each variable that was another one before, or is not there now, as the newest revision with that had it."""
    for container in containers(seen):
        known: set[tuple[str, bytes]] = set()
        for revision in earlier.revisions(seen.target):
            for variable in _variables(revision.template, container):
                entry = msgspec.json.encode(earlier.variable(revision.template, container, variable))
                if (variable, entry) not in known:
                    known.add((variable, entry))
                    action = model.SetEnv(seen.subject, container, variable, revision.number)
                    yield Pick(action, f"{container}: {variable} · as in revision {revision.number}")


def taken_away(seen: Sight) -> Iterator[Pick]:
    """Each variable that some earlier revision did not have."""
    now = workloads.template(seen.object)
    for container in containers(seen):
        for variable in _variables(now, container):
            for revision in earlier.revisions(seen.target):
                here = earlier.container(revision.template, container)
                if here and not earlier.variable(revision.template, container, variable):
                    action = model.UnsetEnv(seen.subject, container, variable, revision.number)
                    yield Pick(action, f"{container}: {variable} · not in revision {revision.number}")
                    break


def containers(seen: Sight) -> tuple[str, ...]:
    """Their names, those that serve before those that initialise."""
    spec = fields.mapping(workloads.template(seen.object), "spec")
    listed = (*fields.items(spec, "containers"), *fields.items(spec, "initContainers"))
    return tuple(filter(None, (fields.text(each, "name") for each in listed)))


def _variables(template: model.Json, container: str) -> tuple[str, ...]:
    listed = fields.items(earlier.container(template, container), "env")
    return tuple(dict.fromkeys(filter(None, (fields.text(each, "name") for each in listed))))


# --- Jobs, nodes, and the rest


def jobs_deleted(seen: Sight) -> Iterator[Pick]:
    for job, ref in _jobs(seen):
        yield Pick(model.DeleteJob(ref, seen.subject), f"{_name(job)} · {jobs.why(job)}")


def jobs_again(seen: Sight) -> Iterator[Pick]:
    for job, ref in _jobs(seen):
        yield Pick(model.RerunJob(ref, seen.subject), f"{_name(job)} · {jobs.why(job)}")


def _jobs(seen: Sight) -> Iterator[tuple[model.Json, model.ResourceRef]]:
    """Those that failed, newest first; the subject itself where it is a Job."""
    if seen.subject.kind == "Job":
        yield seen.object, seen.subject
        return
    here = [each for each in seen.target.extras if each.get("kind") == "Job" and jobs.ended(each) == "failed"]
    for job in sorted(here, key=lambda each: fields.text(each, "metadata", "creationTimestamp"), reverse=True):
        yield job, workloads.reference(job, "Job")


def finalizers(seen: Sight) -> Iterator[Pick]:
    """Of the subject, its pods and its Jobs, where they wait to be gone."""
    subject = (seen.subject, seen.object)
    pods = ((workloads.reference(pod, "Pod"), pod) for pod in seen.target.pods)
    made = ((workloads.reference(job, "Job"), job) for job in seen.target.extras if job.get("kind") == "Job")
    for ref, obj in (subject, *pods, *made):
        waits = fields.value(obj, "metadata", "finalizers") if fields.deleting(obj) else None
        for each in waits if isinstance(waits, list) else ():
            yield Pick(model.RemoveFinalizer(ref, seen.subject, str(each)), f"{each} · of {ref.kind} {ref.name}")


def drain(seen: Sight) -> Iterator[Pick]:
    yield Pick(drains.made(seen.object, seen.target.pods))


def taints(seen: Sight) -> Iterator[Pick]:
    for taint in fields.items(seen.object, "spec", "taints"):
        key, effect = fields.text(taint, "key"), fields.text(taint, "effect")
        yield Pick(model.RemoveTaint(seen.subject, key, effect), f"{key} · {effect}")


def mutes(seen: Sight) -> Iterator[Pick]:
    """Each kind that the incident is about, beside what is muted already; and to hear of everything again."""
    marked = fields.annotations(seen.object).get(indexing.IGNORE, "")
    before = set(marked.split(",")) if marked else set()
    for kind in seen.failures:
        yield Pick(model.AnnotateMute(seen.subject, tuple(sorted({*before, kind}))), f"Mute {kind}")
    if before:
        yield Pick(model.AnnotateMute(seen.subject, ()), f"Lift the mute of {', '.join(sorted(before))}")


def _name(obj: model.Json) -> str:
    return fields.text(obj, "metadata", "name")
