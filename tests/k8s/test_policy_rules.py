"""Rules and freezes: a denial wins whatever the order, and what is not known fits a denial and never an allowance."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, policy, policy_rules
from tests.k8s import ruling_books as books

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
"""A Saturday."""
API = {"app": "api", "team": "shop"}


def deed(**more: Any) -> policy_rules.Deed:
    usual: dict[str, Any] = {
        "action": "rollout-restart",
        "cluster": "prod-eu",
        "namespaces": frozenset(("payments",)),
        "kind": "Deployment",
        "written": frozenset(("Deployment",)),
        "labels": (API,),
    }
    return policy_rules.Deed(**{**usual, **more})


def rule(effect: policy.Effect = "deny", **more: Any) -> policy.Rule:
    return policy.Rule(**{"effect": effect, "name": "r", "source": "p.yaml:3", **more})


def held(*rules: policy.Rule, default: policy.Default = "ask") -> policy.Policy:
    return policy.Policy(rulesets=(policy.Ruleset(rules=rules, default=default, source="p.yaml"),))


CONDITIONS = [
    ({}, True),
    ({"actions": ("rollout-restart",)}, True),
    ({"actions": ("scale", "rollout-*")}, True),
    ({"actions": ("scale",)}, False),
    ({"clusters": ("prod-*",)}, True),
    ({"clusters": ("dev",)}, False),
    ({"namespaces": ("pay*",)}, True),
    ({"namespaces": ("web",)}, False),
    ({"kinds": ("Deployment",)}, True),
    ({"kinds": ("StatefulSet",)}, False),
    ({"labels": ("app=api",)}, True),
    ({"labels": ("app==api", "team")}, True),
    ({"labels": ("app=web",)}, False),
    ({"labels": ("app!=web",)}, True),
    ({"labels": ("env!=dev",)}, True),
    ({"labels": ("app!=api",)}, False),
    ({"labels": ("!legacy",)}, True),
    ({"labels": ("!app",)}, False),
    ({"labels": ("app=api", "owner")}, False),
    ({"namespaces": ("payments",), "actions": ("scale",)}, False),
]


@pytest.mark.parametrize(("conditions", "fits"), CONDITIONS)
def test_a_rule_is_about_what_all_its_conditions_fit(conditions: dict[str, Any], fits: bool) -> None:
    assert policy_rules.denies(rule(**conditions), deed()) is fits
    assert policy_rules.allows(rule("allow", **conditions), deed()) is fits


@pytest.mark.parametrize(
    ("unknown", "conditions"),
    [
        ({"cluster": ""}, {"clusters": ("prod-eu",)}),
        ({"labels": ()}, {"labels": ("app=api",)}),
        ({"written": frozenset(("Deployment", "Pod"))}, {"kinds": ("Pod",)}),
        ({"namespaces": frozenset(("payments", "web"))}, {"namespaces": ("web",)}),
        ({"labels": (API, {"tier": "front"})}, {"labels": ("tier",)}),
    ],
)
def test_what_is_not_known_or_only_partly_so_is_denied_and_never_allowed(
    unknown: dict[str, Any], conditions: dict[str, Any]
) -> None:
    assert policy_rules.denies(rule(**conditions), deed(**unknown))
    assert not policy_rules.allows(rule("allow", **conditions), deed(**unknown))


def test_the_rule_that_decides_is_named_with_its_line() -> None:
    why = rule(name="no restarts", actions=("rollout-*",), why="Ask the team.")
    ours = rule("allow", name="ours", source="p.yaml:9")
    ruling = policy_rules.ruling(held(ours, why), deed())
    assert ruling.by == "deny rule no restarts (p.yaml:3)"
    assert ruling.denials == ("The policy denies this: deny rule no restarts (p.yaml:3): Ask the team.",)
    assert policy_rules.ruling(held(ours), deed()) == policy_rules.Ruling((), "allow rule ours (p.yaml:9)")
    assert policy_rules.ruling(held(), deed()) == policy_rules.Ruling((), "default ask (p.yaml)")
    assert policy_rules.ruling(policy.Policy(), deed()) == policy_rules.Ruling((), "default ask")


def test_where_the_default_is_to_deny_only_what_a_rule_allows_may_be_done() -> None:
    only = held(rule("allow", actions=("scale",)), default="deny")
    assert policy_rules.ruling(only, deed(action="scale")).denials == ()
    ruling = policy_rules.ruling(only, deed())
    assert "No rule of the policy allows rollout-restart here" in ruling.denials[0]
    assert ruling.by == "default deny (p.yaml)"


deeds = st.builds(
    policy_rules.Deed,
    action=st.sampled_from(books.ACTIONS),
    cluster=st.sampled_from((*books.CLUSTERS, "")),
    namespaces=st.frozensets(st.sampled_from(books.NAMESPACES), min_size=1, max_size=2),
    kind=st.sampled_from(books.KINDS),
    written=st.frozensets(st.sampled_from(books.KINDS), max_size=2),
    labels=st.lists(st.sampled_from(({}, {"app": "api"}, {"app": "web", "team": "db"})), max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=300)
@given(deeds, books.denials, st.lists(books.policies, min_size=1, max_size=3), st.data())
def test_no_policy_however_merged_permits_what_a_deny_names(
    what: policy_rules.Deed, denial: policy.Rule, others: list[policy.Policy], data: st.DataObject
) -> None:
    parts = data.draw(st.permutations([held(denial), *others]))
    if policy_rules.denies(denial, what):
        assert policy_rules.ruling(policy.merged(*parts), what).denials


@settings(deadline=None, max_examples=200)
@given(deeds, books.rulesets, books.denials, st.data())
def test_a_deny_wins_whatever_the_order_and_adding_one_never_permits_more(
    what: policy_rules.Deed, ruleset: policy.Ruleset, denial: policy.Rule, data: st.DataObject
) -> None:
    before = policy_rules.ruling(policy.Policy(rulesets=(ruleset,)), what)
    rules = data.draw(st.permutations([*ruleset.rules, denial]))
    more = msgspec.structs.replace(ruleset, rules=tuple(rules))
    after = policy_rules.ruling(policy.Policy(rulesets=(more,)), what)
    assert bool(after.denials) == (bool(before.denials) or policy_rules.denies(denial, what))


@settings(deadline=None, max_examples=200)
@given(deeds, st.lists(books.policies, min_size=2, max_size=3))
def test_a_merged_policy_allows_only_what_each_of_its_parts_allows(
    what: policy_rules.Deed, parts: list[policy.Policy]
) -> None:
    allowed = [not policy_rules.ruling(part, what).denials for part in parts]
    assert (not policy_rules.ruling(policy.merged(*parts), what).denials) == all(allowed)


# --- production


@pytest.mark.parametrize(
    ("places", "cluster", "production"),
    [
        ({"clusters": ("prod-*",)}, "prod-eu", True),
        ({"clusters": ("prod-*",)}, "dev", False),
        ({"clusters": ("prod-*",)}, "", True),
        ({"namespaces": ("payments",)}, "dev", True),
        ({"namespaces": ("web",)}, "prod-eu", False),
        ({"clusters": ("prod-*",), "namespaces": ("payments",)}, "dev", True),
    ],
)
def test_a_place_is_production_by_its_cluster_or_its_namespace(
    places: dict[str, Any], cluster: str, production: bool
) -> None:
    rules = policy.Policy(production=(policy.Places(**places),))
    assert policy_rules.in_production(rules, cluster, frozenset(("payments",))) is production


# --- freezes


def freeze(**more: Any) -> policy.Freeze:
    return policy.Freeze(**{"name": "night", "cron": "0 2 * * *", "duration": timedelta(hours=2), **more})


def frozen(
    one: policy.Freeze, tier: model.RiskTier = "medium", *, now: datetime = NOW, back: bool = False, **more: Any
) -> list[str]:
    return list(policy_rules.frozen(policy.Policy(freezes=(one,)), deed(**more), tier, now, back=back))


@pytest.mark.parametrize(
    ("minutes", "holds"),
    [(-61, False), (-60, True), (0, True), (59, True), (60, False), (1380, True)],
)
def test_a_freeze_begins_by_its_schedule_and_lasts_as_long_as_it_says(minutes: int, holds: bool) -> None:
    assert bool(frozen(freeze(), now=NOW + timedelta(minutes=minutes))) is holds


def test_a_freeze_says_until_when_and_why() -> None:
    weekend = freeze(
        name="weekend", cron="0 16 * * fri", duration=timedelta(hours=62), zone="Europe/Berlin", reason="Nobody is in.",
        source="p.yaml:5",
    )  # fmt: skip
    told = ["Frozen by freeze weekend (p.yaml:5), until 2026-11-23 06:00 Europe/Berlin: Nobody is in."]
    assert frozen(weekend) == told
    assert frozen(weekend, now=datetime(2026, 11, 20, 14, 59, tzinfo=UTC)) == []
    assert frozen(weekend, now=datetime(2026, 11, 20, 15, 0, tzinfo=UTC)) == told


def test_a_freeze_keeps_its_hour_when_the_clocks_change() -> None:
    night = freeze(cron="0 22 * * *", duration=timedelta(hours=8), zone="Europe/Berlin")
    for day in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        winter_or_summer = [hour for hour in range(48) if frozen(night, now=day + timedelta(hours=hour))]
        begins = [hour for hour in winter_or_summer if hour - 1 not in winter_or_summer and hour]
        assert begins in ([21, 44], [20, 45]), begins


def test_a_freeze_without_a_schedule_holds_between_its_ends() -> None:
    xmas = policy.Freeze(name="xmas", since=NOW, until=NOW + timedelta(days=9))
    assert frozen(xmas) == ["Frozen by freeze xmas, until 2026-11-30 03:00 UTC."]
    assert frozen(xmas, now=NOW - timedelta(seconds=1)) == []
    assert frozen(xmas, now=NOW + timedelta(days=9)) == []
    assert frozen(freeze(until=NOW)) == []
    assert "until 2026-11-21 03:30 UTC" in frozen(freeze(until=NOW + timedelta(minutes=30)))[0]
    assert frozen(freeze(since=NOW + timedelta(seconds=1))) == []


def test_a_freeze_whose_schedule_or_zone_cannot_be_read_holds_all_the_time() -> None:
    assert frozen(freeze(cron="whenever")) == ["Frozen by freeze night."]
    assert frozen(freeze(zone="Mars/Olympus")) == ["Frozen by freeze night."]


@pytest.mark.parametrize(
    ("narrow", "holds"),
    [
        ({"tiers": ("medium", "high")}, True),
        ({"tiers": ("high",)}, False),
        ({"actions": ("rollout-*",)}, True),
        ({"actions": ("scale",)}, False),
        ({"clusters": ("prod-*",)}, True),
        ({"clusters": ("dev",)}, False),
        ({"namespaces": ("payments",)}, True),
        ({"namespaces": ("web",)}, False),
    ],
)
def test_a_freeze_stops_what_it_is_about(narrow: dict[str, Any], holds: bool) -> None:
    assert bool(frozen(freeze(**narrow))) is holds


def test_a_freeze_lets_the_last_action_be_taken_back_unless_it_says_otherwise() -> None:
    assert frozen(freeze(), back=True) == []
    assert frozen(freeze(stops_undo=True), back=True) != []


def test_a_freeze_of_clusters_holds_where_the_cluster_is_not_known() -> None:
    assert frozen(freeze(clusters=("dev",)), cluster="") != []


@pytest.mark.parametrize("requirement", ["team=db", "team!=db", "team", "!team", "team==db"])
@pytest.mark.parametrize("within", [lambda marks: marks, lambda marks: {"spec": {"template": marks}}])
def test_a_label_that_a_rule_goes_by_is_not_changed_by_an_action_of_somebodys_own(
    requirement: str, within: Callable[[model.Json], model.Json]
) -> None:
    workload = model.ResourceRef("Deployment", "payments", "api", "u-1")
    action = model.Custom(workload, "custom-x", ())
    rules = held(rule(actions=("scale",), labels=(requirement,)))

    def said(labels: model.Json) -> list[str]:
        operation = model.Operation("patch", workload, "merge", within({"metadata": {"labels": labels}}))
        return list(policy_rules.relabelled(rules, action, [operation]))

    assert said({"team": "web"}) == said({"team": None, "x": "y"})
    assert said({"team": None}) == [
        "Label team decides which rules of the policy hold, so it is not changed from here."
    ]
    assert said({"app": "web"}) == []
