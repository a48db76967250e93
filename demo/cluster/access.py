"""Who may do what: bearer tokens, the rights of each user, and the answers of access reviews.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ and
https://kubernetes.io/docs/reference/access-authn-authz/authorization/ .
"""

from dataclasses import dataclass, field

from demo.cluster.errors import ApiError, forbidden, unauthorized
from demo.cluster.objects import Object
from demo.cluster.resources import BY_PATH, Resource

READ = ("get", "list", "watch")
ANONYMOUS = "system:anonymous"


@dataclass(frozen=True)
class Rule:
    """A right, or with `Access.forbid` its absence: verb and resource ('pods', 'pods/log'), '*' for all."""

    verb: str
    resource: str
    namespace: str | None = None

    def covers(self, verb: str, resource: str, namespace: str) -> bool:
        return (
            self.verb in ("*", verb)
            and self.resource in ("*", resource)
            and (self.namespace is None or self.namespace == namespace)
        )


def _rules(verbs: tuple[str, ...], *resources: str) -> list[Rule]:
    return [Rule(verb, resource) for verb in verbs for resource in resources]


READER = [
    *_rules(READ, "*"),
    *_rules(("create",), "selfsubjectaccessreviews", "subjectaccessreviews"),
]
WRITER = [
    *READER,
    *_rules(("patch", "update", "delete"), "deployments", "statefulsets", "daemonsets", "replicasets"),
    *_rules(("patch", "update"), "deployments/scale", "statefulsets/scale", "replicasets/scale"),
    *_rules(("patch", "delete"), "pods"),
    *_rules(("patch",), "nodes"),
    *_rules(("create", "patch", "update", "delete"), "jobs", "cronjobs", "horizontalpodautoscalers"),
    *_rules(("create",), "pods/eviction"),
]


@dataclass
class Access:
    """The users of a cluster. Tokens are made up at start and live as long as the simulation."""

    tokens: dict[str, str]
    """Token -> user."""
    grants: dict[str, list[Rule]] = field(
        default_factory=lambda: {
            "reader": list(READER),
            "writer": list(WRITER),
            "admin": [Rule("*", "*")],
            "forbidden": _rules(("create",), "selfsubjectaccessreviews"),
        }
    )
    denials: dict[str, list[Rule]] = field(default_factory=dict)

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
        self.denials.setdefault(user, []).append(Rule(verb, resource, namespace))

    def allow(self, user: str, verb: str, resource: str, namespace: str | None = None) -> None:
        """Grant a right, and lift the denials that it covers."""
        rule = Rule(verb, resource, namespace)
        self.grants.setdefault(user, []).append(rule)
        denied = self.denials.get(user, [])
        self.denials[user] = [
            each for each in denied if not rule.covers(each.verb, each.resource, each.namespace or "")
        ]

    def allowed(self, user: str, verb: str, resource: str, namespace: str) -> bool:
        if any(rule.covers(verb, resource, namespace) for rule in self.denials.get(user, ())):
            return False
        return any(rule.covers(verb, resource, namespace) for rule in self.grants.get(user, ()))

    def check(self, user: str, verb: str, resource: Resource, subresource: str, namespace: str, name: str) -> None:
        """403 with the real sentence when the user may not."""
        path = f"{resource.plural}/{subresource}" if subresource else resource.plural
        if not self.allowed(user, verb, path, namespace):
            raise self.refusal(user, verb, resource, path, namespace, name)

    def refusal(self, user: str, verb: str, resource: Resource, path: str, namespace: str, name: str) -> ApiError:
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{user}" cannot {verb} resource "{path}" in API group "{resource.group}" {where}'
        return forbidden(resource, name, why)

    def review(self, user: str, body: Object) -> Object:
        """A SelfSubjectAccessReview or SubjectAccessReview with its status."""
        spec = body.get("spec") or {}
        subject = spec.get("user") or user
        attributes = spec.get("resourceAttributes") or {}
        status: Object = {"allowed": False}
        if "nonResourceAttributes" in spec:
            status["allowed"] = subject != "forbidden"
        else:
            path = attributes.get("resource", "*")
            if attributes.get("subresource"):
                path += f"/{attributes['subresource']}"
            known = any(each.plural == attributes.get("resource") for each in BY_PATH.values())
            allowed = self.allowed(subject, attributes.get("verb", "*"), path, attributes.get("namespace", ""))
            status["allowed"] = allowed and (known or path == "*" or subject == "admin")
        if status["allowed"]:
            status["reason"] = f'RBAC: allowed by ClusterRoleBinding "{subject}" of ClusterRole "{subject}"'
        return {**body, "metadata": {"creationTimestamp": None}, "status": status}
