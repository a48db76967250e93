"""Which rules and freezes of a policy are about an action, and what they say of it together.

Pure. Called by `k8s.guardrails`, and by `k8s.policy_words` to tell people. What cannot be known (the cluster's name,
the labels of a workload that could not be read) fits a denial and a freeze, and never an allowance.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from k8s import fields, model, policy, schedules


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done, as rules speak of it."""

    action: str
    """The name in the catalogue; of an action of somebody's own, its own (`custom-…`)."""
    cluster: str
    """Empty where it is not known."""
    namespaces: frozenset[str]
    """Of the workload and of all that is written to."""
    kind: str
    """Of the workload."""
    written: frozenset[str]
    """Kinds of what is written to."""
    labels: tuple[Mapping[str, str], ...]
    """Of the workload; after it, of the object that is written to, where that is another one. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say together."""

    denials: tuple[str, ...]
    """Sentences; empty where nothing is denied."""
    by: str
    """Which rule decided: `deny rule no-databases (policy.yaml:12)`, or the default."""


def deed(action: model.Action, operations: Sequence[model.Operation], target: model.Target, cluster: str) -> Deed:
    refs = [action.workload, target.ref, *(operation.target for operation in operations)]
    known = [obj for obj in (target.owner, target.object) if obj is not None]
    aimed = {operation.target.uid for operation in operations}
    # Of one in steps, whose operations are aimed at pods of many workloads.
    known += [pod for pod in target.pods if pod is not target.object and fields.uid(pod) in aimed - {target.ref.uid}]
    return Deed(
        action=action.name if isinstance(action, model.Custom) else model.name_of(action),
        cluster=cluster,
        namespaces=frozenset(ref.namespace for ref in refs),
        kind=action.workload.kind,
        written=frozenset(ref.kind for ref in refs) | {fields.text(op.body, "kind") for op in operations} - {""},
        labels=tuple(fields.labels(obj) for obj in known),
    )


def ruling(rules: policy.Policy, what: Deed) -> Ruling:
    """Denials win wherever they stand; then every set of rules must allow it, by a rule or by its default."""
    denying = [rule for rule in rules.rules if rule.effect == "deny" and denies(rule, what)]
    if denying:
        return Ruling(tuple(_denial(rule) for rule in denying), str(denying[0]))
    refused: list[str] = []
    decided: list[str] = []
    for ruleset in sorted(rules.rulesets, key=lambda one: one.source):
        allowing = sorted(str(rule) for rule in ruleset.rules if rule.effect == "allow" and allows(rule, what))
        where = f" ({ruleset.source})" if ruleset.source else ""
        decided.append(allowing[0] if allowing else f"default {ruleset.default}{where}")
        if not allowing and ruleset.default == "deny":
            refused.append(f"No rule of the policy allows {what.action} here, and its default is to deny{where}.")
    return Ruling(tuple(refused), "; ".join(decided) or "default ask")


def _denial(rule: policy.Rule) -> str:
    told = f"The policy denies this: {rule}"
    return f"{told}: {rule.why.rstrip('.')}." if rule.why else f"{told}."


# --- whether a rule is about it


def denies(rule: policy.Rule, what: Deed) -> bool:
    """Whether a denial is about it: by any of its namespaces, kinds and labels, and by whatever is not known."""
    return (
        fits(rule.actions, what.action)
        and _somewhere(rule, what.cluster, what.namespaces)
        and (not rule.kinds or bool({what.kind, *what.written} & set(rule.kinds)))
        and (not rule.labels or not what.labels or any(_selected(rule.labels, each) for each in what.labels))
    )


def allows(rule: policy.Rule, what: Deed) -> bool:
    """Whether an allowance is about it: by all of its namespaces, and by the workload's own kind and labels."""
    return (
        fits(rule.actions, what.action)
        and (not rule.clusters or (bool(what.cluster) and fits(rule.clusters, what.cluster)))
        and all(fits(rule.namespaces, namespace) for namespace in what.namespaces)
        and (not rule.kinds or what.kind in rule.kinds)
        and (not rule.labels or (bool(what.labels) and _selected(rule.labels, what.labels[0])))
    )


