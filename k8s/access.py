"""Which rights of access the catalogue takes under a policy, and the roles that give exactly these.

Pure. Called by `bot.access_page` for `watchkeeper rbac`. What an action takes is asked of its remedy and of
`k8s.client.rights`, which asks the API server for the same before a button is drawn. What the policy can never allow
is left out; what it may allow somewhere or at some time is in, since RBAC knows no labels, no times and no people.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

import fnmatch
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from k8s import custom_actions, model, policy, policy_rules, remedies
from k8s.client import resources, rights

Account = Literal["reader", "writer"]
Key = tuple[str, str, str]
"""Group, resource (`deployments/scale`), verb."""

_READ = ("get", "list", "watch")
_READS: Mapping[str, tuple[str, ...]] = {
    "Secret": (),
    "ConfigMap": ("get",),
    "ControllerRevision": ("list",),
    "LimitRange": ("list",),
    "PodMetrics": ("get", "list"),
}
"""Of all kinds but these the reader gets, lists and watches. Secrets are a role of their own, in deploy/rbac.yaml."""
_LOG: Key = ("", "pods/log", "get")
_MAGIC = frozenset("*?[")


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """One remedy for a workload of one kind, writing to an object of one kind."""

    action: str
    kind: str
    object: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a role."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    actions: tuple[str, ...] = ()
    """Those that cannot be done without it. Empty: it only refines a verdict, or is the reader's."""
    names: tuple[str, ...] = ()
    """Names of the objects; empty: all."""


@dataclass(frozen=True, slots=True)
class Role:
    """A ClusterRole, or a Role of one namespace, of one of the two identities."""

    name: str
    """Without the prefix: `writer`, `writer-nodes`."""
    account: Account
    rules: tuple[Rule, ...]
    namespace: str = ""
    """Empty: a ClusterRole."""


@dataclass(frozen=True, slots=True)
class Access:
    """All roles, and what they leave out."""

    roles: tuple[Role, ...]
    left_out: tuple[str, ...] = ()
    """Actions of the catalogue that the policy allows nowhere here."""
    bare: tuple[str, ...] = ()
    """Namespaces that were asked for, and in which the policy allows nothing."""


