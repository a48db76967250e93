"""The policy as a value: what may be done where, by whom, how often and when not; and how two policies become one.

Frozen values only, without I/O and without a clock. `bot.policies` makes them of a file, `bot.settings` merges them
with the settings, `k8s.guardrails` judges by them. Every tuple in here is a set: order and repetition say nothing, and
the hash knows none. Where something is merged, a denial wins and the stricter of two bounds holds.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from k8s import model

Effect = Literal["allow", "deny"]
Default = Literal["ask", "deny"]
"""What holds for an action that no rule speaks of: people are asked, or it is denied."""
Ownership = Literal["warn", "advise", "refuse"]
"""What becomes of a change to something that GitOps owns, from lax to strict: done with a warning; not done, with a
word on where to change it instead; not done."""
Members = Mapping[str, frozenset[str]]
"""User group (`S…`) or channel (`C…`) → the user ids in it, as far as somebody has looked them up."""

ANYONE = "*"
"""As an approver: whoever can press the button. An explicit choice, never the default."""
NOBODY = ("",)
"""As approvers: somebody said who, and nobody is left. Not the same as nothing said."""
NO_MEMBERS: Members = {}
TIERS: tuple[model.RiskTier, ...] = get_args(model.RiskTier)
_OWNERSHIPS: tuple[Ownership, ...] = get_args(Ownership)
_NOT_HASHED = frozenset(("source",))
"""Where something is written: another line changes nothing of what it says."""


class Approvers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may approve: any of these. Empty: nobody."""

    users: tuple[str, ...] = ()
    """Slack user ids; `*` is everyone."""
    groups: tuple[str, ...] = ()
    """Ids of user groups (`S…`)."""
    channels: tuple[str, ...] = ()
    """Ids of channels (`C…`): their members."""

    @property
    def places(self) -> tuple[str, ...]:
        """Groups and channels: whose members somebody has to look up."""
        return (*self.groups, *self.channels)

    def people(self, members: Members = NO_MEMBERS) -> frozenset[str] | None:
        """Those who are known to be meant; None: everyone. A group that nobody has looked up is nobody."""
        if ANYONE in self.users:
            return None
        looked_up = [members.get(place, frozenset()) for place in self.places]
        return frozenset(user for user in frozenset(self.users).union(*looked_up) if user)


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an action of one risk tier needs."""

    approvers: tuple[Approvers, ...] = ()
    """An approver must be among each of these. Empty: nobody has said, and `Policy.approvers` counts alone."""
    approvals: int = 1
    """So many different people."""
    self_approval: bool = True
    """Whether who asked for it, or changed it, may be one of them."""
    reason_required: bool = False
    """Whether each of them has to say why."""


class Tiers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The three tiers. What is risky by every measure takes two people, unless somebody decides otherwise."""

    low: Tier = Tier()
    medium: Tier = Tier()
    high: Tier = Tier(approvals=2, reason_required=True)

    def of(self, tier: model.RiskTier) -> Tier:
        match tier:
            case "low":
                return self.low
            case "medium":
                return self.medium
            case _:
                return self.high


