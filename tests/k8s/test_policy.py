"""The policy as a value: its hash knows no order, and what is merged permits no more than its parts."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, policy
from tests.k8s import ruling_books as books

TIERS = st.sampled_from(policy.TIERS)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same with every tuple in another order, and with something in it twice."""
    if isinstance(value, tuple):
        each = [shuffled(one, chance) for one in value]
        each += each[:1]
        chance.shuffle(each)
        return tuple(each)
    if isinstance(value, msgspec.Struct):
        fields = {name: shuffled(getattr(value, name), chance) for name in value.__struct_fields__}
        return type(value)(**fields)
    return value


@settings(deadline=None, max_examples=150)
@given(books.policies, st.randoms(use_true_random=False))
def test_equal_policies_in_any_order_have_equal_hashes(rules: policy.Policy, chance: random.Random) -> None:
    assert shuffled(rules, chance).hash == rules.hash


@settings(deadline=None, max_examples=100)
@given(st.lists(books.policies, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_merging_knows_no_order_and_nothing_twice(parts: list[policy.Policy], chance: random.Random) -> None:
    once = policy.merged(*parts)
    other = [*parts, *parts]
    chance.shuffle(other)
    assert policy.merged(*other).hash == once.hash
    assert policy.merged(policy.NEUTRAL, *parts).hash == once.hash


def test_where_a_rule_is_written_is_no_part_of_the_hash_and_its_name_is() -> None:
    def held(**more: str) -> str:
        rule = policy.Rule(**{"effect": "deny", "name": "a", "source": "p.yaml:3", **more})  # type: ignore[arg-type]
        return policy.Policy(rulesets=(policy.Ruleset(rules=(rule,)),)).hash

    assert held(source="p.yaml:4") == held()
    assert held(name="b") != held()
    assert held(why="Ask first") != held()


@settings(deadline=None, max_examples=200)
@given(books.policies, books.policies, TIERS, books.members, st.sampled_from(books.USERS))
def test_who_may_approve_by_both_may_approve_by_each_that_says_anything(
    one: policy.Policy, other: policy.Policy, tier: model.RiskTier, members: policy.Members, user: str
) -> None:
    both = policy.people(policy.merged(one, other), tier, members)
    if both is not None and user not in both:
        return
    said = [each for each in (one, other) if policy.circles(each, tier)]
    assert said, "somebody has to be named"
    for each in said:
        people = policy.people(each, tier, members)
        assert people is None or user in people


@settings(deadline=None, max_examples=100)
@given(books.policies, books.policies, TIERS)
def test_the_stricter_of_two_bounds_holds(one: policy.Policy, other: policy.Policy, tier: model.RiskTier) -> None:
    both = policy.merged(one, other)
    for each in (one, other):
        assert both.read_only >= each.read_only
        assert set(both.protected_namespaces) >= set(each.protected_namespaces)
        assert both.cooldown >= each.cooldown
        assert both.hourly_limit <= each.hourly_limit
        assert both.cluster_hourly_limit <= each.cluster_hourly_limit
        assert both.max_replicas <= each.max_replicas
        assert both.max_scale_factor <= each.max_scale_factor
        assert both.tiers.of(tier).approvals >= each.tiers.of(tier).approvals
        assert both.tiers.of(tier).reason_required >= each.tiers.of(tier).reason_required
        assert both.tiers.of(tier).self_approval <= each.tiers.of(tier).self_approval
        assert set(both.freezes) >= set(each.freezes)
        assert both.autonomous.enabled <= each.autonomous.enabled
        assert set(both.autonomous.listed) >= set(each.autonomous.listed)
        assert both.autonomous.helped >= each.autonomous.helped
        assert both.autonomous.delay >= each.autonomous.delay
        assert both.autonomous.per_workload_hour <= each.autonomous.per_workload_hour
        assert both.autonomous.per_cluster_hour <= each.autonomous.per_cluster_hour
        assert both.autonomous.breaker <= each.autonomous.breaker
        for owner in ("Argo CD (application a)", "Flux (Kustomization a)", "Helm"):
            stances = ("warn", "advise", "refuse")
            assert stances.index(both.gitops.of(owner)) >= stances.index(each.gitops.of(owner))


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ((), (), ()),
        (("U1", "U2"), (), ("U1", "U2")),
        (("U1", "U2"), ("U2", "U3"), ("U2",)),
        (("U1",), ("U2",), policy.NOBODY),
        (("*",), ("U2",), ("U2",)),
        (("*",), ("*",), ("*",)),
        (("*",), policy.NOBODY, policy.NOBODY),
    ],
)
def test_approvers_of_two_are_those_that_both_name(
    one: tuple[str, ...], other: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    assert policy.merged(policy.Policy(approvers=one), policy.Policy(approvers=other)).approvers == kept


def test_an_owner_that_is_not_known_is_treated_as_strictly_as_any() -> None:
    assert policy.Gitops(flux="refuse").of("Rancher Fleet (bundle x)") == "refuse"
    assert policy.Gitops().of("Rancher Fleet (bundle x)") == "warn"


GROUP = policy.Approvers(users=("U9",), groups=("S1",), channels=("C1",))
HIGH = policy.Policy(tiers=policy.Tiers(high=policy.Tier(approvers=(GROUP,))))


def test_a_group_or_channel_is_those_who_are_known_to_be_in_it() -> None:
    assert policy.people(HIGH, "high") == frozenset({"U9"})
    assert policy.people(HIGH, "high", {"S1": frozenset({"U1", ""}), "C1": frozenset({"U2"})}) == frozenset(
        {"U1", "U2", "U9"}
    )
    assert policy.unknown_places(HIGH, "high", {"S1": frozenset()}) == ("C1",)
    assert policy.people(HIGH, "low") == frozenset()


def test_names_for_people_are_users_then_groups_and_channels() -> None:
    assert policy.named(HIGH, "high") == ("U9", "S1", "C1")
    beside = policy.merged(HIGH, msgspec.structs.replace(policy.NEUTRAL, approvers=("U1", "U2")))
    assert policy.named(beside, "high") == ("U1", "U2", "S1", "C1")
    assert policy.people(beside, "high", {"S1": frozenset({"U1"})}) == frozenset({"U1"})
    assert policy.named(beside, "low") == ("U1", "U2")
    assert policy.named(policy.Policy(approvers=("*",)), "low") == ("*",)
    assert policy.named(policy.Policy(), "low") == ()
    assert policy.named(policy.Policy(approvers=policy.NOBODY), "low") == ()


def test_a_look_at_what_could_be_done_asks_anyone_and_keeps_the_rest() -> None:
    tiers = policy.Tiers(low=policy.Tier(approvers=(GROUP,), approvals=3))
    asked = policy.asking_anyone(policy.Policy(read_only=True, max_replicas=3, tiers=tiers))
    assert policy.people(asked, "low") is None
    assert (asked.read_only, asked.max_replicas, asked.tiers.low.approvals) == (False, 3, 3)
