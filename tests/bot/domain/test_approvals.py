"""What a late press is told: what happened, by whom, when; never the same words for different ends."""

from typing import get_args

import pytest

from bot.domain import approvals, proposals
from tests.bot.domain import examples

NOW = examples.NOW
BY_ANA = proposals.Decision(7, "U0ANA", "approve", "", NOW)
REFUSED = proposals.Decision(7, "U0BEN", "reject", "we are in a freeze", NOW)
DECIDED = tuple(state for state in get_args(proposals.State) if state not in ("proposed", "expired", "superseded"))


def told(state: proposals.State) -> approvals.Answer:
    by = REFUSED if state == "rejected" else BY_ANA
    return approvals.late(examples.proposal(state=state), (by,))


@pytest.mark.parametrize("state", [state for state in get_args(proposals.State) if state != "proposed"])
def test_no_late_press_counts_and_each_is_told_something(state: proposals.State) -> None:
    answer = told(state)
    assert not answer.counted
    assert answer.text.endswith(".")


@pytest.mark.parametrize("state", DECIDED)
def test_whoever_decided_is_named_with_the_time(state: proposals.State) -> None:
    user = "U0BEN" if state == "rejected" else "U0ANA"
    assert f"by <@{user}> at {approvals.stamp(NOW)}" in told(state).text
    assert "Your press changed nothing." in told(state).text


def test_different_ends_are_told_in_different_words() -> None:
    ends = [state for state in get_args(proposals.State) if state not in ("proposed", "approved", "executing")]
    texts = [told(state).text for state in ends]
    assert len(set(texts)) == len(texts)


def test_what_is_under_way_is_said_to_be() -> None:
    texts = {told(state).text for state in ("approved", "executing", "succeeded")}
    assert len(texts) == 1
    assert "is under way" in texts.pop()


def test_a_rejection_gives_its_reason_where_there_is_one() -> None:
    assert "rejected by <@U0BEN>" in told("rejected").text
    assert ": we are in a freeze." in told("rejected").text
    silent = proposals.Decision(7, "U0BEN", "reject", "", NOW)
    assert "UTC>. Your press" in approvals.late(examples.proposal(state="rejected"), (silent,)).text


def test_an_expired_one_says_when_and_what_to_do() -> None:
    row = examples.proposal(state="expired")
    answer = approvals.late(row)
    assert answer.ending == "expired"
    assert approvals.stamp(row.expires_at) in answer.text
    assert "Propose again" in answer.text


def test_a_superseded_one_points_at_the_newer() -> None:
    assert approvals.late(examples.proposal(state="superseded")).ending == "moved-on"


@pytest.mark.parametrize("state", ["approved", "rejected", "failed", "verified"])
def test_a_decision_that_is_not_known_is_not_made_up(state: proposals.State) -> None:
    assert "<@" not in approvals.late(examples.proposal(state=state)).text


def test_a_moment_is_shown_in_the_readers_own_time_with_utc_for_the_rest() -> None:
    assert approvals.stamp(NOW) == f"<!date^{int(NOW.timestamp())}^{{time_secs}}|03:00:00 UTC>"


def test_only_counted_counts() -> None:
    endings = get_args(approvals.Ending)
    assert [ending for ending in endings if approvals.Answer(ending).counted] == ["counted"]
