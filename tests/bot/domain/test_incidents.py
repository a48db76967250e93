"""An incident's life by sweeps alone: what makes it the same, what keeps it, what ends it, what makes it flapping."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from bot.domain import incidents
from k8s import detection, history, model
from tests.bot.domain import examples

NOW, MINUTE = examples.NOW, examples.MINUTE


# --- fingerprints ---------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_blind_to_pods_times_counters_severity_and_the_order_of_symptoms() -> None:
    first = examples.problem(examples.finding(), examples.finding("NotReady", "probe"))
    moved = examples.finding(
        resource=model.ResourceRef("Pod", "payments", "api-5d-y", "uid-other"),
        since=NOW,
        message="Container app was restarted 17 times.",
        facts={"restarts": "17"},
    )
    later = examples.problem(moved, severity="P2", ready=2, desired=5)
    assert incidents.fingerprint("prod", first) == incidents.fingerprint("prod", later)


@pytest.mark.parametrize(
    "other",
    [
        examples.problem(examples.finding(cause="exit 2")),
        examples.problem(examples.finding("OOMKilled")),
        examples.problem(subject=model.ResourceRef("Deployment", "payments", "api", "uid-new")),
    ],
    ids=["cause", "kind", "subject"],
)
def test_another_cause_kind_or_object_is_another_fingerprint(other: model.Problem) -> None:
    assert incidents.fingerprint("prod", examples.problem()) != incidents.fingerprint("prod", other)
    assert incidents.fingerprint("prod", other) != incidents.fingerprint("staging", other)


NAMES = st.text("ab-/\x1f:", min_size=1, max_size=6)


@given(NAMES, NAMES, NAMES, NAMES)
def test_equal_problems_have_equal_fingerprints_of_32_hex_digits(
    cluster: str, name: str, kind: str, cause: str
) -> None:
    subject = model.ResourceRef("Deployment", "ns", name)
    first = incidents.fingerprint(cluster, examples.problem(examples.finding(kind, cause), subject=subject))
    again = incidents.fingerprint(
        cluster, examples.problem(examples.finding(kind, cause, since=NOW), subject=replace_uid(subject, ""))
    )
    assert first == again
    assert len(first) == 32
    assert int(first, 16) >= 0


def replace_uid(ref: model.ResourceRef, uid: str) -> model.ResourceRef:
    return model.ResourceRef(ref.kind, ref.namespace, ref.name, uid)


def test_causes_are_sorted_and_named_once() -> None:
    found = examples.problem(
        examples.finding("NotReady", "probe"), examples.finding(), examples.finding(resource=examples.API)
    )
    assert incidents.causes(found) == ("CrashLoopBackOff:exit 1", "NotReady:probe")


def test_people_call_it_by_its_number() -> None:
    assert examples.incident(id=12).name == "WK-12"


# --- what a sweep proves --------------------------------------------------------------------------------------------


def snapshot(*, include: tuple[str, ...] = (), degraded: tuple[str, ...] = ()) -> model.Snapshot:
    past = history.History(kept=True)
    return model.Snapshot("prod", NOW, model.Scope(include), past=past, degraded=dict.fromkeys(degraded, "forbidden"))


def test_a_whole_snapshot_of_the_namespace_speaks_of_the_incident() -> None:
    assert incidents.covers(examples.incident(), snapshot())
    assert incidents.covers(examples.incident(), snapshot(include=("pay*",)))


def test_a_snapshot_of_other_namespaces_says_nothing_of_it() -> None:
    assert not incidents.covers(examples.incident(), snapshot(include=("web",)))


def test_what_belongs_to_no_namespace_is_seen_by_every_scope() -> None:
    node = examples.incident(subject=model.ResourceRef("Node", "", "worker-1"), kinds=("NodeNotReady",))
    assert incidents.covers(node, snapshot(include=("web",)))


KINDS = st.lists(st.sampled_from(sorted(detection.KINDS)), min_size=1, max_size=3, unique=True)
LISTS = st.sets(st.sampled_from(sorted({name for kind in detection.KINDS for name in detection.reads(kind)})))


@given(KINDS, LISTS)
def test_a_degraded_list_that_a_kind_rests_on_never_proves_its_absence(kinds: list[str], degraded: set[str]) -> None:
    known = examples.incident(kinds=tuple(kinds), subject=model.ResourceRef("Node", "", "worker-1"))
    rests_on = {name for kind in kinds for name in detection.reads(kind)}
    assert incidents.covers(known, snapshot(degraded=tuple(degraded))) == (not rests_on & degraded)


@given(KINDS, LISTS)
def test_what_an_identity_of_one_namespace_may_not_list_does_not_keep_its_incidents_open(
    kinds: list[str], degraded: set[str]
) -> None:
    known = examples.incident(kinds=tuple(kinds))
    rests_on = {name for kind in kinds for name in detection.reads(kind)} - {"namespaces", "nodes"}
    assert incidents.covers(known, snapshot(degraded=tuple(degraded))) == (not rests_on & degraded)


@pytest.mark.parametrize(
    ("cause", "proven"), [("Service api missing", True), ("IngressClass nginx missing", False), ("", True)]
)
@pytest.mark.parametrize("how", ["unread", "degraded"])
def test_a_cause_that_rests_on_one_more_list_is_proven_gone_by_that_list_only(
    cause: str, proven: bool, how: str
) -> None:
    known = examples.incident(kinds=("IngressBroken",), causes=(f"IngressBroken:{cause}",) if cause else ())
    why = {"ingressclasses": "no right"}
    seen = replace(snapshot(), unread=why) if how == "unread" else replace(snapshot(), degraded=why)
    assert incidents.covers(known, seen) is proven
    assert incidents.gaps(known, seen) == ({} if proven else why)


@given(KINDS, LISTS)
def test_a_list_that_may_not_be_read_never_proves_the_absence_of_what_rests_on_it(
    kinds: list[str], unread: set[str]
) -> None:
    known = examples.incident(kinds=tuple(kinds), subject=model.ResourceRef("Node", "", "worker-1"))
    rests_on = {name for kind in kinds for name in detection.reads(kind)}
    seen = replace(snapshot(), unread=dict.fromkeys(unread, "no right"))
    assert incidents.covers(known, seen) == (not rests_on & unread)


@pytest.mark.parametrize("kind", ["RestartGrowth", "MemoryGrowth", "LogErrors"])
def test_a_look_without_what_earlier_sweeps_learnt_says_nothing_of_a_change(kind: str) -> None:
    known = examples.incident(kinds=(kind,))
    assert incidents.covers(known, snapshot())
    forgetful = replace(snapshot(), past=history.History())
    assert not incidents.covers(known, forgetful)
    assert set(incidents.gaps(known, forgetful)) == {"past"}
    assert incidents.covers(examples.incident(), forgetful)


def test_no_snapshot_speaks_of_a_kind_that_only_another_version_knows() -> None:
    assert not incidents.covers(examples.incident(kinds=("CrashLoopBackOff", "FromAnotherVersion")), snapshot())


# --- seen and not seen ----------------------------------------------------------------------------------------------


def test_one_good_sweep_without_it_is_not_enough_two_are() -> None:
    once = incidents.seen_clear(examples.incident(), NOW)
    assert (once.state, once.clear_sweeps, once.clear_since) == ("open", 1, NOW)
    twice = incidents.seen_clear(once, NOW + 5 * examples.SECOND)
    assert (twice.state, twice.resolved_at) == ("resolved", NOW + 5 * examples.SECOND)
    assert twice.resolution


def test_being_seen_again_starts_the_count_anew() -> None:
    once = incidents.seen_clear(examples.incident(), NOW)
    again = incidents.seen_again(once, examples.problem(), "it crashes", NOW + MINUTE)
    assert (again.clear_sweeps, again.clear_since, again.last_seen_at) == (0, None, NOW + MINUTE)
    assert incidents.seen_clear(again, NOW + 2 * MINUTE).state == "open"


def test_two_minutes_of_quiet_are_enough_too() -> None:
    quiet = examples.incident(clear_since=NOW - incidents.CLEAR_TIME)
    assert incidents.seen_clear(quiet, NOW).state == "resolved"
    assert incidents.seen_clear(replace(quiet, clear_since=NOW - MINUTE), NOW).state == "open"


def test_resolving_wants_no_diagnosis_any_more() -> None:
    done = incidents.resolve(examples.incident(diagnosis_wanted=True), "Fixed.", NOW)
    assert (done.live, done.diagnosis_wanted, done.resolution) == (False, False, "Fixed.")


@pytest.mark.parametrize(("sweeps", "minutes", "state"), [(9, 29, "open"), (2, 30, "resolved")])
def test_a_flapping_incident_must_be_quiet_for_long(sweeps: int, minutes: int, state: str) -> None:
    shaky = examples.incident(flapping=True, clear_sweeps=sweeps, clear_since=NOW - minutes * MINUTE)
    assert incidents.seen_clear(shaky, NOW).state == state


@pytest.mark.parametrize("wanted", [True, False])
def test_only_a_change_of_causes_wants_a_new_diagnosis(wanted: bool) -> None:
    known = examples.incident(diagnosis_wanted=wanted)
    same = incidents.seen_again(known, examples.problem(ready=1), "worse", NOW)
    assert (same.ready, same.headline, same.diagnosis_wanted) == (1, "worse", wanted)
    other = examples.problem(examples.finding(), examples.finding("ImagePull", "web:9"))
    changed = incidents.seen_again(known, other, "worse", NOW)
    assert changed.diagnosis_wanted
    assert changed.kinds == ("CrashLoopBackOff", "ImagePull")
    assert changed.causes == ("CrashLoopBackOff:exit 1", "ImagePull:web:9")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 300)), min_size=1, max_size=20), st.booleans())
def test_it_never_resolves_on_a_sweep_that_saw_it_nor_on_the_first_that_did_not(
    sweeps: list[tuple[bool, int]], flapping: bool
) -> None:
    known, now, clear = examples.incident(flapping=flapping), NOW, 0
    for seen, seconds in sweeps:
        now += timedelta(seconds=seconds)
        clear = 0 if seen else clear + 1
        known = (
            incidents.seen_again(known, examples.problem(), "it crashes", now)
            if seen
            else incidents.seen_clear(known, now)
        )
        if not known.live:
            assert clear >= 2
            assert not flapping or now - (known.clear_since or now) >= incidents.FLAPPING_CLEAR
            return
        assert clear < 2 or flapping


# --- people ---------------------------------------------------------------------------------------------------------


def test_it_is_taken_on_once_and_the_second_hears_by_whom() -> None:
    taken = incidents.acknowledge(examples.incident(), "U1", NOW)
    assert (taken.state, taken.acknowledged_by, taken.acknowledged_at) == ("acknowledged", "U1", NOW)
    with pytest.raises(errors.NotPossible, match="already acknowledged by <@U1>"):
        incidents.acknowledge(taken, "U2", NOW)


def test_a_resolved_one_cannot_be_taken_on() -> None:
    with pytest.raises(errors.NotPossible, match="already resolved: It is gone"):
        incidents.acknowledge(incidents.resolve(examples.incident(), "It is gone.", NOW), "U1", NOW)


def test_being_seen_again_does_not_take_it_from_whom_it_belongs_to() -> None:
    taken = incidents.acknowledge(examples.incident(), "U1", NOW)
    assert incidents.seen_again(taken, examples.problem(), "x", NOW + MINUTE).state == "acknowledged"


# --- coming back ----------------------------------------------------------------------------------------------------


def ended(opened: int, resolved: int, **changes: object) -> incidents.Incident:
    """An episode that opened and was resolved so many minutes ago."""
    times = {"opened_at": NOW - opened * MINUTE, "resolved_at": NOW - resolved * MINUTE}
    return examples.incident(**{"state": "resolved", "resolution": "gone", **times, **changes})


def test_the_third_episode_within_an_hour_goes_on_in_the_thread_of_the_second() -> None:
    past = [ended(20, 15, id=2), ended(50, 40, id=1)]
    again = incidents.reopened_flapping(past, NOW)
    assert again is not None
    assert again.id == 2


def test_two_episodes_within_an_hour_are_not_yet_flapping() -> None:
    assert incidents.reopened_flapping([ended(20, 15)], NOW) is None
    assert incidents.reopened_flapping([ended(20, 15), ended(90, 80)], NOW) is None


def test_what_was_flapping_within_the_hour_goes_on_at_once() -> None:
    assert incidents.reopened_flapping([ended(200, 50, flapping=True)], NOW) is not None
    assert incidents.reopened_flapping([ended(200, 70, flapping=True)], NOW) is None


def test_signals_from_before_the_resolution_open_nothing_for_a_while() -> None:
    old = examples.problem(examples.finding(since=NOW - 6 * MINUTE))
    assert incidents.is_old_signal(old, ended(30, 5), NOW)
    assert not incidents.is_old_signal(old, ended(60, 11), NOW)
    assert not incidents.is_old_signal(old, None, NOW)
    assert not incidents.is_old_signal(old, examples.incident(), NOW)


def test_one_new_signal_among_old_ones_is_enough() -> None:
    mixed = examples.problem(examples.finding(since=NOW - 6 * MINUTE), examples.finding("NotReady", since=NOW - MINUTE))
    assert not incidents.is_old_signal(mixed, ended(30, 5), NOW)


FIXED = {"resolution": f"{incidents.FIXED} kubectl rollout restart."}


def test_what_happens_again_and_again_is_as_old_as_its_last_time() -> None:
    """The pod of an old OOM kill may be killed again: its finding began before the fix all the same."""
    old = examples.finding("OOMKilled", since=NOW - 20 * MINUTE, last=NOW - 6 * MINUTE)
    new = examples.finding("OOMKilled", since=NOW - 20 * MINUTE, last=NOW - 4 * MINUTE)
    assert incidents.is_old_signal(examples.problem(old), ended(30, 5), NOW)
    assert not incidents.is_old_signal(examples.problem(new), ended(30, 5), NOW)


def test_after_a_verified_action_old_signals_are_ignored_for_as_long_as_is_set() -> None:
    old = examples.problem(examples.finding(since=NOW - 40 * MINUTE))
    last = ended(60, 25, **FIXED)
    assert incidents.is_old_signal(old, last, NOW, 30 * MINUTE)
    assert not incidents.is_old_signal(old, last, NOW, 20 * MINUTE)
    assert not incidents.is_old_signal(old, ended(60, 25), NOW, 30 * MINUTE), "it ended by itself"
    assert incidents.is_old_signal(old, ended(60, 9), NOW, MINUTE)


def test_only_short_after_a_verified_action_a_new_failure_goes_on_in_the_thread() -> None:
    assert incidents.came_back(ended(30, 5, **FIXED), NOW, 10 * MINUTE)
    assert not incidents.came_back(ended(30, 11, **FIXED), NOW, 10 * MINUTE)
    assert not incidents.came_back(ended(30, 5), NOW, 10 * MINUTE)
    assert not incidents.came_back(examples.incident(), NOW, 10 * MINUTE)
    assert not incidents.came_back(None, NOW, 10 * MINUTE)


def test_what_goes_on_is_open_wants_a_cause_and_is_nobodys() -> None:
    last = ended(30, 5, acknowledged_at=NOW - 20 * MINUTE, acknowledged_by="U1", clear_sweeps=2, **FIXED)
    problem = examples.problem(examples.finding("OOMKilled", "app out of memory", severity="P2"), severity="P2")
    again = incidents.reopened(last, problem, "killed", NOW)
    assert (again.id, again.episode, again.state, again.resolution) == (last.id, last.episode, "open", "")
    assert (again.resolved_at, again.acknowledged_at, again.acknowledged_by) == (None, None, "")
    assert (again.kinds, again.headline, again.severity) == (("OOMKilled",), "killed", "P2")
    assert (again.diagnosis_wanted, again.clear_sweeps, again.opened_at) == (True, 0, last.opened_at)
