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
        Part("What is done by itself", tuple(_alone(rules))),
        Part("What makes a risk higher", tuple(_risks(rules, place))),
        Part("When not", tuple(_freezes(rules, place, now))),
        Part("How often, how much", tuple(_limits(rules))),
        Part("What GitOps owns", tuple(_gitops(rules))),
        Part("What may be run in containers", tuple(_commands(rules, place))),
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


_NO_APPROVERS = "no approvers are set, by WATCHKEEPER_APPROVERS or the tier"


def _tiers(rules: policy.Policy, naming: Naming) -> Iterator[str]:
    someone = any(policy.circles(rules, tier) for tier in policy.TIERS)
    if not someone:
        yield f"Nobody: {_NO_APPROVERS}."
    for tier in policy.TIERS:
        asked = rules.tiers.of(tier)
        count = "one person" if asked.approvals < 2 else f"{asked.approvals} different people"
        words = [f"{_start(tier)} risk: {count}{f' {_circles(rules, tier, naming)}' if someone else ''}"]
        words += ["each with a reason"] if asked.reason_required else []
        words += [] if asked.self_approval else ["not who asked for it"]
        yield f"{', '.join(words)}."


def _circles(rules: policy.Policy, tier: model.RiskTier, naming: Naming) -> str:
    circles = policy.circles(rules, tier)
    bounded = [circle for circle in circles if policy.ANYONE not in circle.users]
    if not circles:
        return f"of nobody ({_NO_APPROVERS})"
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


def _alone(rules: policy.Policy) -> Iterator[str]:
    asked = rules.autonomous
    if not asked.enabled:
        yield "Nothing: people approve whatever is done."
        return
    low = rules.tiers.low
    if low.approvals > 1 or low.reason_required:
        yield "Nothing: what is of low risk takes two people or a reason, and nothing else is ever done by itself."
        return
    yield (
        "In watches of mode autonomous, what is of low risk, can be undone, and helped each of the last "
        f"{asked.helped} times that it was tried on the workload{_listed(asked)}."
    )
    yield f"It is announced, and done {_span(asked.delay)} after Slack shows that, unless an approver presses Stop."
    yield f"At most {asked.per_workload_hour} times an hour on one workload, {asked.per_cluster_hour} on one cluster."
    yield f"After {asked.breaker} bad ends in a row nothing more is done by itself until an approver says so."


def _listed(asked: policy.Autonomous) -> str:
    """The lists that an action has to be on, each of them; empty where none can be on all."""
    lists = [_globs(sorted(globs)) for globs in asked.listed]
    return f" (no such record is needed of {' that is also of '.join(lists)})" if all(lists) and lists else ""


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
    owners: dict[str, list[str]] = {}
    for name, stance in (("Argo CD", "argocd"), ("Flux", "flux"), ("Helm", "helm")):
        owners.setdefault(says[getattr(rules.gitops, stance)], []).append(name)
    for done, names in owners.items():
        yield f"What {_or(names)} manages is {done}."


def _commands(rules: policy.Policy, place: Place) -> Iterator[str]:
    if place.action and not policy_rules.fits((place.action,), "exec-command"):
        return
    if not any(listed.entries for listed in rules.commands):
        yield "Nothing is run in a container: the policy lists no commands."
        return
    if len(rules.commands) > 1:
        yield "A command must be in each of the lists."
    for entry in (one for listed in rules.commands for one in listed.entries if _touches(one, place)):
        words = [f"`{entry.line}`"]
        words += [f"in container {_globs(entry.containers)}"] if entry.containers else []
        words += [f"of a {_or(entry.kinds)}"] if entry.kinds else []
        words += [where] if (where := _where(entry)) else []
        source = f", {entry.source}" if entry.source else ""
        undo = f" {entry.undo.rstrip('.')}." if entry.undo else ""
        bounds = f"for at most {entry.seconds} s, of {entry.risk} risk{source}"
        yield f"{_start(entry.name)}: {' '.join(words)}, {bounds}.{undo}"


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
