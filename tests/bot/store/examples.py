"""Values that the tests of the store put in, each complete and easy to vary."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import audit, diagnoses, incidents, ports, proposals, watches
from bot.store import engine
from k8s import model

NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

WORKLOAD = model.ResourceRef("Deployment", "payments", "api", "uid-api")
PERMIT = model.Permit("1", "d" * 64, "p" * 64, ("U1",), NOW, NOW + MINUTE)
DONE = model.Outcome("succeeded", "rolled back to revision 3", {"metadata": {"name": "api"}, "spec": {"replicas": 3}})


def new_watch(name: str = "prod", **changes: Any) -> watches.NewWatch:
    values: dict[str, Any] = {
        "name": name,
        "cluster": "prod-eu",
        "scope": model.Scope(("payments", "web-*"), ("web-test",)),
        "cron": "*/5 * * * *",
        "timezone": "Europe/Berlin",
        "channel": "C1",
        "mode": "approve",
        "created_by": "U1",
    }
    return watches.NewWatch(**{**values, **changes})


def incident(**changes: Any) -> incidents.Incident:
    values: dict[str, Any] = {
        "id": 0,
        "fingerprint": "f1",
        "episode": 1,
        "cluster": "prod-eu",
        "subject": WORKLOAD,
        "kinds": ("CrashLoopBackOff", "NotReady"),
        "causes": ("CrashLoopBackOff:exit 1", "NotReady:probe"),
        "severity": "P1",
        "state": "open",
        "headline": "payments/api is crash-looping",
        "watch_id": 1,
        "channel": "C1",
        "since": NOW - MINUTE,
        "opened_at": NOW,
        "last_seen_at": NOW,
        "ready": 0,
        "desired": 3,
        "diagnosis_wanted": True,
    }
    return incidents.Incident(**{**values, **changes})


def proposal(incident_id: int = 1, **changes: Any) -> proposals.Proposal:
    action = model.RolloutUndo(WORKLOAD, 3)
    values: dict[str, Any] = {
        "id": 0,
        "incident_id": incident_id,
        "kind": "remedy",
        "undo_of": None,
        "action": action,
        "planned_at": NOW,
        "operations": (
            model.Operation(
                "patch", WORKLOAD, "json", [{"op": "replace", "path": "/spec/template", "value": {"a": 1}}]
            ),
            model.Operation("scale", WORKLOAD, None, {"spec": {"replicas": 3}}),
        ),
        "pins": {"revision": "4", "template": "abc"},
        "digest": "d" * 64,
        "policy": "p" * 64,
        "kubectl": "kubectl -n payments rollout undo deployment/api --to-revision=3",
        "summary": "Puts revision 3 back.",
        "why": "it brings DB_URL back",
        "risk": "low",
        "blast": model.BlastRadius(3, 0, 3, 1, "one at a time"),
        "inverse": model.RolloutUndo(WORKLOAD, 4),
        "irreversible": "",
        "diff": ("- image: web:1.5", "+ image: web:1.4"),
        "warnings": ("managed by Helm",),
        "state": "proposed",
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=15),
    }
    return proposals.Proposal(**{**values, **changes})


def event(tag: str = "incident:opened", chain: str = "prod-eu", **changes: Any) -> audit.Event:
    values: dict[str, Any] = {"actor": "watchkeeper", "at": NOW, "incident_id": 1, "data": {"n": 1}}
    return audit.Event(tag, chain, **{**values, **changes})


def diagnosis(**changes: Any) -> diagnoses.Diagnosis:
    values: dict[str, Any] = {
        "cause": "exit 1: KeyError 'DB_URL' [E1]; the last rollout removed it [E2].",
        "cites": (1, 2),
        "confidence": "high",
        "reason": "the log names what is missing",
        "next_step": "Put DB_URL back.",
        "candidates": (diagnoses.Candidate(model.RolloutUndo(WORKLOAD, 3), "it brings DB_URL back"),),
        "missing": ("events: forbidden",),
    }
    return diagnoses.Diagnosis(**{**values, **changes})


EVIDENCE = (
    diagnoses.Evidence(1, "previous-log", "last words", "KeyError: 'DB_URL'", cut=True),
    diagnoses.Evidence(2, "rollout", "revision 4", "- env DB_URL"),
)


def finding(resource: str = "api-1", cause: str = "exit 1", **changes: Any) -> model.Finding:
    values: dict[str, Any] = {
        "kind": "CrashLoopBackOff",
        "severity": "P1",
        "resource": model.ResourceRef("Pod", "payments", resource),
        "owner": WORKLOAD,
        "message": "container web keeps crashing",
        "since": NOW - HOUR,
        "cause": cause,
    }
    return model.Finding(**{**values, **changes})


def problem(*findings: model.Finding, subject: model.ResourceRef = WORKLOAD) -> model.Problem:
    return model.Problem(subject, findings or (finding(),), "P1")


async def watched(store: engine.Database, **changes: Any) -> watches.Watch:
    """A stored watch."""
    async with store.begin() as tx:
        added = await tx.watches.add(new_watch(**changes), NOW)
    assert added is not None
    return added


async def opened(store: engine.Database, **changes: Any) -> incidents.Incident:
    """A stored incident, of the first watch, which is made where there is none."""
    async with store.begin() as tx:
        known = await tx.watches.all()
    watch = known[0] if known else await watched(store)
    async with store.begin() as tx:
        kept = await tx.incidents.open(incident(**{"watch_id": watch.id, **changes}))
    assert kept is not None
    return kept


async def proposed(store: engine.Database, incident_id: int | None = None, **changes: Any) -> proposals.Proposal:
    """A stored proposal, of a new incident where none is named."""
    about = (await opened(store)).id if incident_id is None else incident_id
    async with store.begin() as tx:
        return await tx.proposals.add(proposal(about, **changes))


async def queued(store: engine.Database, **changes: Any) -> proposals.Execution:
    """A stored execution of an approved proposal."""
    row = await proposed(store, **changes)
    async with store.begin() as tx:
        assert await tx.proposals.move(row.id, "proposed", "approved", NOW)
        await tx.proposals.decide(proposals.Decision(row.id, "U1", "approve", "", NOW))
        return await tx.executions.queue(row.id, PERMIT, NOW)


async def view(
    store: engine.Database, owner: str = "a", now: datetime = NOW, lease: timedelta = LEASE
) -> ports.View | None:
    async with store.begin() as tx:
        return await tx.views.claim(owner, now, lease)
