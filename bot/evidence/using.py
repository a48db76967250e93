"""Using: what the pods of a workload use now, beside what they asked for and may have. Pure; called by `collecting`.

https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
"""

from collections.abc import Mapping, Sequence

from bot.evidence import gathering
from k8s import fields, model, phrases

_PODS = 6
_FINE = {"n": 1e-9, "u": 1e-6}


def tell(metrics: Sequence[model.Json], pods: Sequence[model.Json], container: str) -> gathering.Piece | None:
    """`container`: the failing one, whose pods come first. None where nothing is known of these pods."""
    used = {fields.text(one, "metadata", "name"): one for one in metrics}
    lines = []
    for pod in pods:
        name = fields.text(pod, "metadata", "name")
        specs = {fields.text(one, "name"): one for one in fields.items(pod, "spec", "containers")}
        for one in fields.items(used.get(name, {}), "containers"):
            which = fields.text(one, "name")
            amounts = [
                _amount(fields.mapping(one, "usage"), specs.get(which, {}), resource) for resource in ("memory", "cpu")
            ]
            lines.append((which != container, -amounts[0][0], f"{name}, {which}: {'; '.join(a[1] for a in amounts)}"))
    if not lines:
        return None
    lines.sort()
    shown = [text for _, _, text in lines[:_PODS]]
    if len(lines) > _PODS:
        shown.append(f"… and {phrases.counted(len(lines) - _PODS, 'more container')}")
    return gathering.Piece("usage", "What its containers use now, of what they may", "\n".join(shown))


def _amount(usage: Mapping[str, object], spec: model.Json, resource: str) -> tuple[float, str]:
    """The share of the limit (0 where there is none), and all of it in words."""
    say = phrases.size if resource == "memory" else phrases.cores
    now = quantity(usage.get(resource))
    if now is None:
        return 0.0, f"{resource} not known"
    limit = quantity(fields.value(spec, "resources", "limits", resource))
    request = quantity(fields.value(spec, "resources", "requests", resource))
    asked = "" if request is None else f", requests {say(request)}"
    if not limit:
        return 0.0, f"{resource} {say(round(now) if resource == 'memory' else now)}, no limit{asked}"
    shown = say(round(now) if resource == "memory" else now)
    return now / limit, f"{resource} {shown} of {say(limit)} ({now / limit:.0%}){asked}"


def quantity(value: object) -> float | None:
    """As `phrases.quantity`, and the billionths in which a metrics server tells of cpu."""
    if isinstance(value, str) and value[-1:] in _FINE and value[:-1].isascii() and value[:-1].isdigit():
        return int(value[:-1][:18]) * _FINE[value[-1]]
    return phrases.quantity(value)
