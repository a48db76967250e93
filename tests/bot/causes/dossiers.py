"""A problem of a workload and its dossier, for the tests of diagnosis: `d.problem("OOMKilled")`, `d.dossier("log")`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.domain import diagnoses
from k8s import model

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=4)
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
POD = model.ResourceRef("Pod", "payments", "api-5d-x", "uid-pod")
NO_FACTS: Mapping[str, str] = {}


def problem(
    kind: str,
    *,
    ready: int | None = 0,
    subject: model.ResourceRef = API,
    facts: Mapping[str, str] = NO_FACTS,
) -> model.Problem:
    finding = model.Finding(
        kind=kind,
        severity="P1",
        resource=POD,
        owner=subject,
        message=f"Container app of pod api-5d-x shows {kind}.",
        since=BEGAN,
        cause="x",
        container="app",
        facts=facts,
    )
    return model.Problem(subject, (finding,), "P1", ready, 3)


def dossier(
    *sources: diagnoses.Source, missing: tuple[str, ...] = (), facts: Mapping[str, str] = NO_FACTS
) -> diagnoses.Dossier:
    evidence = tuple(
        diagnoses.Evidence(number, source, source, f"body of {source}") for number, source in enumerate(sources, 1)
    )
    return diagnoses.Dossier(evidence, facts, None, missing)


def rolled_out(diff: str, *, healthy: str = "3", ago: timedelta = timedelta(minutes=10)) -> dict[str, str]:
    facts = {"rollout_revision": "4", "rollout_previous": "3", "rollout_diff": diff}
    facts["rollout_at"] = (NOW - ago).isoformat()
    return facts | ({"healthy_revision": healthy} if healthy else {})


def actions(found: diagnoses.Diagnosis) -> list[model.Action]:
    return [candidate.action for candidate in found.candidates]
