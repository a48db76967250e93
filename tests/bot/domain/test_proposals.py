"""The state machine of a proposal: the one list of which state may follow which."""

from typing import get_args

import pytest

from bot.domain import proposals

STATES: tuple[proposals.State, ...] = get_args(proposals.State)
FINAL = {"undone", "rejected", "expired", "superseded", "stale", "already-fixed", "refused", "failed"}


def reachable(start: proposals.State) -> set[proposals.State]:
    found: set[proposals.State] = set()
    todo = [start]
    while todo:
        state = todo.pop()
        if state not in found:
            found.add(state)
            todo.extend(proposals.FOLLOWS[state])
    return found


def test_the_table_speaks_of_every_state_and_of_no_other() -> None:
    assert set(proposals.FOLLOWS) == set(STATES)
    assert {after for states in proposals.FOLLOWS.values() for after in states} <= set(STATES)


def test_every_state_can_be_reached_from_proposed() -> None:
    assert reachable("proposed") == set(STATES)


def test_exactly_the_final_states_are_final() -> None:
    assert {state for state in STATES if not proposals.FOLLOWS[state]} == FINAL


def test_no_state_comes_back() -> None:
    assert all(before not in reachable(after) for before in STATES for after in proposals.FOLLOWS[before])


def test_nothing_is_executed_that_was_not_approved() -> None:
    assert [before for before in STATES if proposals.may_follow(before, "executing")] == ["approved"]
    assert [before for before in STATES if proposals.may_follow(before, "approved")] == ["proposed"]


def test_what_crashed_while_executing_is_never_executed_again() -> None:
    assert not reachable("unknown") & {"approved", "executing", "succeeded"}


def test_running_is_what_a_person_agreed_to_and_what_has_not_ended() -> None:
    assert reachable("approved") - proposals.RUNNING == {
        "stale", "already-fixed", "refused", "failed", "stopped", "unknown", "verified", "not-verified",
        "worse", "undone",
    }  # fmt: skip
    assert "proposed" not in proposals.RUNNING


@pytest.mark.parametrize("before", STATES)
def test_a_step_is_allowed_only_as_the_table_says(before: proposals.State) -> None:
    assert {after for after in STATES if proposals.may_follow(before, after)} == proposals.FOLLOWS[before]
