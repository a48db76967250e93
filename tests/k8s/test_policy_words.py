"""A policy in plain sentences: all of it where nothing is asked about, else what is about that place and action."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings

from k8s import policy, policy_words
from tests.k8s import ruling_books as books

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def lines(rules: policy.Policy, *about: str) -> str:
    place = policy_words.Place(*about)
    return "\n".join(line for part in policy_words.told(rules, NOW, about=place) for line in part.lines)


def rule(name: str, effect: policy.Effect = "deny", **more: Any) -> policy.Rule:
    return policy.Rule(effect=effect, name=name, **more)


RULES = policy.Policy(
    approvers=("U1",),
    rulesets=(
        policy.Ruleset(
            rules=(
                rule("one", namespaces=("pay*",), clusters=("prod-eu", "prod-us"), actions=("scale", "rollout-*")),
                rule("two", namespaces=("web",)),
                rule("three", "allow", kinds=("Deployment",)),
            )
        ),
    ),
    freezes=(
        policy.Freeze(name="past", until=NOW),
        policy.Freeze(name="night", cron="0 2 * * *", duration=timedelta(hours=2), actions=("scale",)),
        policy.Freeze(name="soon", since=NOW + timedelta(days=1), clusters=("dev",), stops_undo=True),
    ),
    production=(policy.Places(clusters=("prod-*",), namespaces=("payments",)),),
)


def test_everything_is_told_where_nothing_is_asked_about() -> None:
    told = lines(RULES)
    assert "Denied: `scale` or `rollout-*` in namespace `pay*` of cluster `prod-eu` or `prod-us` (rule one)." in told
    assert "Denied: every action in namespace `web` (rule two)." in told
    assert "Allowed: every action on a Deployment (rule three)." in told
    assert "For everything else people are asked." in told
    assert "Low risk: one person of user U1." in told
    assert "High risk: 2 different people of user U1, each with a reason." in told
    assert "Freeze past" not in told
    assert (
        "Freeze night: `scale` is stopped, but for undo, for 2h from each `0 2 * * *` (UTC); now, until 2026-11-21"
        in told
    )
    assert "Freeze soon: every action in cluster `dev` is stopped, and undo is stopped too, from 2026-11-22" in told
    assert "Production: cluster `prod-*` and namespace `payments`." in told
    assert "This is production" not in told


def test_what_is_told_of_a_place_and_an_action_is_about_them() -> None:
    told = lines(RULES, "prod-eu", "payments", "delete-pod")
    assert "rule one" not in told
    assert "rule two" not in told
    assert "rule three" in told
    assert "Freeze" not in told
    assert "kube-system" not in told
    assert "This is production." in told
    assert "rule one" in lines(RULES, "prod-eu", "payments")
    assert "Freeze soon" in lines(RULES, "dev")
    assert "This is production." in lines(RULES, "dev", "payments")
    assert "This is production." not in lines(RULES, "dev", "web")
    assert "kube-system" in lines(RULES, "dev", "kube-system")


def test_who_approves_is_told_with_each_circle() -> None:
    both = policy.Approvers(users=("U2",), groups=("S1",), channels=("C1",))
    rules = policy.Policy(approvers=("U1", "U2"), tiers=policy.Tiers(low=policy.Tier(approvers=(both,))))
    told = "of user U1 or user U2, who must also be among user U2, user group S1 or channel C1"
    assert f"Low risk: one person {told}." in lines(rules)
    assert "Low risk: one person of all in the Slack workspace." in lines(policy.Policy(approvers=("*",)))
    some = policy.Policy(tiers=policy.Tiers(low=policy.Tier(approvers=(both,))))
    assert "High risk: 2 different people of nobody (no approvers are set" in lines(some)
    assert "of nobody" in lines(policy.Policy(approvers=policy.NOBODY))


def test_that_nobody_may_approve_is_told_once_and_what_gitops_tools_have_in_common_too() -> None:
    told = lines(policy.Policy())
    assert told.count("no approvers are set") == 1
    assert "Low risk: one person.\n" in told
    assert "What Argo CD, Flux or Helm manages is changed with a warning that it will be put back." in told
    other = lines(policy.Policy(gitops=policy.Gitops(argocd="refuse")))
    assert "What Argo CD manages is not changed from here.\nWhat Flux or Helm manages is changed" in other


def test_what_should_be_known_is_told() -> None:
    def told(rules: policy.Policy) -> str:
        return "\n".join(policy_words.concerns(rules))

    assert "Nobody may approve what is of low risk." in told(policy.Policy())
    assert "Everyone in the Slack workspace may approve what is of high risk." in told(policy.Policy(approvers=("*",)))
    assert told(policy.Policy(approvers=("U1",))) == (
        "What is of high risk needs 2 people, and only 1 may approve it."
    )  # fmt: skip
    group = policy.Tier(approvers=(policy.Approvers(groups=("S1",)),))
    assert told(policy.Policy(tiers=policy.Tiers(low=group, medium=group, high=group))) == ""
    assert "Allow rule three changes nothing" in told(RULES)
    closed = policy.Policy(rulesets=(policy.Ruleset(rules=(rule("two", namespaces=("web",)),), default="deny"),))
    assert "Nothing may be done at all" in told(closed)


@settings(deadline=None, max_examples=100)
@given(books.policies)
def test_every_rule_and_freeze_of_every_policy_is_told(rules: policy.Policy) -> None:
    told = lines(rules)
    for one in rules.rules:
        assert f"(rule {one.name}" in told
    for freeze in rules.freezes:
        assert f"Freeze {freeze.name}" in told
