"""Label selectors, as a query and as a predicate: for the reader, which asks for a workload's pods and budgets.

Meaning of the fields: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors. Pure.
"""

from collections.abc import Mapping
from typing import Any


def query(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as the `labelSelector` query parameter; empty where it selects everything."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for requirement in selector.get("matchExpressions") or ():
        key, operator = requirement.get("key", ""), requirement.get("operator", "")
        values = ",".join(requirement.get("values") or ())
        match operator:
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(str(key))
            case "DoesNotExist":
                parts.append(f"!{key}")
            case _:
                pass  # an operator of a later API version: the list is then wider, and ownership narrows it
    return ",".join(parts)


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels. None selects nothing, an empty selector everything (policy/v1)."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_satisfied(requirement, labels) for requirement in selector.get("matchExpressions") or ())


def _satisfied(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key = requirement.get("key", "")
    values = requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
