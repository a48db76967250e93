"""WebhookBroken: an admission webhook that does not answer the API server. Called by `k8s.detection`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from k8s import model, phrases, serving, surroundings, symptoms

WEBHOOK_BROKEN = symptoms.KindInfo(
    kind="WebhookBroken",
    severity="P1",
    grace=timedelta(seconds=60),
    doc="https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#failure-policy",
    condition="an admission webhook has no Service, or none that answers",
    unless="P3 where its failure policy is Ignore",
)
KINDS = (WEBHOOK_BROKEN,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = (
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
    *serving.READS,
)

_Kind = Literal["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """One finding for each Service that a configuration calls and that does not answer.

    Folds into the workload behind the Service, where there is one. A webhook that is called by its address lies outside
    of what can be seen, and so does a Service in a namespace out of scope.
    """
    lists: tuple[tuple[_Kind, tuple[surroundings.WebhookConfiguration, ...]], ...] = (
        ("ValidatingWebhookConfiguration", tuple(snapshot.validatingwebhookconfigurations)),
        ("MutatingWebhookConfiguration", tuple(snapshot.mutatingwebhookconfigurations)),
    )
    if not any(items for _, items in lists) or not snapshot.saw(reads):
        return
    within = serving.Serving(snapshot, index)
    for kind, items in lists:
        for configuration in items:
            if not configuration.metadata.deletion_timestamp:
                yield from _configuration(kind, configuration, within, snapshot)


def _configuration(
    kind: _Kind, configuration: surroundings.WebhookConfiguration, within: serving.Serving, snapshot: model.Snapshot
) -> Iterator[model.Finding]:
    called: dict[tuple[str, str], list[surroundings.Webhook]] = {}
    for webhook in configuration.webhooks or ():
        target = webhook.client_config.service
        if target is not None and target.name and snapshot.scope.includes(target.namespace):
            called.setdefault((target.namespace, target.name), []).append(webhook)
    for (namespace, name), webhooks in called.items():
        service = within.service(namespace, name)
        backing = serving.Backing()
        if service is not None:
            if not within.selecting(service) or within.ready(service):
                continue
            backing = within.behind(service)
            if backing.serving:
                continue
        yield _finding(kind, configuration, webhooks, (namespace, name), service is None, backing, snapshot)


def _finding(
    kind: _Kind,
    configuration: surroundings.WebhookConfiguration,
    webhooks: list[surroundings.Webhook],
    target: tuple[str, str],
    absent: bool,
    backing: serving.Backing,
    snapshot: model.Snapshot,
) -> model.Finding:
    fails = any(webhook.failure_policy != "Ignore" for webhook in webhooks)
    service = f"{target[0]}/{target[1]}"
    what = f"its Service {service} {'does not exist' if absent else 'has no ready endpoint'}"
    effect = "what it is asked about is refused" if fails else "requests pass unchecked (failurePolicy Ignore)"
    ref = symptoms.reference(kind, configuration.metadata)
    first = min(webhook.name for webhook in webhooks)
    more = f" and {len(webhooks) - 1} more" if len(webhooks) > 1 else ""
    since = max((since for pod in backing.pods if (since := symptoms.unready_since(pod)) is not None), default=None)
    facts = {
        "class": "no-service" if absent else "not-ready",
        "service": service,
        "policy": "Fail" if fails else "Ignore",
        "webhooks": phrases.clip(", ".join(sorted(webhook.name for webhook in webhooks))),
    }
    return model.Finding(
        kind=WEBHOOK_BROKEN.kind,
        severity=WEBHOOK_BROKEN.severity if fails else "P3",
        resource=ref,
        owner=backing.owner or ref,
        message=f"Webhook {phrases.clip(first)}{more} of {kind} {ref.name} does not answer: {what}, so {effect}.",
        since=symptoms.earliest(snapshot.taken_at, since),
        cause=f"{ref.name}: {service} {'missing' if absent else 'not ready'}",
        grace=WEBHOOK_BROKEN.grace,
        facts={name: text for name, text in facts.items() if text},
    )
