"""Network: the Services in front of a workload, whether they have ready endpoints, and whether their ports fit. Pure.

Called by `collecting`.
"""

from collections.abc import Sequence

from bot.evidence import dependencies, gathering
from k8s import fields, model, phrases

_SHOWN = 6


def tell(
    services: Sequence[model.Json], slices: Sequence[model.Json], labels: dict[str, str], template: model.Json
) -> gathering.Piece | None:
    """`labels`: of the workload's pods. None where no Service selects them."""
    mine = [one for one in services if labels and _selects(one, labels)]
    if not mine:
        return None
    lines = [_line(one, slices, template) for one in mine[:_SHOWN]]
    if len(mine) > _SHOWN:
        lines.append(f"… and {phrases.counted(len(mine) - _SHOWN, 'more Service')}")
    return gathering.Piece("network", "Services in front of it", "\n".join(lines))


def _selects(service: model.Json, labels: dict[str, str]) -> bool:
    selector = fields.texts(service, "spec", "selector")
    return bool(selector) and selector.items() <= labels.items()


def _line(service: model.Json, slices: Sequence[model.Json], template: model.Json) -> str:
    ready, other = dependencies.endpoints(slices, _name(service))
    ports = ", ".join(_port(one) for one in fields.items(service, "spec", "ports")[:_SHOWN]) or "no ports"
    parts = [f"Service {_name(service)} ({ports}): {ready} of {phrases.counted(ready + other, 'endpoint')} ready"]
    declared = _declared(template)
    parts += [
        f"no container has a port named {phrases.clip(unknown, 60)}, so that it has no endpoints there"
        for unknown in _unknown(service, template)
    ]
    numbers = {number for one in fields.items(service, "spec", "ports") if (number := _target(one))}
    if declared and (odd := sorted(numbers - {number for _, number in declared})):
        shown = ", ".join(str(number) for _, number in sorted(declared, key=lambda each: each[1]))
        parts.append(
            f"target port {', '.join(map(str, odd))} is not among the ports that the containers declare ({shown}), "
            "which matters only where nothing listens there"
        )
    return "; ".join(parts)


def _port(port: model.Json) -> str:
    target = port.get("targetPort")
    number = fields.count(port, "port")
    return f"{number}" if target in (None, number) else f"{number} to {phrases.clip(str(target), 60)}"


def _target(port: model.Json) -> int | None:
    """The number that it sends to; None where that is a name. Left out, it is the port itself."""
    target = port.get("targetPort")
    if target is None:
        return fields.count(port, "port") or None
    return target if isinstance(target, int) and not isinstance(target, bool) else None


def _unknown(service: model.Json, template: model.Json) -> list[str]:
    """Named target ports that no container declares: there are no endpoints for these.
    https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports"""
    if not fields.items(template, "spec", "containers"):
        return []
    names = {name for name, _ in _declared(template)}
    targets = [one.get("targetPort") for one in fields.items(service, "spec", "ports")]
    return [one for one in targets if isinstance(one, str) and not one.isdigit() and one not in names]


def _declared(template: model.Json) -> set[tuple[str, int]]:
    return {
        (fields.text(port, "name"), fields.count(port, "containerPort"))
        for container in fields.items(template, "spec", "containers")
        for port in fields.items(container, "ports")
    }


def _name(service: model.Json) -> str:
    return fields.text(service, "metadata", "name")
