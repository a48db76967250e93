"""Label and field selectors: parsing and matching, with the server's errors.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors and
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

import re
from collections.abc import Callable
from typing import Any

from demo.cluster.errors import bad_request
from demo.cluster.objects import Object, labels_of

Match = Callable[[dict[str, str]], bool]

_SET = re.compile(r"^\s*(?P<key>[^\s!=(),]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[^\s!=(),]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s,()=!]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<not>!)?\s*(?P<key>[^\s!=(),]+)\s*$")
_OPERATORS = "in, notin, =, ==, !=, gt, lt"

_COMMON_FIELDS = ("metadata.name", "metadata.namespace")
_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "replicasets": ("status.replicas",),
    "jobs": ("status.successful",),
}


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def parse_labels(text: str) -> Match:
    """A query such as `app=api,tier in (a,b),!canary` as a predicate on labels; 400 when it cannot be parsed."""
    tests = [_label_test(part) for part in _split(text)]
    return lambda labels: all(test(labels) for test in tests)


def _label_test(part: str) -> Match:
    if found := _SET.match(part):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        key, negated = found["key"], bool(found["not"])
        return lambda labels: (key in labels) != negated
    if "(" in part and ")" not in part:
        raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
    said = (part.split()[1:] or [part.strip()])[0]
    raise bad_request(f"unable to parse requirement: found '{said}', expected: {_OPERATORS}")


def matches(selector: Object | None, labels: dict[str, str]) -> bool:
    """A metav1.LabelSelector against labels: null selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(expression: Object, labels: dict[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return key not in labels


def format_selector(selector: Object | None) -> str:
    """metav1.FormatLabelSelector, as the scale subresource shows it."""
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for each in (selector or {}).get("matchExpressions") or []:
        key, operator, values = each["key"], each["operator"], ",".join(each.get("values") or [])
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(words.get(operator, f"!{key}"))
    return ",".join(parts)


def parse_fields(text: str, storage: str) -> Callable[[Object], bool]:
    """A query such as `involvedObject.name=api,type!=Normal` as a predicate; 400 for a field the type has not."""
    tests: list[tuple[str, str, bool]] = []
    for part in _split(text):
        found = re.match(r"^\s*(?P<field>[^!=]+?)\s*(?P<op>==|!=|=)\s*(?P<value>.*?)\s*$", part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field = found["field"]
        if field not in (*_COMMON_FIELDS, *_FIELDS.get(storage, ())):
            raise bad_request(f"field label not supported: {field}")
        tests.append((field, found["value"], found["op"] != "!="))
    return lambda obj: all((_field(obj, field) == value) == wanted for field, value, wanted in tests)


def _field(obj: Object, path: str) -> str:
    if path == "source":
        return str((obj.get("source") or {}).get("component", ""))
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if path in ("spec.unschedulable", "spec.hostNetwork"):
        return "true" if value else "false"
    if path == "status.replicas":
        return str(value or 0)
    return "" if value is None else str(value)


def selected(obj: Object, by_label: Match | None, by_field: Callable[[Object], bool] | None) -> bool:
    return (by_label is None or by_label(labels_of(obj))) and (by_field is None or by_field(obj))
