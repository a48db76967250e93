"""Who may do what: bearer tokens, the RBAC rules of each user, and the answers of access reviews.

The reader and the writer may do what `deploy/rbac.yaml` gives to them, word for word: a test compares. `server` asks
before it works. Sources: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ and
https://kubernetes.io/docs/reference/access-authn-authz/authorization/ .
"""

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from demo.cluster.errors import ApiError, Cause, bad_request, forbidden, forbidden_path, invalid, unauthorized
from demo.cluster.objects import Object
from demo.cluster.resources import ALL_VERBS, BY_PLURAL, Resource

ANONYMOUS = "system:anonymous"
GROUP = "group:"
_NEITHER = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"


@dataclass(frozen=True)
class PolicyRule:
    """A rule of a (Cluster)Role: on resources ('pods', 'pods/log'), or on paths outside of the resources."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Of objects; empty: all."""

    def allows(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Whether the rule covers that verb on `resource`, which is 'plural' or 'plural/subresource'."""
        _, slash, subresource = resource.partition("/")
        return (
            _has(self.verbs, verb)
            and (not self.names or name in self.names)
            and _has(self.groups, group)
            and (_has(self.resources, resource) or (bool(slash) and f"*/{subresource}" in self.resources))
        )

    def allows_path(self, verb: str, path: str) -> bool:
        """Whether the rule covers a path that is no resource; a rule's path may end in '*'."""
        return _has(self.verbs, verb) and any(
            path == each or (each.endswith("*") and path.startswith(each[:-1])) for each in self.paths
        )

    def as_json(self) -> Object:
        """As a role and a SelfSubjectRulesReview write it."""
        if self.paths:
            return {"verbs": list(self.verbs), "nonResourceURLs": list(self.paths)}
        named = {"resourceNames": list(self.names)} if self.names else {}
        return {"verbs": list(self.verbs), "apiGroups": list(self.groups), "resources": list(self.resources)} | named


class Headers(Protocol):
    """What is needed of aiohttp's."""

    def get(self, name: str, default: str) -> str: ...

    def getall(self, name: str, default: Iterable[str]) -> Iterable[str]: ...

    def __iter__(self) -> Iterator[str]: ...


def _has(values: tuple[str, ...], wanted: str) -> bool:
    return "*" in values or wanted in values


_READ = ("get", "list", "watch")
READER = (
    PolicyRule(("",), ("namespaces", "nodes", "pods", "events"), _READ),
    PolicyRule(("",), ("pods/log",), ("get",)),
    PolicyRule(("apps",), ("deployments", "replicasets", "statefulsets", "daemonsets"), _READ),
    PolicyRule(("batch",), ("jobs", "cronjobs"), _READ),
    PolicyRule(("policy",), ("poddisruptionbudgets",), _READ),
    PolicyRule(("autoscaling",), ("horizontalpodautoscalers",), _READ),
    PolicyRule(("apps",), ("controllerrevisions",), ("list",)),
    PolicyRule(("",), ("configmaps",), ("get",)),
    PolicyRule(("",), ("services", "persistentvolumeclaims", "resourcequotas"), _READ),
    PolicyRule(("",), ("limitranges",), ("list",)),
    PolicyRule(("discovery.k8s.io",), ("endpointslices",), _READ),
    PolicyRule(("networking.k8s.io",), ("ingresses", "ingressclasses"), _READ),
    PolicyRule(("storage.k8s.io",), ("storageclasses",), _READ),
    PolicyRule(
        ("admissionregistration.k8s.io",),
        ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
        _READ,
    ),
    PolicyRule(("metrics.k8s.io",), ("pods",), ("get", "list")),
)
"""The ClusterRole watchkeeper-reader of deploy/rbac.yaml."""
WRITER = (
    PolicyRule(("apps",), ("deployments", "statefulsets", "daemonsets"), ("patch",)),
    PolicyRule(("apps",), ("deployments/scale", "statefulsets/scale"), ("patch",)),
    PolicyRule(("",), ("pods",), ("delete",)),
    PolicyRule(("",), ("pods/eviction",), ("create",)),
    PolicyRule(("",), ("pods/resize",), ("patch",)),
    PolicyRule(("autoscaling",), ("horizontalpodautoscalers",), ("get", "patch")),
    PolicyRule(("apps",), ("deployments", "statefulsets", "daemonsets"), ("get",)),
    PolicyRule(("",), ("pods", "namespaces"), ("get",)),
    PolicyRule(("apps",), ("replicasets",), ("get", "list")),
    PolicyRule(("apps",), ("controllerrevisions",), ("list",)),
    PolicyRule(("",), ("pods",), ("list",)),
    PolicyRule(("policy",), ("poddisruptionbudgets",), ("list",)),
    PolicyRule(("autoscaling",), ("horizontalpodautoscalers",), ("list",)),
)
"""The ClusterRole watchkeeper-writer of deploy/rbac.yaml."""
OPTIONAL: Mapping[str, tuple[PolicyRule, ...]] = MappingProxyType(
    {
        "watchkeeper-writer-jobs": (
            PolicyRule(("batch",), ("cronjobs",), ("get", "patch")),
            PolicyRule(("batch",), ("jobs",), ("get", "list", "create", "delete")),
        ),
        "watchkeeper-writer-nodes": (PolicyRule(("",), ("nodes",), ("get", "list", "patch")),),
        "watchkeeper-writer-finalizers": (
            PolicyRule(("",), ("pods", "persistentvolumeclaims", "services"), ("get", "patch")),
            PolicyRule(("apps",), ("replicasets",), ("patch",)),
            PolicyRule(("batch",), ("jobs", "cronjobs"), ("get", "patch")),
            PolicyRule(("networking.k8s.io",), ("ingresses",), ("get", "patch")),
        ),
        "watchkeeper-writer-exec": (PolicyRule(("",), ("pods/exec",), ("get", "create")),),
    }
)
"""The ClusterRoles of deploy/rbac.yaml that nobody has until an administrator binds them (`Access.bind`)."""
_ADMIN = (PolicyRule(("*",), ("*",), ("*",)), PolicyRule((), (), ("*",), ("*",)))
_PUBLIC = ("/livez", "/readyz", "/healthz", "/version", "/version/")
_DISCOVERY = (*_PUBLIC, "/openapi", "/openapi/*", "/api", "/api/*", "/apis", "/apis/*")


@dataclass(frozen=True)
class Binding:
    """A role of a user or a group: everywhere, or in one namespace."""

    role: str
    rules: tuple[PolicyRule, ...]
    subject: str
    """As RBAC describes it: 'User "reader"', 'Group "system:authenticated"'."""
    namespace: str = ""

    @property
    def source(self) -> str:
        """The words of RBAC for where a right comes from."""
        if self.namespace:
            return f'RoleBinding "{self.role}/{self.namespace}" of Role "{self.role}" to {self.subject}'
        return f'ClusterRoleBinding "{self.role}" of ClusterRole "{self.role}" to {self.subject}'


_ALL, _KNOWN = 'Group "system:unauthenticated"', 'Group "system:authenticated"'
_EVERYBODY = Binding("system:public-info-viewer", (PolicyRule((), (), ("get",), _PUBLIC),), _ALL)
_AUTHENTICATED = (
    Binding(
        "system:basic-user",
        (
            PolicyRule(("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews"), ("create",)),
            PolicyRule(("authentication.k8s.io",), ("selfsubjectreviews",), ("create",)),
        ),
        _KNOWN,
    ),
    Binding("system:discovery", (PolicyRule((), (), ("get",), _DISCOVERY),), _KNOWN),
)
"""What a cluster gives to all who are authenticated, by default."""


@dataclass(frozen=True)
class Denial:
    """A right that a test took away: verb and resource ('pods', 'pods/log'), '*' for all; in a namespace or all."""

    verb: str
    resource: str
    namespace: str | None = None

    def covers(self, verb: str, resource: str, namespace: str) -> bool:
        return (
            self.verb in ("*", verb)
            and self.resource in ("*", resource)
            and (self.namespace is None or self.namespace == namespace)
        )


def _bindings() -> dict[str, list[Binding]]:
    return {
        "reader": [Binding("watchkeeper-reader", READER, 'User "reader"')],
        "writer": [Binding("watchkeeper-writer", WRITER, 'User "writer"')],
        "admin": [Binding("cluster-admin", _ADMIN, 'User "admin"')],
        "forbidden": [],
    }


@dataclass
class Access:
    """The users of a cluster. Tokens are made up at start and live as long as the simulation."""

    tokens: dict[str, str]
    """Token -> user."""
    bindings: dict[str, list[Binding]] = field(default_factory=_bindings)
    """User -> roles; of a group after `group:`."""
    denials: dict[str, list[Denial]] = field(default_factory=dict)

    def user_of(self, authorization: str | None) -> str:
        """The user of an Authorization header; 401 for a token that nobody has."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        user = self.tokens.get(token.strip())
        if scheme.lower() != "bearer" or user is None:
            raise unauthorized()
        return user

    def forbid(self, user: str, verb: str, resource: str, namespace: str | None = None) -> None:
        self.denials.setdefault(user, []).append(Denial(verb, resource, namespace))

    def allow(self, user: str, verb: str, resource: str, namespace: str | None = None) -> None:
        """Lift the denials of a right, and grant it where the roles of the user do not."""
        lifted = Denial(verb, resource, namespace)
        denied = self.denials.get(user, [])
        self.denials[user] = [
            each for each in denied if not lifted.covers(each.verb, each.resource, each.namespace or "")
        ]
        known = BY_PLURAL.get(resource.partition("/")[0])
        group = "*" if known is None else known.group
        if not self.allowed(user, verb, group, resource, namespace or ""):
            rule = PolicyRule((group,), (resource,), (verb,))
            given = Binding(f"{user}-more", (rule,), f'User "{user}"', namespace or "")
            self.bindings.setdefault(user, []).append(given)

    def bind(self, user: str, role: str, namespace: str = "") -> None:
        """Give a user one of the optional roles: everywhere, or in one namespace. KeyError for another role."""
        given = Binding(role, OPTIONAL[role], f'User "{user}"', namespace)
        self.bindings.setdefault(user, []).append(given)

    def impersonate(self, user: str, headers: Headers) -> tuple[str, tuple[str, ...]]:
        """The user and the groups in whose name the request is made; ("", ()) for the user's own.

        As `WithImpersonation` in staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation of
        kubernetes/kubernetes: the right to `impersonate` is asked for the user and for each group, by name.
        """
        named, groups = headers.get("Impersonate-User", ""), tuple(headers.getall("Impersonate-Group", ()))
        if not named:
            if groups or any(name.lower().startswith("impersonate-") for name in headers):
                raise ApiError(500, "InternalError", "Internal error occurred: requested groups without a user")
            return "", ()
        for resource, name in (("users", named), *(("groups", group) for group in groups)):
            if self._grant(user, "impersonate", "", resource, "", name=name) is None:
                why = f'User "{user}" cannot impersonate resource "{resource}" in API group "" at the cluster scope'
                told = html.escape(f'{resource} "{name}" is forbidden: {why}', quote=False)
                raise ApiError(403, "Forbidden", told, {"name": name, "kind": resource})
        return named, groups

    def _held(self, user: str, namespace: str, groups: Iterable[str] = ()) -> Iterator[Binding]:
        yield _EVERYBODY
        if user != ANONYMOUS:
            yield from _AUTHENTICATED
        for subject in (user, *(f"{GROUP}{group}" for group in groups)):
            for each in self.bindings.get(subject, ()):
                if each.namespace in ("", namespace):
                    yield each

    def _grant(
        self,
        user: str,
        verb: str,
        group: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        groups: Iterable[str] = (),
    ) -> Binding | None:
        """The binding that allows this, if there is one."""
        if any(each.covers(verb, resource, namespace) for each in self.denials.get(user, ())):
            return None
        held = self._held(user, namespace, groups)
        return next(
            (each for each in held if any(rule.allows(verb, group, resource, name) for rule in each.rules)), None
        )

    def _grant_of_path(self, user: str, verb: str, path: str) -> Binding | None:
        held = self._held(user, "")
        return next((each for each in held if any(rule.allows_path(verb, path) for rule in each.rules)), None)

    def allowed(self, user: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        return self._grant(user, verb, group, resource, namespace) is not None

    def check(
        self,
        user: str,
        verb: str,
        resource: Resource,
        subresource: str,
        namespace: str,
        name: str,
        groups: Iterable[str] = (),
    ) -> None:
        """403 with the real sentence when the user may not."""
        path = f"{resource.plural}/{subresource}" if subresource else resource.plural
        if self._grant(user, verb, resource.group, path, namespace, name=name, groups=groups) is None:
            raise self.refusal(user, verb, resource, path, namespace, name)

    def check_path(self, user: str, verb: str, path: str) -> None:
        """403 when the user may not use a path that is no resource."""
        if self._grant_of_path(user, verb, path) is None:
            raise forbidden_path(user, verb, path)

    def refusal(self, user: str, verb: str, resource: Resource, path: str, namespace: str, name: str) -> ApiError:
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{user}" cannot {verb} resource "{path}" in API group "{resource.group}" {where}'
        return forbidden(resource, name, html.escape(why, quote=False))

    def review(self, user: str, resource: Resource, body: Object, groups: Iterable[str] = ()) -> Object:
        """A review of authorization.k8s.io with its status; 400 or 422 when it asks for nothing."""
        spec = body.get("spec") or {}
        if resource.kind == "SelfSubjectRulesReview":
            return {"metadata": {}, "spec": {}, "status": self._rules(user, spec.get("namespace", ""))}
        subject = spec.get("user") or user
        if (attributes := spec.get("resourceAttributes")) is not None:
            path = attributes.get("resource", "")
            if attributes.get("subresource"):
                path += f"/{attributes['subresource']}"
            verb, group, namespace = (attributes.get(name, "") for name in ("verb", "group", "namespace"))
            asked = spec.get("groups") or () if spec.get("user") else groups
            name = attributes.get("name", "")
            found = self._grant(subject, verb, group, path, namespace, name=name, groups=asked)
        elif (attributes := spec.get("nonResourceAttributes")) is not None:
            found = self._grant_of_path(subject, attributes.get("verb", ""), attributes.get("path", ""))
        else:
            cause = Cause("FieldValueInvalid", _NEITHER, "spec.resourceAttributes")
            raise invalid(resource, "", [cause])
        status: Object = {"allowed": found is not None}
        if found is not None:
            status["reason"] = f"RBAC: allowed by {found.source}"
        return {"metadata": {}, "spec": spec, "status": status}

    def _rules(self, user: str, namespace: str) -> Object:
        """The status of a SelfSubjectRulesReview: all that the user may in a namespace."""
        if not namespace:
            raise bad_request("no namespace on request")
        rules = [rule for each in self._held(user, namespace) for rule in each.rules]
        denied = [each for each in self.denials.get(user, ()) if each.namespace in (None, namespace)]
        kept = [left for rule in rules if not rule.paths for left in _without(rule, denied)]
        return {
            "resourceRules": [each.as_json() for each in kept],
            "nonResourceRules": [each.as_json() for each in rules if each.paths],
            "incomplete": False,
        }


def _without(rule: PolicyRule, denied: Iterable[Denial]) -> Iterator[PolicyRule]:
    """What is left of a rule, as a role without the denied rights would say it."""
    denied = tuple(denied)

    def taken(verb: str, resource: str) -> bool:
        return any(each.verb in ("*", verb) and each.resource in ("*", resource) for each in denied)

    verbs = ALL_VERBS if "*" in rule.verbs else rule.verbs
    if not any(taken(verb, resource) for verb in verbs for resource in rule.resources):
        yield rule
        return
    for resource in rule.resources:
        kept = tuple(verb for verb in verbs if not taken(verb, resource))
        if kept:
            yield PolicyRule(rule.groups, (resource,), kept)
