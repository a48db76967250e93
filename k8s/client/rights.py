"""Which rights of access an action takes, and the plain words for one that is missing.

Asked by `k8s.executor`: before a person is asked to approve what the API server would forbid anyway, and where it
forbids it after all. The rights themselves: https://kubernetes.io/docs/reference/access-authn-authz/rbac/.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from k8s import fields, model, remedies
from k8s.client import resources

_SAID = re.compile(
    r'User "[^"]*" cannot (?P<verb>[a-z]+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
"""How every API server words it: `forbiddenMessage` in
staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go of kubernetes/kubernetes."""


@dataclass(frozen=True, slots=True)
class Right:
    """One right: `verb` on a list name, with a subresource after a slash (`deployments/scale`)."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    """Empty: in the whole cluster."""

    def __str__(self) -> str:
        """`patch deployments.apps`, `patch deployments.apps/scale`."""
        plural, slash, subresource = self.resource.partition("/")
        return f"{self.verb} {plural}{f'.{self.group}' if self.group else ''}{slash}{subresource}"


def needed(action: model.Action, operations: Sequence[model.Operation]) -> tuple[Right, ...]:
    """All without which these operations end in a refusal: to write, and to read again what they rest on.

    What only refines a verdict (budgets, autoscalers, the namespace's marks) is not among them.
    """
    needs = remedies.remedy_for(action).needs(action)
    space, top = needs.object.namespace, needs.owner or needs.object
    found = list(writing(operations))
    found += [_reading("get", ref.kind, ref.namespace) for ref in (needs.object, top)]
    if needs.members:
        found.append(_reading("list", "Pod", space))
    if needs.members and top.kind == "Deployment":
        found.append(_reading("list", "ReplicaSet", space))
    if needs.revisions and top.kind != "Deployment":
        found.append(_reading("list", "ControllerRevision", space))
    if needs.made:
        found.append(_reading("list", "Job", space))
    found += [_reading("get", ref.kind, ref.namespace) for ref in needs.extras]
    if needs.on_node is not None:
        found += [_reading("list", kind, "") for kind in ("Pod", "Node")]
    return tuple(dict.fromkeys(found))


def refining(action: model.Action) -> tuple[Right, ...]:
    """What is read besides, where it may be: a verdict knows less without it, and nothing is refused."""
    needs = remedies.remedy_for(action).needs(action)
    space = needs.object.namespace
    if not space:
        inside = [
            (_reading("list", "PodDisruptionBudget", x), _reading("get", "Namespace", x)) for x in needs.on_node or ()
        ]
        return tuple(right for pair in inside for right in pair)
    listed = [_reading("list", kind, space) for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler")]
    return (*listed, _reading("get", "Namespace", space))


def writing(operations: Sequence[model.Operation]) -> tuple[Right, ...]:
    """Of `needed`, those to write: of the person in whose name it is done, where it is done in somebody's name."""
    found = [_writing(op) for op in operations]
    # A WebSocket is a GET; since Kubernetes 1.35 the server asks for the right to create as well.
    found += [Right("get", "pods/exec", "", op.target.namespace) for op in operations if op.verb == "exec"]
    return tuple(dict.fromkeys(found))


def _writing(op: model.Operation) -> Right:
    resource = resources.named(op.target.kind)
    if op.verb == "scale":
        return Right("patch", f"{resource.plural}/scale", resource.group, op.target.namespace)
    if op.verb == "evict":
        return Right("create", f"{resource.plural}/eviction", resource.group, op.target.namespace)
    if op.verb == "resize":
        return Right("patch", f"{resource.plural}/resize", resource.group, op.target.namespace)
    if op.verb == "exec":
        return Right("create", f"{resource.plural}/exec", resource.group, op.target.namespace)
    if op.verb == "create":
        made = resources.named(fields.text(op.body, "kind"))
        return Right("create", made.plural, made.group, op.target.namespace)
    return Right(op.verb.removeprefix("force-"), resource.plural, resource.group, op.target.namespace)


def _reading(verb: str, kind: str, namespace: str) -> Right:
    resource = resources.named(kind)
    return Right(verb, resource.plural, resource.group, namespace)


def refused(message: str) -> Right | None:
    """The right that a server's 403 names; None where it does not say it in the usual words."""
    said = _SAID.search(message)
    if said is None:
        return None
    return Right(said["verb"], said["resource"], said["group"], said["namespace"] or "")


OURS = "The bot's writing identity"


def missing(lacking: Sequence[Right], who: str = OURS) -> str:
    """One sentence of what this identity may not do."""
    *most, last = map(str, lacking)
    what = f"{', '.join(most)} or {last}" if most else last
    namespaces = sorted({right.namespace for right in lacking} - {""})
    where = f"in namespace {', '.join(namespaces)}" if namespaces else "in the cluster"
    return f"{who} may not {what} {where}."
