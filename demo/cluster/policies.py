"""ValidatingAdmissionPolicies and their bindings: which requests they refuse, and what may be written into one.

Of CEL only the literals `true` and `false` are understood; all else in a policy that would need an evaluation is
refused when the policy is created. `admission` asks `refusal` for every write, dry runs and controllers included. Of
the validation actions Deny acts; Warn and Audit have nothing to show here. Source:
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ .
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from demo.cluster.errors import ApiError, Cause, forbidden
from demo.cluster.objects import Object, labels_of, name_of, namespace_of
from demo.cluster.resources import Resource
from demo.cluster.selectors import matches
from demo.cluster.store import Store

POLICIES, BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_UNSUPPORTED = ("paramKind", "matchConditions", "variables", "auditAnnotations")
_LITERALS = ("true", "false")


@dataclass(frozen=True)
class Attributes:
    """A write as admission sees it."""

    operation: str
    resource: Resource
    obj: Object
    subresource: str = ""


def refusal(store: Store, attributes: Attributes) -> ApiError | None:
    """The refusal of the first policy that denies the request, by the names of policies and bindings."""
    if attributes.resource.plural in (POLICIES, BINDINGS):
        return None
    bindings = store.all(BINDINGS)
    for policy in store.all(POLICIES):
        if not _applies(store, policy["spec"].get("matchConstraints"), attributes):
            continue
        for binding in bindings:
            spec = binding["spec"]
            if spec.get("policyName") != name_of(policy) or "Deny" not in (spec.get("validationActions") or ()):
                continue
            failed = next(_failed(policy), None)
            if failed is not None and _applies(store, spec.get("matchResources"), attributes):
                return _denied(attributes, policy, binding, failed)
    return None


def _failed(policy: Object) -> Iterator[Object]:
    return (each for each in policy["spec"].get("validations") or [] if each["expression"].strip() == "false")


def _denied(attributes: Attributes, policy: Object, binding: Object, failed: Object) -> ApiError:
    """The message of a 403 with the code and the reason that the policy names; 422 Invalid by default."""
    message = (failed.get("message") or "").strip() or f"failed expression: {failed['expression'].strip()}"
    who = f"ValidatingAdmissionPolicy '{name_of(policy)}' with binding '{name_of(binding)}'"
    why = f"{who} denied request: {message}"
    metadata = attributes.obj["metadata"]
    name = metadata.get("name") or metadata.get("generateName") or "Unknown"
    error = forbidden(attributes.resource, name, why, [Cause("", why)])
    reason = failed.get("reason") or "Invalid"
    return ApiError(_CODES.get(reason, 422), reason, error.message, error.details)


def _applies(store: Store, match: Object | None, attributes: Attributes) -> bool:
    """Whether `matchConstraints` of a policy or `matchResources` of a binding take the request; None takes all."""
    if match is None:
        return True
    rules = match.get("resourceRules")
    if rules is not None and not any(_rule(each, attributes) for each in rules):
        return False
    if any(_rule(each, attributes) for each in match.get("excludeResourceRules") or []):
        return False
    return _namespace_selected(store, match, attributes) and matches(
        match.get("objectSelector") or {}, labels_of(attributes.obj)
    )


def _rule(rule: Object, attributes: Attributes) -> bool:
    resource = attributes.resource
    scope = rule.get("scope", "*")
    return (
        _any(rule.get("operations"), attributes.operation)
        and _any(rule.get("apiGroups"), resource.group)
        and _any(rule.get("apiVersions"), resource.version)
        and any(_resource(each, attributes) for each in rule.get("resources") or [])
        and scope in ("*", "Namespaced" if resource.namespaced else "Cluster")
        and (not rule.get("resourceNames") or name_of(attributes.obj) in rule["resourceNames"])
    )


def _any(wanted: Iterable[str] | None, value: str) -> bool:
    return any(each in ("*", value) for each in wanted or ())


def _resource(wanted: str, attributes: Attributes) -> bool:
    """'pods', 'pods/scale', '*', 'pods/*', '*/scale', '*/*', as a rule of a webhook or a policy writes it."""
    plural, slash, subresource = wanted.partition("/")
    return plural in ("*", attributes.resource.plural) and (
        subresource in ("*", attributes.subresource) if slash else not attributes.subresource
    )


def _namespace_selected(store: Store, match: Object, attributes: Attributes) -> bool:
    selector = match.get("namespaceSelector") or {}
    if attributes.resource.plural == "namespaces":
        return matches(selector, labels_of(attributes.obj))
    if not attributes.resource.namespaced:
        return True
    found = store.find("namespaces", "", namespace_of(attributes.obj))
    return found is not None and matches(selector, labels_of(found))


def complete(storage: str, spec: Object) -> None:
    """The defaults of both types, in place."""
    match = spec.get("matchConstraints") if storage == POLICIES else spec.get("matchResources")
    if storage == POLICIES:
        spec.setdefault("failurePolicy", "Fail")
    if isinstance(match, dict):
        match.setdefault("matchPolicy", "Equivalent")
        match.setdefault("namespaceSelector", {})
        match.setdefault("objectSelector", {})
        for rule in [*(match.get("resourceRules") or []), *(match.get("excludeResourceRules") or [])]:
            rule.setdefault("scope", "*")


def check(storage: str, spec: Object) -> list[Cause]:
    """What is wrong with a policy or a binding, and what is beyond this cluster."""
    if storage == BINDINGS:
        return list(_check_binding(spec))
    return list(_check_policy(spec))


def _check_binding(spec: Object) -> Iterator[Cause]:
    if not spec.get("policyName"):
        yield Cause("FieldValueRequired", "Required value", "spec.policyName")
    if not spec.get("validationActions"):
        text = "Required value: at least one validation action is required"
        yield Cause("FieldValueRequired", text, "spec.validationActions")
    if spec.get("paramRef"):
        yield _beyond("spec.paramRef")


def _check_policy(spec: Object) -> Iterator[Cause]:
    if not (spec.get("matchConstraints") or {}).get("resourceRules"):
        yield Cause("FieldValueRequired", "Required value", "spec.matchConstraints.resourceRules")
    if not spec.get("validations"):
        text = "Required value: validations or auditAnnotations must contain at least one item"
        yield Cause("FieldValueRequired", text, "spec.validations")
    for name in _UNSUPPORTED:
        if spec.get(name):
            yield _beyond(f"spec.{name}")
    for index, each in enumerate(spec.get("validations") or []):
        at, expression = f"spec.validations[{index}]", str(each.get("expression", "")).strip()
        if not expression:
            yield Cause("FieldValueRequired", "Required value: expression is not specified", f"{at}.expression")
        elif expression not in _LITERALS:
            text = f'Invalid value: "{expression}": the simulated cluster evaluates only the literals true and false'
            yield Cause("FieldValueInvalid", text, f"{at}.expression")
        if each.get("messageExpression"):
            yield _beyond(f"{at}.messageExpression")
        if each.get("reason") not in (None, *_CODES):
            names = ", ".join(f'"{name}"' for name in sorted(_CODES))
            text = f'Unsupported value: "{each["reason"]}": supported values: {names}'
            yield Cause("FieldValueNotSupported", text, f"{at}.reason")


def _beyond(field: str) -> Cause:
    return Cause("FieldValueForbidden", "Forbidden: the simulated cluster does not evaluate it", field)
