"""ServiceNoEndpoints: a Service behind which nothing answers. Called by `k8s.detection`."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import model, phrases, serving, surroundings, symptoms

SERVICE_NO_ENDPOINTS = symptoms.KindInfo(
    kind="ServiceNoEndpoints",
    severity="P1",
    grace=timedelta(seconds=120),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-the-service-have-any-endpointslices",
    condition="a Service has no ready endpoint",
    unless="P2 where its selector matches nothing and no Ingress leads to it",
)
KINDS = (SERVICE_NO_ENDPOINTS,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = serving.READS


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: `not-ready` (pods are behind it), `no-pods` (a workload is), or `no-match` (nothing is).

    Folds into the workload behind it, where there is one. Silent unless all lists that it rests on were seen whole.
    """
    if not snapshot.saw(reads):
        return
    within = serving.Serving(snapshot, index)
    for service in snapshot.services:
        if not within.selecting(service) or within.ready(service):
            continue
        backing = within.behind(service)
        if backing.resting or backing.serving:
            continue
        if backing.owner is None:
            yield _unmatched(service, within, snapshot)
        else:
            yield _unready(service, backing, backing.owner, snapshot)


def _unready(
    service: surroundings.Service, backing: serving.Backing, owner: model.ResourceRef, snapshot: model.Snapshot
) -> model.Finding:
    pods = len(backing.pods)
    told = f"none of the {pods} pods" if pods > 1 else "the one pod"
    told = f"{told} of {owner.kind} {owner.name} {'is' if pods > 1 else 'is not'} ready"
    if not pods:
        told = f"{owner.kind} {owner.name} has no pods"
    since = max((since for pod in backing.pods if (since := symptoms.unready_since(pod)) is not None), default=None)
    return _finding(
        service,
        owner=owner,
        # The last pod that went away took the Service with it. Pods that are gone tell no time.
        since=symptoms.earliest(snapshot.taken_at, since),
        told=told,
        cause="not ready" if pods else "no pods",
        facts={"class": "not-ready" if pods else "no-pods", "matched": str(pods)},
    )


def _unmatched(service: surroundings.Service, within: serving.Serving, snapshot: model.Snapshot) -> model.Finding:
    selector = phrases.clip(",".join(f"{key}={value}" for key, value in sorted((service.spec.selector or {}).items())))
    nearest = within.nearest(service)
    near, number = nearest if nearest is not None else ("", 0)
    hint = f"; {phrases.clip(near)} would match {phrases.counted(number, 'pod')}" if near else ""
    return _finding(
        service,
        owner=symptoms.reference("Service", service.metadata),
        since=snapshot.taken_at,
        told=f"its selector {selector} matches no pod{hint}",
        cause=f"{selector} matches nothing",
        facts={
            "class": "no-match",
            "matched": "0",
            "selector": selector,
            "nearest": phrases.clip(near),
            "nearest_pods": str(number) if near else "",
        },
        severity="P1" if (service.metadata.namespace, service.metadata.name) in within.led_to else "P2",
    )


def _finding(
    service: surroundings.Service,
    *,
    owner: model.ResourceRef,
    since: datetime,
    told: str,
    cause: str,
    facts: dict[str, str],
    severity: model.Severity | None = None,
) -> model.Finding:
    name = service.metadata.name
    return model.Finding(
        kind=SERVICE_NO_ENDPOINTS.kind,
        severity=severity or SERVICE_NO_ENDPOINTS.severity,
        resource=symptoms.reference("Service", service.metadata),
        owner=owner,
        message=f"Service {name} has no ready endpoint: {told}.",
        since=since,
        # One workload may have several Services: each is told.
        cause=f"{name}: {cause}",
        grace=SERVICE_NO_ENDPOINTS.grace,
        facts={key: text for key, text in (facts | {"service": name}).items() if text},
    )
