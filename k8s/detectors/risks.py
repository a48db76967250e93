"""Risk: what will hurt one day, though nothing is broken yet. Called by `k8s.detection`, where a person turned it on.

A report, never an incident: most clusters are full of these, and each may be meant.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from k8s import model, objects, phrases, surroundings, symptoms

RISK = symptoms.KindInfo(
    kind="Risk",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/configuration/overview/",
    condition="a workload lacks replicas, limits, probes, a budget or a fixed tag; a bound is nearly reached",
    on=False,
    report_only=True,
)
KINDS = (RISK,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("deployments", "statefulsets", "replicasets", "pods")

_MACHINERY = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Whose workloads are the distribution's own: nobody here can change them."""

_NEARLY = 0.9
"""Of a quota."""

_Risks = dict[str, str]
"""Word for a program → phrase for a person."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """One finding an object, which names all its risks; `risks` in the facts is a comma list of words."""
    scaled = _scaled(snapshot)
    budgets = _budgets(snapshot) if snapshot.saw(("poddisruptionbudgets",)) else None
    lists: tuple[tuple[str, Sequence[objects.Workload]], ...] = (
        ("Deployment", snapshot.deployments),
        ("StatefulSet", snapshot.statefulsets),
    )
    for kind, items in lists:
        for item in items:
            if item.metadata.deletion_timestamp or item.metadata.namespace in _MACHINERY:
                continue
            if symptoms.desired(item) <= 0:
                continue
            ref = symptoms.reference(kind, item.metadata)
            risks = _of_workload(ref, item, index, scaled, budgets)
            if risks:
                yield _finding(ref, risks, snapshot)
    for autoscaler in snapshot.horizontalpodautoscalers:
        if (risks := _of_autoscaler(autoscaler)) and not autoscaler.metadata.deletion_timestamp:
            yield _finding(symptoms.reference("HorizontalPodAutoscaler", autoscaler.metadata), risks, snapshot)
    for quota in snapshot.resourcequotas:
        if (risks := _of_quota(quota)) and not quota.metadata.deletion_timestamp:
            yield _finding(symptoms.reference("ResourceQuota", quota.metadata), risks, snapshot)


def _of_workload(
    ref: model.ResourceRef,
    item: objects.Workload,
    index: model.Index,
    scaled: frozenset[tuple[str, str, str]],
    budgets: Mapping[str, Sequence[surroundings.LabelSelector]] | None,
) -> _Risks:
    risks: _Risks = {}
    one = symptoms.desired(item) == 1
    if one and (ref.kind, ref.namespace, ref.name) not in scaled:
        risks["one-replica"] = "it has one replica"
    labels = item.spec.template.metadata.labels if item.spec.template is not None else None
    known = not one and labels and budgets is not None
    if known and not any(
        surroundings.selects(selector, labels or {}) for selector in (budgets or {}).get(ref.namespace, ())
    ):
        risks["no-budget"] = "no PodDisruptionBudget covers it"
    pod = next((pod for pod in symptoms.pods_under(index, ref) if symptoms.living(pod)), None)
    for container in (pod.spec.containers or ()) if pod is not None else ():
        risks |= {word: text for word, text in _of_container(container).items() if word not in risks}
    return risks


def _of_container(container: objects.Container) -> _Risks:
    """A limit of cpu is left to taste: it slows where a limit of memory kills."""
    risks: _Risks = {}
    resources = container.resources or objects.Resources()
    if not (resources.requests or resources.limits):
        risks["no-requests"] = f"container {container.name} asks for no resources"
    if "memory" not in (resources.limits or {}):
        risks["no-limits"] = f"container {container.name} has no memory limit"
    if container.readiness_probe is None:
        risks["no-probe"] = f"container {container.name} has no readiness probe"
    if _floats(container.image):
        risks["latest"] = f"container {container.name} runs {phrases.clip(container.image)}, which may change any time"
    return risks


def _floats(image: str) -> bool:
    """Whether its tag is `latest`, said or by default (https://kubernetes.io/docs/concepts/containers/images/)."""
    if not image or "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"


def _of_autoscaler(autoscaler: surroundings.Autoscaler) -> _Risks:
    most, current = autoscaler.spec.max_replicas, autoscaler.status.current_replicas
    wanted = autoscaler.status.desired_replicas or 0
    least = autoscaler.spec.min_replicas or 1
    if most is None or current is None or current < most or wanted < most or most <= least:
        return {}
    return {"at-maximum": f"it is at its maximum of {phrases.counted(most, 'replica')}"}


def _of_quota(quota: surroundings.Quota) -> _Risks:
    """What is used up altogether is a kind of its own."""
    nearly = []
    for name, bound in sorted((quota.status.hard or {}).items()):
        hard, used = phrases.quantity(bound), phrases.quantity((quota.status.used or {}).get(name))
        if hard and used is not None and _NEARLY * hard < used < hard:
            nearly.append(f"{name} {(quota.status.used or {}).get(name)} of {bound}")
    return {"quota-nearly-full": f"more than 90 % of it is used ({phrases.clip(', '.join(nearly))})"} if nearly else {}


def _scaled(snapshot: model.Snapshot) -> frozenset[tuple[str, str, str]]:
    """Workloads whose replicas are an autoscaler's business."""
    return frozenset(
        (item.spec.scale_target_ref.kind, item.metadata.namespace, item.spec.scale_target_ref.name)
        for item in snapshot.horizontalpodautoscalers
    )


def _budgets(snapshot: model.Snapshot) -> Mapping[str, Sequence[surroundings.LabelSelector]]:
    found: dict[str, list[surroundings.LabelSelector]] = defaultdict(list)
    for budget in snapshot.poddisruptionbudgets:
        if budget.spec.selector is not None:
            found[budget.metadata.namespace].append(budget.spec.selector)
    return found


def _finding(ref: model.ResourceRef, risks: _Risks, snapshot: model.Snapshot) -> model.Finding:
    words = ",".join(sorted(risks))
    return model.Finding(
        kind=RISK.kind,
        severity=RISK.severity,
        resource=ref,
        owner=ref,
        message=f"{ref.kind} {ref.name}: {'; '.join(risks.values())}.",
        since=snapshot.taken_at,
        cause=words,
        grace=RISK.grace,
        facts={"risks": words},
    )
