"""Bounds: what keeps a workload from having more, or fewer, pods: autoscalers, disruption budgets, quotas and limit
ranges. Pure; called by `collecting`.
"""

from collections.abc import Iterator, Sequence

from bot.evidence import gathering
from k8s import fields, model, phrases

NEAR = 0.8
"""A quota that is used so far is told with its numbers."""
_ROWS = 6
_SHOWN = 4


def tell(
    target: model.Target | None, quotas: Sequence[model.Json], ranges: Sequence[model.Json]
) -> gathering.Piece | None:
    """None where nothing bounds it."""
    lines: list[str] = []
    if target is not None:
        lines += [_autoscaler(one) for one in target.autoscalers[:_SHOWN]]
        lines += [_budget(one) for one in target.budgets[:_SHOWN]]
    lines += [_quota(one) for one in quotas[:_SHOWN]]
    lines += [line for one in ranges[:_SHOWN] for line in _range(one)]
    if not lines:
        return None
    return gathering.Piece("limits", "What bounds it: autoscalers, budgets, quotas, limit ranges", "\n".join(lines))


def _autoscaler(one: model.Json) -> str:
    low, high = fields.number(one, "spec", "minReplicas"), fields.count(one, "spec", "maxReplicas")
    now, wanted = fields.count(one, "status", "currentReplicas"), fields.count(one, "status", "desiredReplicas")
    told = (
        f"autoscaler {_name(one)}: {now} replicas now, wants {wanted}, may have {1 if low is None else low} to {high}"
    )
    bad = [condition for condition in fields.items(one, "status", "conditions") if _bad(condition)]
    return "; ".join((told, *(_condition(condition) for condition in bad)))


def _bad(condition: model.Json) -> bool:
    """ScalingLimited is bad where it is true, the others where they are not:
    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions"""
    bad = "True" if fields.text(condition, "type") == "ScalingLimited" else "False"
    return fields.text(condition, "status") == bad


def _condition(condition: model.Json) -> str:
    message = phrases.clip(fields.text(condition, "message"), 200)
    kind, status = fields.text(condition, "type"), fields.text(condition, "status")
    return f"{kind}={status} ({fields.text(condition, 'reason')}: {message})"


def _budget(one: model.Json) -> str:
    healthy, needed = fields.count(one, "status", "currentHealthy"), fields.count(one, "status", "desiredHealthy")
    allowed = phrases.counted(fields.count(one, "status", "disruptionsAllowed"), "disruption")
    return f"disruption budget {_name(one)}: allows {allowed} now ({healthy} healthy, {needed} needed)"


def _quota(one: model.Json) -> str:
    hard, used = fields.mapping(one, "status", "hard"), fields.mapping(one, "status", "used")
    rows = []
    for name, bound in hard.items():
        most, now = phrases.quantity(bound), phrases.quantity(used.get(name, 0))
        if most is not None and now is not None:
            rows.append((now / most if most else 1.0, name, f"{name} {used.get(name, 0)} of {bound}"))
    rows.sort(reverse=True)
    near = [text for share, _, text in rows if share >= NEAR]
    told = ", ".join(near[:_ROWS]) if near else f"nothing of it is used to {NEAR:.0%}"
    return f"quota {_name(one)}: {told}"


def _range(one: model.Json) -> Iterator[str]:
    for limit in fields.items(one, "spec", "limits")[:_SHOWN]:
        parts = [
            f"{said} {', '.join(f'{name} {amount}' for name, amount in sorted(amounts.items()))}"
            for key, said in (
                ("max", "at most"),
                ("min", "at least"),
                ("default", "limits by default"),
                ("defaultRequest", "requests by default"),
            )
            if (amounts := fields.mapping(limit, key))
        ]
        if parts:
            yield f"limit range {_name(one)}, for each {fields.text(limit, 'type')}: {'; '.join(parts)}"


def _name(one: model.Json) -> str:
    return fields.text(one, "metadata", "name")