def fits(globs: Sequence[str], name: str) -> bool:
    """Whether one of the globs fits; where there is none, everything does."""
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _somewhere(places: policy.Places, cluster: str, namespaces: frozenset[str]) -> bool:
    """Whether this may be one of the places: a cluster whose name is not known may be any."""
    return (not cluster or fits(places.clusters, cluster)) and any(fits(places.namespaces, one) for one in namespaces)


def _selected(requirements: Sequence[str], labels: Mapping[str, str]) -> bool:
    """As the API server reads them: `env!=dev` fits what has no `env` as well.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#equality-based-requirement
    """
    return all(_holds(requirement, labels) for requirement in requirements)


def _holds(requirement: str, labels: Mapping[str, str]) -> bool:
    if requirement.startswith("!"):
        return requirement[1:] not in labels
    key, equals, value = requirement.partition("=")
    if not equals:
        return key in labels
    if key.endswith("!"):
        return labels.get(key[:-1]) != value
    return labels.get(key) == value.removeprefix("=")


def relabelled(rules: policy.Policy, action: model.Action, operations: Sequence[model.Operation]) -> Iterator[str]:
    """Of an action of somebody's own: labels that a rule goes by. Changed, what that rule denies would be free next."""
    if not isinstance(action, model.Custom):
        return
    asked = {_key(requirement) for rule in rules.rules for requirement in rule.labels}
    for operation in operations:
        paths = (("metadata", "labels"), ("spec", "template", "metadata", "labels"))
        written = {key for path in paths for key in fields.mapping(operation.body, *path)}
        for key in sorted(asked & written):
            yield f"Label {key} decides which rules of the policy hold, so it is not changed from here."


def _key(requirement: str) -> str:
    return requirement.removeprefix("!").partition("=")[0].removesuffix("!")


def touching(places: policy.Places, cluster: str, namespace: str) -> bool:
    """Whether something may be about this place; an empty name is any."""
    return (not cluster or fits(places.clusters, cluster)) and (not namespace or fits(places.namespaces, namespace))


def in_production(rules: policy.Policy, cluster: str, namespaces: frozenset[str]) -> bool:
    """Whether the policy calls the cluster or a namespace production; a cluster that is not known is, where one is."""
    for place in rules.production:
        if place.clusters and (not cluster or fits(place.clusters, cluster)):
            return True
        if place.namespaces and any(fits(place.namespaces, namespace) for namespace in namespaces):
            return True
    return False


# --- freezes


def frozen(rules: policy.Policy, what: Deed, tier: model.RiskTier, now: datetime, *, back: bool) -> Iterator[str]:
    """Why it is stopped now, a sentence for each freeze. `back`: it takes the last action back."""
    for freeze in sorted(rules.freezes, key=lambda one: (one.name, one.source)):
        stops = (not freeze.tiers or tier in freeze.tiers) and fits(freeze.actions, what.action)
        here = _somewhere(freeze, what.cluster, what.namespaces)
        if not stops or not here or (back and not freeze.stops_undo):
            continue
        if (window := window_of(freeze, now)) is not None:
            yield f"{_told(freeze, window)}."


def _told(freeze: policy.Freeze, window: "Window") -> str:
    ends = "" if window.ends is None else f", until {moment(window.ends, freeze.zone)}"
    return f"Frozen by {freeze}{ends}" + (f": {freeze.reason.rstrip('.')}" if freeze.reason else "")


@dataclass(frozen=True, slots=True)
class Window:
    """A freeze that holds now."""

    ends: datetime | None
    """None: nobody said when."""


def window_of(freeze: policy.Freeze, now: datetime) -> Window | None:
    """The freeze as it holds now; None where it does not. One whose schedule cannot be read holds all the time."""
    if (freeze.since is not None and now < freeze.since) or (freeze.until is not None and now >= freeze.until):
        return None
    if not freeze.cron:
        return Window(freeze.until)
    schedule = schedules.parse(freeze.cron, freeze.zone)
    if schedule is None:
        return Window(freeze.until)
    began = schedules.latest(schedule, now - freeze.duration, now)
    if began is None:
        return None
    ends = began + freeze.duration
    return Window(ends if freeze.until is None else min(ends, freeze.until))


def moment(at: datetime, zone: str) -> str:
    """`2026-11-27 18:00 Europe/Berlin`; in UTC where the zone is not known."""
    where = schedules.zone_of(zone)
    return f"{at.astimezone(where):%Y-%m-%d %H:%M} {where}"
