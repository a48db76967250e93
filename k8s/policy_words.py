"""A policy in plain sentences: what may be done, where, by whom, how often and when not.

Pure. Called for `watchkeeper policy` and `/watch policy`, which differ in how they name people (`naming`). The names
and reasons of rules are the policy's own text; nothing of a cluster is in it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import model, policy, policy_rules

Naming = Callable[[str], str]
"""An approver's id (user, user group or channel) → what people read."""

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))
_WHO = {"U": "user", "W": "user", "S": "user group", "C": "channel", "G": "channel"}


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked about; empty: anything."""

    cluster: str = ""
    namespace: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A few sentences under one title."""

    title: str
    lines: tuple[str, ...]


def naming(approver: str) -> str:
    """For a terminal: `user U0123`, `user group S0123`."""
    return f"{_WHO.get(approver[:1], 'user')} {approver}"


def told(
    rules: policy.Policy, now: datetime, *, about: Place | None = None, naming: Naming = naming
) -> tuple[Part, ...]:
    """All that the policy says of a place and an action; parts that say nothing are left out."""
    place = about or Place()
    parts = (
        Part("What may be done", (*_switches(rules), *_rules(rules, place))),
        Part("Who approves", tuple(_tiers(rules, naming))),
        Part("What makes a risk higher", tuple(_risks(rules, place))),
        Part("When not", tuple(_freezes(rules, place, now))),
        Part("How often, how much", tuple(_limits(rules))),
        Part("What GitOps owns", tuple(_gitops(rules))),
    )
    return tuple(part for part in parts if part.lines)


def concerns(rules: policy.Policy) -> Iterator[str]:
    """What is allowed but should be known: tiers that nobody or everybody may approve, allowances without effect."""
    for tier in policy.TIERS:
        yield from _concern(rules, tier)
    asking = [ruleset for ruleset in rules.rulesets if ruleset.default == "ask"]
    for rule in (rule for ruleset in asking for rule in ruleset.rules if rule.effect == "allow"):
        yield f"{_start(str(rule))} changes nothing: the default is to ask people for whatever no rule denies."
    for ruleset in rules.rulesets:
        if ruleset.default == "deny" and not any(rule.effect == "allow" for rule in ruleset.rules):
            yield "Nothing may be done at all: the default is to deny, and no rule allows anything."


def _concern(rules: policy.Policy, tier: model.RiskTier) -> Iterator[str]:
    people, needed = policy.people(rules, tier), rules.tiers.of(tier).approvals
    if people is None:
        yield f"Everyone in the Slack workspace may approve what is of {tier} risk."
    elif any(circle.places for circle in policy.circles(rules, tier)):
        return  # who is in a group or channel is known in Slack only
    elif not people:
        yield f"Nobody may approve what is of {tier} risk."
    elif len(people) < needed:
        yield f"What is of {tier} risk needs {needed} people, and only {len(people)} may approve it."


# --- what may be done


def _switches(rules: policy.Policy) -> Iterator[str]:
    if rules.read_only:
        yield "Read-only: nothing is changed in any cluster."


def _rules(rules: policy.Policy, place: Place) -> Iterator[str]:
    guarded = [glob for glob in rules.protected_namespaces if _touches(policy.Places(namespaces=(glob,)), place)]
    if guarded:
        yield f"Nothing is changed in namespace {_globs(guarded)}, nor in what is marked `watchkeeper.io/protected`."
    else:
        yield "Nothing is changed in what is marked `watchkeeper.io/protected`."
    for rule in rules.rules:
        if _about(rule, place):
            yield f"{_start(_effect(rule))}: {_sentence(rule)}"
    if any(ruleset.default == "deny" for ruleset in rules.rulesets):
        yield "Whatever no rule allows is denied."
    else:
        yield "For everything else people are asked."


def _about(rule: policy.Rule, place: Place) -> bool:
    return _touches(rule, place) and (not place.action or policy_rules.fits(rule.actions, place.action))


def _touches(places: policy.Places, place: Place) -> bool:
    return policy_rules.touching(places, place.cluster, place.namespace)


def _effect(rule: policy.Rule) -> str:
    return "denied" if rule.effect == "deny" else "allowed"


def _sentence(rule: policy.Rule) -> str:
    words = [_globs(rule.actions) if rule.actions else "every action"]
    words += [f"on a {_or(rule.kinds)}"] if rule.kinds else []
    words += [f"with the labels `{', '.join(rule.labels)}`"] if rule.labels else []
    words.append(_where(rule))
    source = f", {rule.source}" if rule.source else ""
    why = f" {rule.why.rstrip('.')}." if rule.why else ""
    return f"{' '.join(word for word in words if word)} (rule {rule.name}{source}).{why}"


def _where(places: policy.Places) -> str:
    words = [f"in namespace {_globs(places.namespaces)}"] if places.namespaces else []
    words += [f"{'of' if words else 'in'} cluster {_globs(places.clusters)}"] if places.clusters else []
    return " ".join(words)


# --- who approves


