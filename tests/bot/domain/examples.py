"""Values that the tests of the domain start from, each complete and easy to vary."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import cards, incidents, proposals
from k8s import model

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
POD = model.ResourceRef("Pod", "payments", "api-5d-x", "uid-pod")


def finding(kind: str = "CrashLoopBackOff", cause: str = "exit 1", **changes: Any) -> model.Finding:
    values: dict[str, Any] = {
        "kind": kind,
        "severity": "P1",
        "resource": POD,
        "owner": API,
        "message": f"Container app of pod {POD.name} shows {kind}.",
        "since": NOW - MINUTE,
        "cause": cause,
        "container": "app",
    }
    return model.Finding(**{**values, **changes})


def problem(*findings: model.Finding, subject: model.ResourceRef = API, **changes: Any) -> model.Problem:
    values: dict[str, Any] = {"severity": "P1", "ready": 0, "desired": 3}
    return model.Problem(subject, findings or (finding(),), **{**values, **changes})


def incident(**changes: Any) -> incidents.Incident:
    values: dict[str, Any] = {
        "id": 12,
        "fingerprint": "f",
        "episode": 1,
        "cluster": "prod",
        "subject": API,
        "kinds": ("CrashLoopBackOff",),
        "causes": ("CrashLoopBackOff:exit 1",),
        "severity": "P1",
        "state": "open",
        "headline": "Container app crashes.",
        "watch_id": 1,
        "channel": "C1",
        "since": NOW - MINUTE,
        "opened_at": NOW,
        "last_seen_at": NOW,
        "ready": 0,
        "desired": 3,
    }
    return incidents.Incident(**{**values, **changes})


def proposal(**changes: Any) -> proposals.Proposal:
    values: dict[str, Any] = {
        "id": 7,
        "incident_id": 12,
        "kind": "remedy",
        "undo_of": None,
        "action": model.RolloutUndo(API, 3),
        "planned_at": NOW,
        "operations": (),
        "pins": {},
        "digest": "d" * 64,
        "policy": "p" * 64,
        "kubectl": "kubectl -n payments rollout undo deployment/api --to-revision=3",
        "summary": "Puts revision 3 back.",
        "why": "it brings DB_URL back",
        "risk": "low",
        "blast": model.BlastRadius(3, 0, 3),
        "inverse": None,
        "irreversible": "",
        "diff": (),
        "warnings": (),
        "state": "proposed",
        "created_at": NOW,
        "expires_at": NOW + 15 * MINUTE,
    }
    return proposals.Proposal(**{**values, **changes})


def report(**changes: Any) -> cards.Report:
    values: dict[str, Any] = {"id": 1, "channel": "C1", "since": NOW - timedelta(days=1), "until": NOW}
    return cards.Report(**{**values, **changes})
