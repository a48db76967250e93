"""How risky a plan is where and when it would be done: the action's own risk, raised by what it meets.

Pure. Called by `k8s.guardrails` alone. Each circumstance is worth at least `medium`; three of them, or two of which one
is that it is production, are `high`. Nothing ever lowers a risk.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from k8s import fields, model, workloads

_MANY = 3
"""So many circumstances at once are more than one person should decide on."""


@dataclass(frozen=True, slots=True)
class Weight:
    tier: model.RiskTier
    reasons: tuple[str, ...]
    """Why, in sentences: the action's own risk first."""


def weighed(action: model.Action, plan: model.Plan, target: model.Target, *, production: bool) -> Weight:
    raised = [*_circumstances(action, plan, target)]
    if production:
        raised.append("This is production.")
    tier = plan.risk
    if raised and tier == "low":
        tier = "medium"
    if len(raised) >= _MANY or (production and len(raised) > 1):
        tier = "high"
    return Weight(tier, (f"{model.name_of(action)} is of {plan.risk} risk here by itself.", *raised))


def _circumstances(action: model.Action, plan: model.Plan, target: model.Target) -> Iterator[str]:
    if state := _state(action, target):
        yield state
    touched, ready, desired = _touched(action, plan, target), plan.blast.ready, plan.blast.desired
    if ready > 0 and touched * 2 > desired:
        yield f"It touches {touched} of {desired} replicas, more than half."
    if touched and (narrow := _narrow(plan, ready, desired)):
        yield narrow


def _state(action: model.Action, target: model.Target) -> str:
    if action.workload.kind == "StatefulSet":
        return "It is a StatefulSet: its pods are no two alike."
    workload = target.owner or target.object or {}
    volumes = fields.items(workloads.template(workload), "spec", "volumes")
    if any("persistentVolumeClaim" in volume for volume in volumes):
        return "Its pods keep data in volumes that outlive them."
    return ""


def _touched(action: model.Action, plan: model.Plan, target: model.Target) -> int:
    """Pods that serve now, or may, and that it would replace or remove."""
    if isinstance(action, model.Scale) and action.replicas >= plan.blast.desired:
        return 0
    if isinstance(action, model.SetAutoscaler) and action.most >= plan.blast.desired:
        return 0
    if action.workload != target.ref and target.ref.kind == "Pod" and not workloads.pod_ready(target.object or {}):
        return 0
    return min(plan.blast.pods, plan.blast.ready) if plan.blast.ready else 0


def _narrow(plan: model.Plan, ready: int, desired: int) -> str:
    if plan.blast.headroom is not None and plan.blast.headroom < 1:
        return "Its PodDisruptionBudget leaves no room for one pod less."
    if ready * 2 <= desired:
        return f"Only {ready} of {desired} replicas are ready as it is."
    return ""
