"""Which incident a problem goes on with, where it is folded otherwise than before."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import incidents, merging, proposals
from k8s import model
from tests.bot.domain import examples

WEB = model.ResourceRef("Deployment", "payments", "web", "uid-web")
SETTINGS = model.ResourceRef("ConfigMap", "payments", "settings")
NODE = model.ResourceRef("Node", "", "worker-1", "uid-node")
MISSING = {"missing_kind": "ConfigMap", "missing_name": "settings"}


def lacking(owner: model.ResourceRef) -> model.Finding:
    return examples.finding("ConfigError", "ConfigMap settings", owner=owner, facts=MISSING)


SHARED = examples.problem(lacking(examples.API), lacking(WEB), subject=SETTINGS)
ALONE = examples.problem(lacking(WEB), subject=WEB)


def live(number: int, subject: model.ResourceRef, **changes: object) -> incidents.Incident:
    return examples.incident(id=number, subject=subject, **changes)


def test_a_problem_of_the_very_subject_goes_on_with_its_incident() -> None:
    one, other = live(1, examples.API), live(2, WEB)
    (match,) = merging.matched([one, other], [ALONE])
    assert (match.known, match.folded) == (other, ())


def test_incidents_of_workloads_that_share_a_cause_now_are_folded_into_it() -> None:
    one, other = live(1, examples.API), live(2, WEB)
    (match,) = merging.matched([one, other], [SHARED])
    assert (match.known, match.folded) == (None, (one, other))
    wide = live(3, SETTINGS)
    (match,) = merging.matched([one, other, wide], [SHARED])
    assert (match.known, match.folded) == (wide, (one, other))


def test_the_last_workload_with_a_shared_cause_goes_on_with_the_shared_incident() -> None:
    wide = live(3, SETTINGS)
    (match,) = merging.matched([wide], [ALONE])
    assert match.known == wide
    assert not merging.about(wide, examples.problem(examples.finding(owner=WEB), subject=WEB))


def test_the_last_workloads_own_incident_takes_the_shared_one_in() -> None:
    wide, own = live(3, SETTINGS), live(4, WEB)
    (match,) = merging.matched([wide, own], [ALONE])
    assert (match.known, match.folded) == (own, (wide,))


def test_an_incident_with_a_problem_of_its_own_is_not_folded_into_another() -> None:
    one = live(1, examples.API)
    shared, own = merging.matched([one], [SHARED, examples.problem()])
    assert (shared.known, shared.folded) == (None, ())
    assert own.known == one


def test_a_lost_node_takes_the_incidents_of_its_pods() -> None:
    on_node = examples.problem(examples.finding("NodeNotReady", owner=NODE), examples.finding(), subject=NODE)
    one = live(1, examples.API)
    (match,) = merging.matched([one], [on_node])
    assert (match.known, match.folded) == (None, (one,))


def test_the_problem_of_one_incident_is_told_of_its_own_subject() -> None:
    wide = live(3, SETTINGS)
    found = merging.of(wide, [examples.problem(), ALONE])
    assert found is not None
    assert (found.subject, found.findings) == (SETTINGS, ALONE.findings)
    assert merging.of(wide, [examples.problem()]) is None
    assert merging.of(live(1, WEB), [SHARED]) is None, "it is folded into a wider one: the next sweep makes it wider"


def test_a_wider_incident_keeps_its_thread_and_gets_a_new_subject_and_fingerprint() -> None:
    one = live(1, examples.API, state="acknowledged", acknowledged_by="U1", fingerprint="f", previous_id=9)
    wide = merging.widened(one, SHARED, 3)
    assert (wide.id, wide.state, wide.acknowledged_by, wide.channel) == (1, "acknowledged", "U1", one.channel)
    assert (wide.subject, wide.episode, wide.previous_id, wide.diagnosis_wanted) == (SETTINGS, 3, None, True)
    assert wide.fingerprint == incidents.fingerprint("prod", SHARED)


@pytest.mark.parametrize("state", sorted(merging.DONE | proposals.RUNNING))
def test_what_was_done_for_a_workload_keeps_its_incident_narrow(state: proposals.State) -> None:
    assert not merging.may_widen(SHARED, [examples.proposal(state=state)])


@pytest.mark.parametrize("state", ["proposed", "rejected", "expired", "superseded", "failed", "stale", "refused"])
def test_what_was_only_proposed_does_not(state: proposals.State) -> None:
    assert merging.may_widen(SHARED, [examples.proposal(state=state)])


def test_a_nodes_incident_is_never_made_of_a_workloads() -> None:
    assert not merging.may_widen(examples.problem(subject=NODE), [])


def test_a_merged_incident_says_where_it_goes_on_and_is_no_echo_afterwards() -> None:
    ended = incidents.resolve(live(1, examples.API), merging.merged(live(7, SETTINGS)), examples.NOW)
    assert ended.resolution == "Merged into WK-7: ConfigMap/payments/settings is behind both."
    problem = examples.problem(examples.finding(since=examples.NOW - examples.MINUTE))
    assert not incidents.is_old_signal(problem, ended, examples.NOW)
    assert incidents.is_old_signal(problem, replace(ended, resolution=incidents.UNTOUCHED), examples.NOW)


SUBJECTS = st.sampled_from([examples.API, WEB, SETTINGS, NODE])


@given(st.lists(SUBJECTS, unique=True, max_size=4), st.lists(SUBJECTS, unique=True, max_size=4))
def test_every_incident_is_in_one_match_at_most(
    subjects: list[model.ResourceRef], problems: list[model.ResourceRef]
) -> None:
    known = [live(number, subject) for number, subject in enumerate(subjects, 1)]
    found = merging.matched(known, [examples.problem(lacking(WEB), subject=subject) for subject in problems])
    assert [match.problem.subject for match in found] == problems
    used = [one.id for match in found for one in (match.known, *match.folded) if one is not None]
    assert len(used) == len(set(used))
    for match in found:
        if match.problem.subject in subjects:
            assert match.known is not None
            assert match.known.subject == match.problem.subject