class Places(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Clusters and namespaces that a rule is about, as shell-style globs; empty: all of them."""

    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


class Rule(Places, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One allowance or denial. It is about what all of its conditions fit; an empty one fits everything."""

    effect: Effect
    name: str
    actions: tuple[str, ...] = ()
    """Names of the catalogue, or globs over them."""
    kinds: tuple[str, ...] = ()
    """Of the workload; of a denial also of the object that is written to (`Pod`)."""
    labels: tuple[str, ...] = ()
    """Requirements on the labels of the workload, all of which must hold: `team=db`, `env!=dev`, `team`, `!legacy`."""
    why: str = ""
    """What people are told besides the name."""
    source: str = ""
    """`file:line`."""

    def __str__(self) -> str:
        """As a card and the audit trail say it: `deny rule no-databases (policy.yaml:12)`."""
        return f"{self.effect} rule {self.name}" + (f" ({self.source})" if self.source else "")


class Ruleset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one file, with what holds where none of them fits. Several of them must all agree."""

    rules: tuple[Rule, ...] = ()
    default: Default = "ask"
    source: str = ""


class Freeze(Places, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which less may be done. With a schedule it begins again and again and lasts for `duration`; without one
    it is simply the time between `since` and `until`."""

    name: str
    reason: str = ""
    cron: str = ""
    duration: timedelta = timedelta(0)
    zone: str = "UTC"
    since: datetime | None = None
    """No earlier; None: from ever."""
    until: datetime | None = None
    """No later (this very moment is free again); None: for ever."""
    tiers: tuple[model.RiskTier, ...] = ()
    """Tiers that it stops; empty: all."""
    actions: tuple[str, ...] = ()
    """Actions that it stops, as globs; empty: all."""
    stops_undo: bool = False
    """Whether it also stops taking the last action back."""
    source: str = ""

    def __str__(self) -> str:
        return f"freeze {self.name}" + (f" ({self.source})" if self.source else "")


class Gitops(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a lasting change to something that one of these owns and would put back."""

    argocd: Ownership = "warn"
    flux: Ownership = "warn"
    helm: Ownership = "warn"

    def of(self, owner: str) -> Ownership:
        """By the owner's words, as `k8s.workloads.gitops` says them. One that is not known is treated as the strictest
        of the three."""
        name = owner.partition(" (")[0]
        known: Mapping[str, Ownership] = {"Argo CD": self.argocd, "Flux": self.flux, "Helm": self.helm}
        return known.get(name) or _strictest((self.argocd, self.flux, self.helm))


class Autonomous(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a watch in mode `autonomous` may do without anybody's approval: never more than what is of low risk and has
    a way back. As it is made without arguments: nothing."""

    enabled: bool = False
    listed: tuple[tuple[str, ...], ...] = ((),)
    """Globs over actions that need no record of success. An action is listed where each of these lists has it; every
    other one needs a record."""
    helped: int = 3
    """So many of its last tries in a row must have helped, where it is not listed."""
    delay: timedelta = timedelta(minutes=2)
    """From when Slack shows the announcement to when it is done: the time to press Stop."""
    per_workload_hour: int = 1
    per_cluster_hour: int = 3
    breaker: int = 2
    """After so many bad ends in a row nothing is done by itself any more, until a person closes the breaker."""


class Command(Places, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command that may be run in a container, with the places where it may be; an empty list fits all."""

    name: str
    line: str
    """Its argv as one line (`k8s.commands.line`). The order of words matters, and tuples in here have none."""
    containers: tuple[str, ...] = ()
    """Globs."""
    kinds: tuple[str, ...] = ()
    """Of the workload."""
    risk: Literal["medium", "high"] = "high"
    seconds: int = 30
    """How long it is waited for."""
    undo: str = ""
    """What people are told of why it cannot be taken back."""
    source: str = ""


class Commands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The commands of one file. Of several such lists each must have a command; without any list none may be run."""

    entries: tuple[Command, ...] = ()
    source: str = ""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done, and by whom. Its hash is part of every digest: a changed policy voids what it had allowed.

    As it is made without arguments it is the shipped default: nobody may approve anything until somebody is named.
    """

    read_only: bool = False
    approvers: tuple[str, ...] = ()
    """User ids that may approve in every tier. Empty: nobody has said, and only a tier that names approvers has any.
    `*`: anyone may."""
    protected_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    """Shell-style globs; nothing is done in these."""
    cooldown: timedelta = timedelta(minutes=5)
    """Least time between two equal actions on one workload: a rollout needs it to show what it did."""
    hourly_limit: int = 6
    """Most actions on one workload in an hour: when so many did not help, the next one will not."""
    cluster_hourly_limit: int = 30
    """Most actions on one cluster in an hour: so many workloads at once have a cause that none of them mends."""
    max_replicas: int = 50
    max_scale_factor: float = 4.0
    """At most so many times more, or fewer, replicas in one step."""
    tiers: Tiers = Tiers()
    rulesets: tuple[Ruleset, ...] = ()
    production: tuple[Places, ...] = ()
    """Where a risk counts for more: a cluster OR a namespace of these."""
    freezes: tuple[Freeze, ...] = ()
    gitops: Gitops = Gitops()
    autonomous: Autonomous = Autonomous()
    commands: tuple[Commands, ...] = ()
    """What may be run in containers; empty: nothing is, and what this is merged with decides."""

    @property
    def hash(self) -> str:
        """SHA-256 in hex over the canonical policy; the order of names plays no part. Shown by its first 16."""
        return hashlib.sha256(_encoded(canonical(self))).hexdigest()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, denials first, by name."""
        found = {_encoded(msgspec.to_builtins(rule)): rule for ruleset in self.rulesets for rule in ruleset.rules}
        return tuple(sorted(found.values(), key=lambda rule: (rule.effect != "deny", rule.name, rule.source)))


NEUTRAL = Policy(
    protected_namespaces=(),
    cooldown=timedelta(0),
    hourly_limit=2**31 - 1,
    cluster_hourly_limit=2**31 - 1,
    max_replicas=2**31 - 1,
    max_scale_factor=float(2**31 - 1),
    tiers=Tiers(high=Tier()),
    autonomous=Autonomous(
        enabled=True,
        listed=(),
        helped=0,
        delay=timedelta(0),
        per_workload_hour=2**31 - 1,
        per_cluster_hour=2**31 - 1,
        breaker=2**31 - 1,
    ),
)
"""Whatever it is merged with stays as it is."""


# --- the canonical form


def _encoded(tree: object) -> bytes:
    return msgspec.json.encode(tree, order="sorted")


def canonical(value: object) -> Any:
    """As plain JSON types, with everything sorted and nothing twice: equal policies have equal ones."""
    return _sorted(msgspec.to_builtins(value))


def _sorted(tree: object) -> object:
    if isinstance(tree, dict):
        return {key: _sorted(each) for key, each in tree.items() if key not in _NOT_HASHED}
    if isinstance(tree, list | tuple):
        by_text = {_encoded(each): each for each in map(_sorted, tree)}
        return [by_text[text] for text in sorted(by_text)]
    return tree


# --- merging


def merged(first: Policy, *others: Policy) -> Policy:
    """One policy that permits what all of them permit, and no more; in whatever order, of equal hash.

    One that says nothing of approvers leaves them to the others.
    """
    found = first
    for other in others:
        found = _merged(found, other)
    return found


def _merged(one: Policy, other: Policy) -> Policy:
    return Policy(
        read_only=one.read_only or other.read_only,
        approvers=_both(one.approvers, other.approvers),
        protected_namespaces=_union(one.protected_namespaces, other.protected_namespaces),
        cooldown=max(one.cooldown, other.cooldown),
        hourly_limit=min(one.hourly_limit, other.hourly_limit),
        cluster_hourly_limit=min(one.cluster_hourly_limit, other.cluster_hourly_limit),
        max_replicas=min(one.max_replicas, other.max_replicas),
        max_scale_factor=min(one.max_scale_factor, other.max_scale_factor),
        tiers=Tiers(
            low=_tier(one.tiers.low, other.tiers.low),
            medium=_tier(one.tiers.medium, other.tiers.medium),
            high=_tier(one.tiers.high, other.tiers.high),
        ),
        rulesets=_union(one.rulesets, other.rulesets),
        production=_union(one.production, other.production),
        freezes=_union(one.freezes, other.freezes),
        gitops=Gitops(
            argocd=_strictest((one.gitops.argocd, other.gitops.argocd)),
            flux=_strictest((one.gitops.flux, other.gitops.flux)),
            helm=_strictest((one.gitops.helm, other.gitops.helm)),
        ),
        autonomous=_autonomous(one.autonomous, other.autonomous),
        commands=_union(one.commands, other.commands),
    )


def _autonomous(one: Autonomous, other: Autonomous) -> Autonomous:
    return Autonomous(
        enabled=one.enabled and other.enabled,
        listed=_union(one.listed, other.listed),
        helped=max(one.helped, other.helped),
        delay=max(one.delay, other.delay),
        per_workload_hour=min(one.per_workload_hour, other.per_workload_hour),
        per_cluster_hour=min(one.per_cluster_hour, other.per_cluster_hour),
        breaker=min(one.breaker, other.breaker),
    )


def _tier(one: Tier, other: Tier) -> Tier:
    return Tier(
        approvers=_union(one.approvers, other.approvers),
        approvals=max(one.approvals, other.approvals),
        self_approval=one.self_approval and other.self_approval,
        reason_required=one.reason_required or other.reason_required,
    )


def _both(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """Users whom both name; where only one of them says anything, that one."""
    if not one or not other:
        return tuple(sorted({*one, *other}))
    if ANYONE in one or ANYONE in other:
        kept = {*one, *other} if ANYONE in one and ANYONE in other else set(other if ANYONE in one else one)
    else:
        kept = set(one) & set(other)
    return tuple(sorted(kept)) or NOBODY


def _union(one: Iterable[Any], other: Iterable[Any]) -> tuple[Any, ...]:
    """Each once, in the canonical order."""
    found = {_encoded(msgspec.to_builtins(each)): each for each in (*one, *other)}
    return tuple(found[text] for text in sorted(found))


def _strictest(given: Iterable[Ownership]) -> Ownership:
    return max(given, key=_OWNERSHIPS.index)


def asking_anyone(rules: Policy) -> Policy:
    """The same where anyone might approve: for a look at what could be done, where nothing is."""
    tiers = {name: msgspec.structs.replace(rules.tiers.of(name), approvers=()) for name in TIERS}
    return msgspec.structs.replace(rules, approvers=(ANYONE,), read_only=False, tiers=Tiers(**tiers))


# --- who may approve


def circles(policy: Policy, tier: model.RiskTier) -> tuple[Approvers, ...]:
    """The circles of people that an approver of this tier must be in, each of them; none: nobody may approve."""
    own = (Approvers(users=policy.approvers),) if policy.approvers else ()
    return (*own, *policy.tiers.of(tier).approvers)


def people(policy: Policy, tier: model.RiskTier, members: Members = NO_MEMBERS) -> frozenset[str] | None:
    """Everyone who is known to be an approver of this tier; None: anyone is."""
    asked = circles(policy, tier)
    if not asked:
        return frozenset()
    bounded = [found for circle in asked if (found := circle.people(members)) is not None]
    return frozenset.intersection(*bounded) if bounded else None


def unknown_places(policy: Policy, tier: model.RiskTier, members: Members) -> tuple[str, ...]:
    """User groups and channels of this tier whose members nobody has looked up: they count as empty."""
    return tuple(
        dict.fromkeys(place for circle in circles(policy, tier) for place in circle.places if place not in members)
    )


def named(policy: Policy, tier: model.RiskTier) -> tuple[str, ...]:
    """Who may approve, as names for people: users who can be in every circle, then user groups and channels."""
    asked = circles(policy, tier)
    bounded = [circle for circle in asked if ANYONE not in circle.users]
    if not bounded:
        return (ANYONE,) if asked else ()
    return tuple(dict.fromkeys((*_users(bounded), *(place for circle in bounded for place in circle.places))))


def _users(asked: Sequence[Approvers]) -> Iterator[str]:
    """Users of one circle who are in the others as well, or may be by a group of theirs."""
    for user in dict.fromkeys(user for circle in asked for user in circle.users):
        if user and all(user in circle.users or circle.places for circle in asked):
            yield user
