"""Running cases: a cluster is made, looked at, and diagnosed by the very code that does so for an incident.

Called by `evals.__main__` and the tests. What is judged sees the cluster through its API alone.
"""

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot import clusters
from bot.domain import diagnoses, incidents
from bot.evidence import collecting, refuting
from bot.flow import diagnosing
from demo.cluster import SimulatedCluster
from evals import values
from k8s import detection, model
from k8s.client import connection

CLUSTER = "eval"
Eyes = clusters.Clusters


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def eyes_on(case: values.Case) -> AsyncIterator[clusters.Clusters]:
    """The cluster of a case, through the product's own eyes."""
    async with SimulatedCluster(case.pieces) as cluster:
        with tempfile.TemporaryDirectory() as folder:
            kubeconfig = cluster.write_kubeconfig(Path(folder) / "kubeconfig")
            access = connection.ClusterAccess(CLUSTER, kubeconfig, "demo")
            eyes = clusters.Clusters([access], now, time.monotonic)
            try:
                yield eyes
            finally:
                await eyes.close()


@asynccontextmanager
async def seen(case: values.Case) -> AsyncIterator[tuple[Eyes, values.Examined]]:
    """What the product finds and collects, while the cluster is still there; without a problem where it finds none of
    this kind and subject."""
    async with eyes_on(case) as eyes:
        shown = await eyes.look(CLUSTER, model.Scope())
        if case.learnt is not None:
            shown = replace(shown, past=case.learnt(shown))
        problem = found(case, shown)
        if problem is None:
            yield eyes, values.Examined(case, None)
            return
        dossier = await collecting.Collector(eyes.reader, now, record=_record(case)).collect(CLUSTER, problem)
        yield eyes, values.Examined(case, problem, dossier)


def _record(case: values.Case) -> refuting.Record:
    async def incidents_of(cluster: str, subject: model.ResourceRef) -> Sequence[incidents.Incident]:
        return [_incident(one, number, cluster, subject) for number, one in enumerate(case.record, start=1)]

    return incidents_of


def _incident(one: values.Earlier, number: int, cluster: str, subject: model.ResourceRef) -> incidents.Incident:
    began, over = (now() - timedelta(hours=hours) for hours in (one.began, one.over))
    return incidents.Incident(
        id=number,
        fingerprint="",
        episode=1,
        cluster=cluster,
        subject=subject,
        kinds=one.kinds,
        causes=(),
        severity="P2",
        state="resolved" if one.over else "open",
        headline="",
        watch_id=1,
        channel="",
        since=began,
        opened_at=began,
        last_seen_at=over,
        resolved_at=over if one.over else None,
    )


async def examined(case: values.Case) -> values.Examined:
    """As `seen`, for who does not look again."""
    async with seen(case) as (_, found_there):
        return found_there


def found(case: values.Case, seen: model.Snapshot) -> model.Problem | None:
    """The problem that the case is about."""
    problems = detection.detect(seen, detection.Options(enabled=frozenset({case.kind}))).problems
    return next((one for one in problems if case.subject in ("", one.subject.name) and case.kind in one.kinds), None)


Diagnose = Callable[[model.Problem, diagnoses.Dossier, datetime], diagnoses.Diagnosis]


def by_rules(examined: values.Examined, diagnose: Diagnose = diagnosing.diagnose) -> values.Answer | None:
    """What the rules say."""
    if examined.problem is None:
        return None
    said = diagnose(examined.problem, examined.dossier, now())
    return values.Answer(
        cause=said.cause,
        kind=said.kind,
        confidence=said.confidence,
        actions=tuple(model.name_of(candidate.action) for candidate in said.candidates),
        cited=tuple(piece for piece in examined.dossier.evidence if piece.number in said.cites),
    )