def roles(
    rules: policy.Policy,
    *,
    cluster: str = "",
    namespaces: Sequence[str] = (),
    users: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> Access:
    """The roles of both identities for this policy.

    `cluster`: its name, where rules speak of clusters; without it a denial for some of them takes nothing away.
    `namespaces`: only in these, by Roles; no action on nodes. `users`, `groups`: whom the writer may
    impersonate; none: nobody.
    """
    places = {use: where(rules, use, cluster=cluster, namespaces=namespaces) for use in uses()}
    found = [*_reader(namespaces), *_writer(places)]
    if (users or groups) and any(role.account == "writer" for role in found):
        found.append(Role("impersonator", "writer", tuple(_impersonating(users, groups))))
    done = {use.action for use, place in places.items() if place is None or place}
    written = {role.namespace for role in found if role.account == "writer"}
    return Access(
        tuple(found),
        left_out=tuple(name for name in remedies.REMEDIES if name not in done),
        bare=tuple(name for name in dict.fromkeys(namespaces) if name not in written),
    )


# --- what the catalogue takes


def uses() -> tuple[Use, ...]:
    """All that the catalogue can do, by kinds."""
    return tuple(
        Use(name, kind, written)
        for name, remedy in remedies.REMEDIES.items()
        for kind in remedy.kinds
        for written in remedy.objects(kind)
    )


def sample(use: Use, namespace: str) -> tuple[model.Action, tuple[model.Operation, ...]]:
    """An action and its operations as far as access is concerned: kinds, namespaces and the verbs are true."""
    remedy = remedies.REMEDIES[use.action]
    workload = _ref(use.kind, namespace)
    written = workload if use.object == use.kind else _ref(use.object, namespace)
    values: dict[str, Any] = {"workload": workload}
    for field in msgspec.structs.fields(remedy.action):
        if field.type is model.ResourceRef:
            values.setdefault(field.name, written)
        elif field.name in remedy.lists:
            values[field.name] = tuple(_ref(kind, namespace) for kind in remedy.lists[field.name])
        elif field.required:
            values[field.name] = 1 if field.type is int else "x"
    action: Any = remedy.action(**values)
    body: model.Json | None = {"kind": remedy.makes} if remedy.makes else None
    then = (model.Operation(verb, _ref(kind, namespace)) for verb, kind in remedy.also)
    return action, (model.Operation(remedy.writes, written, None, body), *then)


def _ref(kind: str, namespace: str) -> model.ResourceRef:
    return model.ResourceRef(kind, namespace if resources.named(kind).namespaced else "", "x", "")


# --- what the policy may ever allow


def where(
    rules: policy.Policy, use: Use, *, cluster: str = "", namespaces: Sequence[str] = ()
) -> frozenset[str] | None:
    """The namespaces in which the policy may ever allow it; none: nowhere. None: in the whole cluster.

    In the whole cluster is also what cannot be said as a list of names: a glob, or all but some.
    """
    if rules.read_only:
        return frozenset()
    if not resources.named(use.kind).namespaced:
        # Who names namespaces means these and no node.
        return None if not namespaces and may(rules, use, "", cluster) else frozenset()
    named = _named(rules, use, cluster)
    if named is None and not namespaces:
        return None if may(rules, use, None, cluster) else frozenset()
    asked = frozenset(namespaces) or named or frozenset()
    candidates = asked if named is None else asked & named
    return frozenset(name for name in candidates if may(rules, use, name, cluster))


def may(rules: policy.Policy, use: Use, namespace: str | None, cluster: str = "") -> bool:
    """Whether the policy may ever allow it there. `namespace` None: in any; empty: a node's, which is in none.

    The other way round than `policy_rules`: what is not known here (labels, the cluster's name) fits an allowance and
    no denial, as the policy itself is asked again before anything is done.
    """
    if rules.read_only or _in(rules.protected_namespaces, namespace) or _nothing_listed(rules, use):
        return False
    if any(rule.effect == "deny" and _surely_denies(rule, use, namespace, cluster) for rule in rules.rules):
        return False
    return all(
        ruleset.default == "ask"
        or any(
            _may_allow(rule, use, cluster) and (namespace is None or policy_rules.fits(rule.namespaces, namespace))
            for rule in ruleset.rules
        )
        for ruleset in rules.rulesets
    )


def _nothing_listed(rules: policy.Policy, use: Use) -> bool:
    """Of what is off until somebody lists or installs something."""
    if use.action == "exec-command":
        return not rules.commands or not all(listed.entries for listed in rules.commands)
    return use.action == "custom" and not custom_actions.installed()


def _named_so(globs: Sequence[str], action: str) -> bool:
    """Rules know actions of somebody's own by their own names."""
    names = custom_actions.installed() if action == "custom" else (action,)
    return any(policy_rules.fits(globs, name) for name in names)


def _in(globs: Iterable[str], namespace: str | None) -> bool:
    """Whether one of them is sure to fit: a namespace that may be any is in `*` alone."""
    if namespace is None:
        return "*" in globs
    return any(fnmatch.fnmatchcase(namespace, glob) for glob in globs)


def _surely_denies(rule: policy.Rule, use: Use, namespace: str | None, cluster: str) -> bool:
    written = {use.kind, use.object, remedies.REMEDIES[use.action].makes}
    return (
        not rule.labels
        and (use.action != "custom" or not rule.actions or "*" in rule.actions or "custom-*" in rule.actions)
        and (use.action == "custom" or policy_rules.fits(rule.actions, use.action))
        and (not rule.clusters or _in(rule.clusters, cluster or None))
        and (not rule.namespaces or _in(rule.namespaces, namespace))
        and (not rule.kinds or bool(written & set(rule.kinds)))
    )


def _may_allow(rule: policy.Rule, use: Use, cluster: str) -> bool:
    return (
        rule.effect == "allow"
        and _named_so(rule.actions, use.action)
        and (not rule.kinds or use.kind in rule.kinds)
        and (not cluster or policy_rules.fits(rule.clusters, cluster))
    )


def _named(rules: policy.Policy, use: Use, cluster: str) -> frozenset[str] | None:
    """The only namespaces that an allowance can be for, where all that allow it name theirs; None otherwise."""
    found: frozenset[str] | None = None
    for ruleset in rules.rulesets:
        allowing = [rule.namespaces for rule in ruleset.rules if _may_allow(rule, use, cluster)]
        if ruleset.default == "deny" and all(map(_literal, allowing)):
            names = frozenset(name for each in allowing for name in each)
            found = names if found is None else found & names
    return found


def _literal(globs: Sequence[str]) -> bool:
    return bool(globs) and not any(_MAGIC & set(glob) for glob in globs)


# --- roles


def _writer(places: Mapping[Use, frozenset[str] | None]) -> Iterator[Role]:
    """One role for the namespaced, in the cluster or in each namespace, and one for nodes, which are in none."""
    nodes, everywhere = _Granted(), _Granted()
    within: defaultdict[str, _Granted] = defaultdict(_Granted)
    for use, place in places.items():
        for granted, space in (
            [(everywhere, "x")] if place is None else [(within[name], name) for name in sorted(place)]
        ):
            action, operations = sample(use, space)
            for right in rights.needed(action, operations):
                (nodes if _of_cluster(right) else granted).add(right, use.action)
            for right in rights.refining(action):
                granted.add(right)
    for granted in within.values():
        granted.leave_to(everywhere)
    yield from _role("writer", everywhere)
    yield from _role("writer-nodes", nodes)
    for namespace in sorted(within):
        yield from _role("writer", within[namespace], namespace)


def _of_cluster(right: rights.Right) -> bool:
    """Who may get a namespace by a Role in it, may get that one: the request is taken for one within it."""
    plural = right.resource.partition("/")[0]
    return plural != "namespaces" and not resources.named(plural).namespaced


class _Granted:
    """Rights of one role, with the actions that each is for."""

    def __init__(self) -> None:
        self.rights: dict[Key, set[str]] = {}

    def add(self, right: rights.Right, *actions: str) -> None:
        self.rights.setdefault((right.group, right.resource, right.verb), set()).update(actions)

    def leave_to(self, wider: "_Granted") -> None:
        """Takes out what the other one has already."""
        for key in self.rights.keys() & wider.rights.keys():
            wider.rights[key] |= self.rights.pop(key)


def _role(name: str, granted: _Granted, namespace: str = "") -> Iterator[Role]:
    if granted.rights:
        yield Role(name, "writer", _folded(granted.rights), namespace)


def _folded(granted: Mapping[Key, Iterable[str]]) -> tuple[Rule, ...]:
    """As few rules as say the same: verbs that are for the same actions together, then resources."""
    verbs: defaultdict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, verb), actions in granted.items():
        verbs[group, resource, _ordered(actions)].add(verb)
    listed: defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, named), those in verbs.items():
        listed[group, tuple(sorted(those)), named].add(resource)
    folded = [Rule(group, tuple(sorted(those)), verbs, named) for (group, verbs, named), those in listed.items()]
    return tuple(sorted(folded, key=lambda rule: (not rule.actions, rule.group, rule.resources, rule.verbs)))


def _ordered(actions: Iterable[str]) -> tuple[str, ...]:
    """In the order of the catalogue."""
    return tuple(name for name in remedies.REMEDIES if name in set(actions))


def _reader(namespaces: Sequence[str]) -> Iterator[Role]:
    """All that is looked at: everywhere, or in these namespaces and of what is in none."""
    kept = {each.kind: each for each in resources.RESOURCES.values()}.values()
    inside: dict[Key, tuple[str, ...]] = {_LOG: ()}
    outside: dict[Key, tuple[str, ...]] = {}
    for each in kept:
        for verb in _READS.get(each.kind, _READ):
            (inside if each.namespaced else outside)[each.group, each.plural, verb] = ()
    if not namespaces:
        yield Role("reader", "reader", _folded(inside | outside))
        return
    yield Role("reader", "reader", _folded(outside))
    for name in sorted(set(namespaces)):
        yield Role("reader", "reader", _folded(inside), name)


def _impersonating(users: Sequence[str], groups: Sequence[str]) -> Iterator[Rule]:
    """By name: who may impersonate anybody is whoever has most rights.
    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    for resource, names in (("users", users), ("groups", groups)):
        if names:
            yield Rule("", (resource,), ("impersonate",), names=tuple(dict.fromkeys(names)))
