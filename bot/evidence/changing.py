"""Changing: what was changed before a problem began, as far as a cluster records it.

Called by `collecting`. Of ConfigMaps and Secrets nothing but metadata is ever asked for; of Secrets, not even that
unless the installation says so. What the identity may not read is named in `Asked.unread`, and the rest goes on.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from bot.evidence import telling
from k8s import changes_before, changes_seen, fields, model, redact, references, workloads
from k8s.client import errors, reader, selectors

T = TypeVar("T")

REFERENCES = 12
"""ConfigMaps and Secrets that are asked about for one problem at most: those of the failing container first."""
TITLE = f"Changes in the {changes_before.WINDOW.total_seconds() / 3600:.0f} h before the first failure, likeliest first"

_REVISED = frozenset({"StatefulSet", "DaemonSet"})
_RUNNING = frozenset({"Pod", "Job"})


@dataclass(slots=True)
class Asked:
    """What the cluster answered."""

    configured: list[changes_before.Change] = field(default_factory=list)
    """Of the ConfigMaps and Secrets."""
    revisions: tuple[model.Json, ...] = ()
    """ControllerRevisions."""
    nodes: tuple[model.Json, ...] = ()
    started: datetime | None = None
    """When the failing pod was made."""
    unread: set[str] = field(default_factory=set)
    """What may not be read (`ConfigMaps`)."""
    missing: list[str] = field(default_factory=list)
    """What did not answer, one sentence each."""


async def ask(
    source: reader.Reader, problem: model.Problem, target: model.Target | None, *, secrets: bool, seconds: float
) -> Asked:
    """Everything that is not read anyway. Never raises for a source that does not answer."""
    asked = Asked()
    shown = problem.primary.resource
    template = workloads.template((target.object if target is not None else None) or {})
    pod = telling.raw_pod(problem, target)
    if not template and shown.kind in _RUNNING:
        found = await _ask(asked, f"the {shown.kind}", "", source.get(shown), seconds) or {}
        template, pod = (found, found) if shown.kind == "Pod" else (workloads.template(found), {})
    asked.started = fields.moment(pod, "metadata", "creationTimestamp")
    await asyncio.gather(
        _references(asked, source, problem, template, secrets=secrets, seconds=seconds),
        _revisions(asked, source, target, seconds),
        _node(asked, source, problem, seconds),
    )
    return asked


async def _references(
    asked: Asked,
    source: reader.Reader,
    problem: model.Problem,
    template: model.Json,
    *,
    secrets: bool,
    seconds: float,
) -> None:
    container, namespace = problem.primary.container, problem.primary.resource.namespace
    used = [each for each in references.of(template) if secrets or each.kind == "ConfigMap"]
    used.sort(key=lambda each: bool(each.containers) and container not in each.containers)

    async def one(reference: references.Reference) -> None:
        ref = model.ResourceRef(reference.kind, namespace, reference.name)
        what = f"the metadata of {reference.kind} {ref.short}"
        found = await _ask(asked, what, f"{reference.kind}s", source.metadata(ref), seconds)
        change = changes_seen.reconfigured(found, reference, namespace) if found is not None else None
        if change is not None:
            asked.configured.append(change)

    await asyncio.gather(*map(one, used[:REFERENCES]))


async def _revisions(asked: Asked, source: reader.Reader, target: model.Target | None, seconds: float) -> None:
    if target is None or target.object is None or target.ref.kind not in _REVISED:
        return
    chosen = selectors.query(fields.mapping(target.object, "spec", "selector"))
    reading = source.list_json("controllerrevisions", target.ref.namespace, chosen)
    asked.revisions = tuple(await _ask(asked, "the revisions", "ControllerRevisions", reading, seconds) or ())


async def _node(asked: Asked, source: reader.Reader, problem: model.Problem, seconds: float) -> None:
    """Who may not read nodes is told nothing of them: a watch of some namespaces has no business there."""
    name = problem.primary.node
    if not name or problem.subject.kind == "Node":
        return
    node = await _ask(asked, f"node {name}", "", source.get(model.ResourceRef("Node", "", name)), seconds)
    asked.nodes = () if node is None else (node,)


async def _ask(asked: Asked, what: str, plural: str, reading: Awaitable[T], seconds: float) -> T | None:
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except errors.NotFound:
        return None
    except errors.Forbidden:
        asked.unread.update({plural} - {""})
    except errors.ClusterError as error:
        asked.missing.append(f"{what}: {redact.redact(error.message)}")
    except TimeoutError:
        asked.missing.append(f"{what}: no answer within {seconds:g} s")
    return None


# --- what comes of it -------------------------------------------------------------------------------------------------


def changes(
    asked: Asked,
    problem: model.Problem,
    target: model.Target | None,
    nodes: Sequence[model.Json],
    rollout: changes_seen.Rollout | None,
) -> tuple[changes_before.Change, ...]:
    """The changes before the problem began, the likeliest first, redacted."""
    found = [*asked.configured, *changes_seen.nodes((*nodes, *asked.nodes), problem.subject)]
    if target is not None:
        found += _of_workload(target, rollout)
    ranked = changes_before.likeliest(found, problem, started=asked.started)
    return tuple(
        replace(
            change,
            what=redact.redact(change.what),
            detail=redact.redact(change.detail),
            by=redact.redact(change.by),
        )
        for change in ranked
    )


def _of_workload(target: model.Target, rollout: changes_seen.Rollout | None) -> Iterator[changes_before.Change]:
    rolled = None if rollout is None else changes_seen.rolled_out(rollout, target.object)
    for change in (rolled, changes_seen.created(target), changes_seen.rescaled(target)):
        if change is not None:
            yield change
    yield from changes_seen.autoscaled(target)


def told(found: Sequence[changes_before.Change], unread: set[str]) -> str:
    """The body of the evidence: the likely changes, and what of them could not be seen. Empty where there are none but
    a rollout of which nothing more is known than its own evidence tells."""
    likely = [change for change in found if change.fits or change.direct]
    lines = [changes_before.told(likely)] if any(change.kind != "rollout" or change.by for change in likely) else []
    if unread:
        lines.append(f"Whether {' and '.join(sorted(unread))} were changed is not known: the bot may not read them.")
    return "\n".join(lines)
