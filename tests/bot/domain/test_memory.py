"""Memory of remedies: what was tried before decides what is tried next, and nothing is ever lost by it."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import diagnoses, memory, proposals
from k8s import model
from tests.bot.domain import examples

NOW = examples.NOW
HOUR = timedelta(hours=1)
RESTART = diagnoses.Candidate(model.RolloutRestart(examples.API), "a new process may do")
DELETE = diagnoses.Candidate(model.DeletePod(examples.POD, examples.API), "one pod is stuck")
UNDO = diagnoses.Candidate(model.RolloutUndo(examples.API, 3), "it brings DB_URL back")
IMAGE = diagnoses.Candidate(model.SetImage(examples.API, "app", "api:1"), "it ran before")


def tried(
    state: proposals.State = "not-verified", action: str = "rollout-restart", *, held: timedelta | None = None
) -> memory.Try:
    return memory.Try(action, state, NOW - HOUR, held)


def names(found: memory.Ordered) -> list[str]:
    return [model.name_of(one.action) for one in found.candidates]


def test_without_memory_the_order_is_the_diagnosis_own() -> None:
    assert memory.ordered([RESTART, UNDO], []) == memory.Ordered((RESTART, UNDO))


def test_a_restart_that_did_not_help_once_is_tried_again() -> None:
    assert names(memory.ordered([RESTART, UNDO], [tried()])) == ["rollout-restart", "rollout-undo"]


def test_a_restart_that_did_not_help_twice_comes_after_the_cause_own_remedy() -> None:
    found = memory.ordered([RESTART, UNDO], [tried(), tried("worse")])
    assert names(found) == ["rollout-undo", "rollout-restart"]
    assert found.dropped == ()


def test_where_there_is_nothing_else_it_is_left_out_and_the_reason_is_said() -> None:
    found = memory.ordered([RESTART], [tried(), tried("undone")])
    assert found.candidates == ()
    assert found.dropped == (
        "rollout-restart was considered: it did not help here any of 2 times in 30 days; the cause needs more",
    )


def test_a_restart_that_held_for_a_moment_only_has_not_helped() -> None:
    tries = [
        tried("verified", held=timedelta(minutes=4)),
        tried("verified", held=timedelta(minutes=29)),
        tried("verified"),
    ]
    (told,) = memory.ordered([RESTART], tries).dropped
    assert "did not help here 2 of 3 times in 30 days (2 held for less than 30 min)" in told


def test_a_restart_that_holds_or_held_for_long_has_helped() -> None:
    tries = [tried("verified"), tried("verified", held=HOUR), tried()]
    assert names(memory.ordered([RESTART], tries)) == ["rollout-restart"]


def test_what_was_tried_of_one_restart_says_nothing_of_another_kind_of_it() -> None:
    assert names(memory.ordered([DELETE, RESTART], [tried(), tried()])) == ["delete-pod", "rollout-restart"]


def test_a_remedy_of_the_cause_is_never_demoted() -> None:
    tries = [tried(action="rollout-undo")] * 5
    assert names(memory.ordered([UNDO, IMAGE], tries)) == ["rollout-undo", "set-image"]


def test_the_record_counts_and_tells_how_long_it_held_last() -> None:
    tries = [tried("verified", held=3 * HOUR), tried(), tried("verified", held=timedelta(minutes=40)), tried("worse")]
    assert memory.record(tries, "rollout-restart") == memory.Record("rollout-restart", 4, 2, timedelta(minutes=40))
    assert memory.record(tries, "scale") is None


def test_what_holds_still_has_no_length_yet() -> None:
    found = memory.record([tried("verified", held=HOUR), tried("verified")], "rollout-restart")
    assert found == memory.Record("rollout-restart", 2, 2, None)


def test_there_is_one_record_for_each_action_in_the_order_of_the_first_try() -> None:
    tries = [tried(action="scale"), tried(), tried(action="scale")]
    assert [(one.action, one.tried) for one in memory.records(tries)] == [("scale", 2), ("rollout-restart", 1)]


TRIES = st.lists(
    st.builds(
        memory.Try,
        st.sampled_from(("rollout-restart", "delete-pod", "rollout-undo", "set-image")),
        st.sampled_from(("verified", "not-verified", "worse", "undone")),
        st.just(NOW),
        st.none() | st.timedeltas(min_value=timedelta(0), max_value=2 * HOUR),
    ),
    max_size=8,
)
CANDIDATES = st.lists(st.sampled_from((RESTART, DELETE, UNDO, IMAGE)), unique_by=id, max_size=4)


@settings(deadline=None, max_examples=200)
@given(CANDIDATES, TRIES)
def test_every_candidate_is_worked_out_or_its_absence_explained(
    candidates: list[diagnoses.Candidate], tries: list[memory.Try]
) -> None:
    found = memory.ordered(candidates, tries)
    assert len(found.candidates) + len(found.dropped) == len(candidates)
    assert all(one in candidates for one in found.candidates)
    left = [one for one in candidates if one not in found.candidates]
    assert all(model.name_of(one.action) in memory.RESTARTS for one in left)


@settings(deadline=None, max_examples=200)
@given(CANDIDATES, TRIES)
def test_remedies_of_the_cause_keep_their_order_and_no_useless_restart_comes_before_them(
    candidates: list[diagnoses.Candidate], tries: list[memory.Try]
) -> None:
    found = memory.ordered(candidates, tries).candidates
    causal = [one for one in candidates if model.name_of(one.action) not in memory.RESTARTS]
    assert [one for one in found if one in causal] == causal
    useless = [memory.useless(tries, model.name_of(one.action)) for one in found]
    assert useless == sorted(useless)


@settings(deadline=None, max_examples=100)
@given(TRIES, st.sampled_from(("rollout-restart", "delete-pod")))
def test_one_more_failure_never_rehabilitates_a_restart(tries: list[memory.Try], action: str) -> None:
    more = [*tries, tried(action=action)]
    assert memory.useless(more, action) or not memory.useless(tries, action)