def _tiers(rules: policy.Policy, naming: Naming) -> Iterator[str]:
    for tier in policy.TIERS:
        asked = rules.tiers.of(tier)
        count = "one person" if asked.approvals < 2 else f"{asked.approvals} different people"
        words = [f"{_start(tier)} risk: {count} {_circles(rules, tier, naming)}"]
        words += ["each with a reason"] if asked.reason_required else []
        words += [] if asked.self_approval else ["not who asked for it"]
        yield f"{', '.join(words)}."


def _circles(rules: policy.Policy, tier: model.RiskTier, naming: Naming) -> str:
    circles = policy.circles(rules, tier)
    bounded = [circle for circle in circles if policy.ANYONE not in circle.users]
    if not circles:
        return "of nobody (no approvers are set: WATCHKEEPER_APPROVERS, or the tier's own)"
    if not bounded:
        return "of all in the Slack workspace"
    named = [[naming(one) for one in (*circle.users, *circle.places) if one] for circle in bounded]
    return "of " + ", who must also be among ".join(_or(names) if names else "nobody" for names in named)


def _risks(rules: policy.Policy, place: Place) -> Iterator[str]:
    yield (
        "Each action has a risk of its own. It is at least medium where it meets a StatefulSet or volumes that "
        "outlive the pods, touches more than half of the replicas, or finds no room: a PodDisruptionBudget that allows "
        "none, or half of the replicas not ready."
    )
    yield "With three of these it is high; in production two are enough, where production counts as one of them."
    if not rules.production:
        return
    yield f"Production: {'; '.join(_either(one) for one in rules.production)}."
    if any(_known_to_be(one, place) for one in rules.production):
        yield "This is production."


def _known_to_be(production: policy.Places, place: Place) -> bool:
    by_cluster = bool(place.cluster and production.clusters) and policy_rules.fits(production.clusters, place.cluster)
    by_name = bool(place.namespace and production.namespaces)
    return by_cluster or (by_name and policy_rules.fits(production.namespaces, place.namespace))


def _either(places: policy.Places) -> str:
    words = [f"cluster {_globs(places.clusters)}"] if places.clusters else []
    words += [f"namespace {_globs(places.namespaces)}"] if places.namespaces else []
    return " and ".join(words)


# --- when, how often, who else


def _freezes(rules: policy.Policy, place: Place, now: datetime) -> Iterator[str]:
    for freeze in sorted(rules.freezes, key=lambda one: (one.name, one.source)):
        if not _touches(freeze, place) or (place.action and not policy_rules.fits(freeze.actions, place.action)):
            continue
        if freeze.until is not None and now >= freeze.until:
            continue
        yield f"{_start(str(freeze))}: {_stopped(freeze)} {_time(freeze)}{_state(freeze, now)}.{_because(freeze)}"


def _stopped(freeze: policy.Freeze) -> str:
    words = [_globs(freeze.actions) if freeze.actions else "every action"]
    words += [f"of {_or(freeze.tiers)} risk"] if freeze.tiers else []
    words += [where] if (where := _where(freeze)) else []
    undo = "and undo is stopped too" if freeze.stops_undo else "but for undo"
    return f"{' '.join(words)} is stopped, {undo},"


def _time(freeze: policy.Freeze) -> str:
    words = []
    if freeze.cron:
        words.append(f"for {_span(freeze.duration)} from each `{freeze.cron}` ({freeze.zone})")
    if freeze.since is not None:
        words.append(f"from {policy_rules.moment(freeze.since, freeze.zone)}")
    if freeze.until is not None:
        words.append(f"until {policy_rules.moment(freeze.until, freeze.zone)}")
    return " ".join(words)


def _state(freeze: policy.Freeze, now: datetime) -> str:
    window = policy_rules.window_of(freeze, now)
    if window is None:
        return "; not now"
    return "; now" + ("" if window.ends is None else f", until {policy_rules.moment(window.ends, freeze.zone)}")


def _because(freeze: policy.Freeze) -> str:
    return f" {freeze.reason.rstrip('.')}." if freeze.reason else ""


def _limits(rules: policy.Policy) -> Iterator[str]:
    yield (
        f"The same action on one workload waits {_span(rules.cooldown)}; at most {rules.hourly_limit} actions an hour "
        f"on one workload, {rules.cluster_hourly_limit} on one cluster. Taking the last action back never waits."
    )
    yield f"At most {rules.max_replicas} replicas, and {rules.max_scale_factor:g} times more or fewer in one step."


def _gitops(rules: policy.Policy) -> Iterator[str]:
    says = {
        "warn": "changed with a warning that it will be put back",
        "advise": "not changed from here; the card says where to open a change instead",
        "refuse": "not changed from here",
    }
    for name, stance in (("Argo CD", "argocd"), ("Flux", "flux"), ("Helm", "helm")):
        yield f"{name}: what it manages is {says[getattr(rules.gitops, stance)]}."


# --- words


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _or(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _globs(names: Sequence[str]) -> str:
    """In code font: their stars are no formatting."""
    return _or([f"`{name}`" for name in names])


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds and seconds % size == 0), ("s", 1))
    return f"{seconds // size}{unit}"
