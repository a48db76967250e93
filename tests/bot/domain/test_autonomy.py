"""What is done without approval: only what is small, can be taken back and has helped; and never in silence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import autonomy, memory, proposals
from k8s import guardrails, model
from k8s import policy as rulebook
from tests.bot.store import examples

NOW = examples.NOW
UP = model.Scale(examples.WORKLOAD, 6)
RULES = guardrails.Policy(approvers=("U1",), autonomous=rulebook.Autonomous(enabled=True, listed=(("scale",),)))
SHORT = timedelta(seconds=1)


def row(rules: guardrails.Policy = RULES, **changes: Any) -> proposals.Proposal:
    given_ = {"action": UP, "inverse": model.Scale(examples.WORKLOAD, 3), "risk": "low", "policy": rules.hash}
    return examples.proposal(**{**given_, **changes})


def tried(state: proposals.State = "verified", held: timedelta | None = None, action: str = "scale") -> memory.Try:
    return memory.Try(action, state, NOW - timedelta(days=1), held)


def case(rules: guardrails.Policy = RULES, **changes: Any) -> autonomy.Case:
    usual: dict[str, Any] = {
        "proposal": row(rules),
        "mode": "autonomous",
        "live": True,
        "writes": True,
        "stoppable": True,
        "tries": (),
        "stopped": False,
        "breaker": autonomy.Breaker(1),
        "under_way": False,
        "on_workload": 0,
        "on_cluster": 0,
        "lasts": timedelta(minutes=15),
    }
    return autonomy.Case(**{**usual, **changes})


def with_(**changes: Any) -> guardrails.Policy:
    return msgspec.structs.replace(RULES, autonomous=msgspec.structs.replace(RULES.autonomous, **changes))


OPEN = autonomy.Breaker(1, bad=2, opened_at=NOW, incident_id=3)


def test_what_is_small_reversible_and_listed_is_done_by_itself_and_the_rule_says_so() -> None:
    assert autonomy.reasons(case(), RULES) == ()
    assert autonomy.rule(case(), RULES) == "scale is listed under autonomous in the policy"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"proposal": row(risk="medium")}, "It is of medium risk."),
        ({"proposal": row(inverse=None)}, "It cannot be undone."),
        ({"proposal": row(irreversible="The pod is gone.")}, "It cannot be undone."),
        ({"proposal": row(proposer="U1")}, "A person asked for it, and people decide on it."),
        ({"proposal": row(kind="undo", undo_of=3)}, "It is no open proposal of a remedy."),
        ({"proposal": row(state="approved")}, "It is no open proposal of a remedy."),
        ({"proposal": row(policy="p" * 64)}, "The policy has changed since it was proposed."),
        ({"live": False}, "It is no open proposal of a remedy."),
        ({"mode": "approve"}, "The watch is not in mode autonomous."),
        ({"mode": "observe"}, "The watch is not in mode autonomous."),
        ({"writes": False}, "Read-only: nothing is changed in any cluster from here."),
        ({"stoppable": False}, "Nobody is known who could stop it."),
        ({"stopped": True}, "A person stopped one for this incident."),
        ({"breaker": OPEN}, "The breaker of this watch is open."),
        ({"under_way": True}, "Something else of this watch was just done by itself, and is being verified."),
        ({"on_workload": 1}, "1 done by themselves on this workload within an hour are as many as may be."),
        ({"on_cluster": 3}, "3 done by themselves on this cluster within an hour are as many as may be."),
        ({"lasts": timedelta(minutes=2)}, "The delay is as long as a proposal lasts."),
        ({"tries": (tried("worse"),)}, "scale made it worse here within 30 days."),
    ],
)
def test_each_thing_alone_keeps_it_waiting_for_people(changes: dict[str, Any], said: str) -> None:
    assert autonomy.reasons(case(**changes), RULES) == (said,)


@pytest.mark.parametrize(
    ("tries", "enough"),
    [
        ((), False),
        ((tried(), tried()), False),
        ((tried(), tried(), tried()), True),
        ((tried("not-verified"), tried(), tried(), tried()), True),
        ((tried(), tried(), tried(), tried("not-verified")), False),
        ((tried(), tried(held=timedelta(minutes=5)), tried()), False),
        ((tried(), tried(held=timedelta(hours=2)), tried()), True),
        ((tried(), tried("undone"), tried()), False),
        ((tried("worse"), tried(), tried(), tried()), False),
        ((tried(action="rollout-undo"),) * 3, False),
    ],
)
def test_what_is_not_listed_needs_a_record_of_tries_in_a_row_that_helped(
    tries: tuple[memory.Try, ...], enough: bool
) -> None:
    rules = with_(listed=((),))
    assert (autonomy.reasons(case(rules, tries=tries), rules) == ()) is enough
    assert autonomy.rule(case(rules), rules) == "scale helped each of the last 3 times here"


def test_of_two_lists_an_action_has_to_be_on_both() -> None:
    assert autonomy.listed("scale", rulebook.Autonomous(listed=(("s*",), ("scale", "rollout-*"))))
    assert not autonomy.listed("scale", rulebook.Autonomous(listed=(("s*",), ("rollout-*",))))
    assert not autonomy.listed("scale", rulebook.Autonomous(listed=((),)))
    assert not autonomy.listed("scale", rulebook.Autonomous(listed=()))


rules_ = st.builds(
    guardrails.Policy,
    read_only=st.booleans(),
    approvers=st.just(("U1",)),
    tiers=st.builds(
        rulebook.Tiers,
        low=st.builds(rulebook.Tier, approvals=st.integers(1, 2), reason_required=st.booleans()),
    ),
    autonomous=st.builds(
        rulebook.Autonomous,
        enabled=st.booleans(),
        listed=st.sampled_from(((), ((),), (("*",),), (("scale",), ("rollout-*",)))),
        helped=st.integers(0, 4),
        per_workload_hour=st.integers(0, 2),
        per_cluster_hour=st.integers(0, 3),
    ),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[autonomy.Case, guardrails.Policy]:
    rules = draw(rules_)
    proposal = row(
        rules,
        risk=draw(st.sampled_from(rulebook.TIERS)),
        inverse=draw(st.sampled_from((None, model.Scale(examples.WORKLOAD, 3)))),
        irreversible=draw(st.sampled_from(("", "There is no way back."))),
        proposer=draw(st.sampled_from(("", "U1"))),
    )
    tries = draw(
        st.lists(st.builds(tried, st.sampled_from(("verified", "not-verified", "worse", "undone"))), max_size=5)
    )
    made = case(
        rules,
        proposal=proposal,
        mode=draw(st.sampled_from(("observe", "approve", "autonomous"))),
        tries=tuple(tries),
        stopped=draw(st.booleans()),
        breaker=draw(st.sampled_from((autonomy.Breaker(1), OPEN))),
        on_workload=draw(st.integers(0, 3)),
        on_cluster=draw(st.integers(0, 4)),
    )
    return made, rules


@settings(deadline=None, max_examples=300)
@given(cases())
def test_whatever_the_policy_what_qualifies_is_small_reversible_in_bounds_and_switched_on(
    drawn: tuple[autonomy.Case, guardrails.Policy],
) -> None:
    made, rules = drawn
    if autonomy.reasons(made, rules):
        return
    asked = rules.autonomous
    assert asked.enabled
    assert not rules.read_only
    assert made.mode == "autonomous"
    assert (made.proposal.risk, made.proposal.irreversible, made.proposal.proposer) == ("low", "", "")
    assert made.proposal.inverse is not None
    assert (rules.tiers.low.approvals, rules.tiers.low.reason_required) == (1, False)
    assert not made.breaker.open
    assert not made.stopped
    assert made.on_workload < asked.per_workload_hour
    assert made.on_cluster < asked.per_cluster_hour
    assert not any(one.state == "worse" for one in made.tries)
    if not autonomy.listed("scale", asked):
        assert made.tries
        assert all(one.helped for one in made.tries[-asked.helped :])


# --- the announcement

WAITING = autonomy.Announcement(1, 1, 1, "prod-eu", "waiting", "a rule", timedelta(minutes=2), 5, NOW)
COUNTING = replace(WAITING, state="counting", at=NOW, ts="1.0", version=6)
STARTING = replace(COUNTING, state="starting", version=7)
LATER = NOW + autonomy.PATIENCE


@pytest.mark.parametrize(
    ("one", "shown", "now", "expected"),
    [
        (WAITING, autonomy.Shown(), NOW, "wait"),
        (WAITING, autonomy.Shown(4, "1.0"), NOW, "wait"),
        (WAITING, autonomy.Shown(5, ""), NOW, "wait"),
        (WAITING, autonomy.Shown(5, "1.0"), NOW, "count"),
        (COUNTING, autonomy.Shown(6, "1.0"), NOW - SHORT, "wait"),
        (COUNTING, autonomy.Shown(6, "1.0"), NOW, "ask"),
        (COUNTING, autonomy.Shown(5, "1.0"), NOW, "again"),
        (COUNTING, autonomy.Shown(8, "2.0"), NOW, "again"),
        (COUNTING, autonomy.Shown(6, "1.0"), LATER - SHORT, "ask"),
        (COUNTING, autonomy.Shown(6, "1.0"), LATER, "again"),
        (STARTING, autonomy.Shown(7, "1.0"), NOW - SHORT, "wait"),
        (STARTING, autonomy.Shown(7, "1.0"), LATER, "start"),
        (STARTING, autonomy.Shown(7, "1.0"), LATER + autonomy.PATIENCE, "again"),
        (STARTING, autonomy.Shown(6, "1.0"), NOW, "wait"),
        (STARTING, autonomy.Shown(7, "1.0"), NOW, "start"),
        (STARTING, autonomy.Shown(7, "2.0"), NOW, "again"),
        (STARTING, autonomy.Shown(6, "1.0"), LATER, "again"),
        (replace(STARTING, state="stopped"), autonomy.Shown(9, "1.0"), LATER, "wait"),
    ],
)
def test_it_starts_only_where_slack_shows_it_in_the_same_message_from_first_to_last(
    one: autonomy.Announcement, shown: autonomy.Shown, now: Any, expected: str
) -> None:
    assert autonomy.step(one, shown, now) == expected


# --- the breaker


@pytest.mark.parametrize(
    ("state", "check", "end"),
    [
        ("verified", "verified", "good"),
        ("undone", "verified", "good"),
        ("not-verified", "not-verified", "bad"),
        ("undone", "worse", "bad"),
        ("failed", None, "bad"),
        ("unknown", None, "bad"),
        ("refused", None, "neither"),
        ("stale", None, "neither"),
        ("already-fixed", None, "neither"),
    ],
)
def test_how_it_ended_counts_by_what_was_verified(
    state: proposals.State, check: proposals.Check | None, end: autonomy.End
) -> None:
    assert autonomy.end_of(state, check) == end


def ends(*these: autonomy.End) -> autonomy.Breaker:
    breaker = autonomy.Breaker(1)
    for number, end in enumerate(these):
        breaker = autonomy.counted(breaker, end, 2, NOW + SHORT * number, number, f"end {number}")
    return breaker


def test_two_bad_ends_in_a_row_open_the_breaker_and_nothing_closes_it_by_itself() -> None:
    assert not ends("bad").open
    assert not ends("bad", "good", "bad").open
    opened = ends("bad", "neither", "bad")
    assert (opened.open, opened.opened_at, opened.incident_id, opened.why) == (True, NOW + SHORT * 2, 2, "end 2")
    assert ends("bad", "bad", "good", "good").open
    assert ends("bad", "bad", "bad") == replace(ends("bad", "bad"), bad=3)
