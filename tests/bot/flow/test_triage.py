"""Triage on the real record: what opens an incident, what keeps it in one thread, and what may end it."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import incidents, proposals, watches
from bot.flow import sweeping, triage
from k8s import detection, model, objects
from tests.bot.domain import examples
from tests.bot.flow import worlds

Recorded = tuple[worlds.Replica, worlds.Clock]
GRACE = timedelta(minutes=5)


@dataclass
class Sweeps:
    """Sweeps of one watch, with what they saw made up by the test."""

    replica: worlds.Replica
    clock: worlds.Clock
    watch: watches.Watch

    @classmethod
    async def of(cls, record: Recorded, **changes: Any) -> "Sweeps":
        replica, clock = record
        return cls(replica, clock, await replica.pipeline.add_default_watch(worlds.new_watch(**changes)))

    async def see(
        self,
        *problems: model.Problem,
        scope: model.Scope | None = None,
        degraded: tuple[str, ...] = (),
        unread: tuple[str, ...] = (),
        broken: Mapping[str, str] | None = None,
        deployments: Sequence[objects.Workload] = (),
        after: timedelta = timedelta(minutes=1),
    ) -> triage.Triaged:
        """A sweep that saw these problems; the next one comes a minute later."""
        wired = self.replica.wired
        sweep = await sweeping.claim(wired, self.watch, None, "command")
        assert sweep is not None
        snapshot = model.Snapshot(
            worlds.CLUSTER,
            self.clock(),
            scope or self.watch.scope,
            degraded=dict.fromkeys(degraded, "forbidden"),
            unread=dict.fromkeys(unread, "no right"),
            deployments=deployments,
        )
        findings = tuple(finding for problem in problems for finding in problem.findings)
        seen = detection.Detection(findings, 0, problems, broken or {})
        done = await triage.triage(
            wired, replace(sweep, status="ok", finished_at=self.clock()), self.watch, snapshot, seen
        )
        self.clock.passed += after
        return done

    async def notice(self, *problems: model.Problem) -> triage.Triaged:
        """Streams showed these problems."""
        return await triage.notice(self.replica.wired, self.watch, problems)

    def crash(self, cause: str = "exit 1", **changes: Any) -> model.Problem:
        """A crash that began just now."""
        return examples.problem(examples.finding(cause=cause, since=self.clock()), **changes)

    async def incident(self, incident_id: int) -> incidents.Incident:
        return (await self.replica.card(incident_id)).incident

    async def propose(self, incident_id: int, **changes: Any) -> proposals.Proposal:
        row = examples.proposal(
            incident_id=incident_id, created_at=self.clock(), expires_at=self.clock() + timedelta(minutes=15), **changes
        )
        async with self.replica.database.begin() as tx:
            return await tx.proposals.add(row)

    async def move(self, proposal_id: int, *states: proposals.State) -> None:
        async with self.replica.database.begin() as tx:
            for before, after in itertools.pairwise(states):
                assert await tx.proposals.move(proposal_id, before, after, self.clock())


# --- opening --------------------------------------------------------------------------------------------------------


async def test_a_problem_opens_one_incident_that_wants_a_diagnosis_and_is_told_a_little_later(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash(), after=timedelta())).opened
    incident = await sweeps.incident(opened)
    assert (incident.state, incident.diagnosis_wanted, incident.channel) == ("open", True, worlds.CHANNEL)
    assert (incident.episode, incident.previous_id, incident.ready, incident.desired) == (1, None, 0, 3)
    async with sweeps.replica.database.begin() as tx:
        assert await tx.views.claim("test", sweeps.clock(), timedelta(minutes=1)) is None
    sweeps.clock.passed += worlds.RULES.first_post_delay
    assert await sweeps.replica.wanted() == {"parent": 1}
    assert await sweeps.replica.trail(opened) == ["incident:opened"]


async def test_a_watch_without_a_channel_tells_in_the_default_one(record: Recorded) -> None:
    sweeps = await Sweeps.of(record, channel="")
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    assert (await sweeps.incident(opened)).channel == "C0DEFAULT"


async def test_what_is_younger_than_its_grace_opens_nothing_and_opens_when_sweeps_have_seen_it_for_so_long(
    record: Recorded,
) -> None:
    sweeps = await Sweeps.of(record)

    def unready() -> model.Problem:
        """Its own time is always now, as of a condition that is set anew all the time."""
        return examples.problem(examples.finding("NotReady", "probe", since=sweeps.clock(), grace=GRACE))

    for _ in range(5):
        assert (await sweeps.see(unready())).opened == ()
    assert len((await sweeps.see(unready())).opened) == 1


async def test_what_the_cluster_itself_says_is_old_enough_opens_at_once(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    old = examples.problem(examples.finding("NotReady", "probe", since=sweeps.clock() - GRACE, grace=GRACE))
    assert len((await sweeps.see(old)).opened) == 1


async def test_grace_begins_anew_for_what_was_gone_for_long(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)

    def unready() -> model.Problem:
        return examples.problem(examples.finding("NotReady", "probe", since=sweeps.clock(), grace=GRACE))

    await sweeps.see(unready(), after=triage.FORGET_AFTER + timedelta(seconds=1))
    await sweeps.see()
    assert (await sweeps.see(unready())).opened == ()


async def test_secrets_in_what_a_finding_says_are_not_stored(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    leak = "postgres" + "://app:" + "s3cr3t-hunter" + "@db/x"
    told = examples.finding(since=sweeps.clock(), message=f"Container app says {leak}.")
    (opened,) = (await sweeps.see(examples.problem(told))).opened
    assert "s3cr3t-hunter" not in (await sweeps.incident(opened)).headline


async def test_two_sweeps_that_end_together_open_one_incident(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    found = sweeps.crash()
    ended = await asyncio.gather(*(sweeps.see(found, after=timedelta()) for _ in range(6)))
    assert sorted(len(one.opened) for one in ended) == [0, 0, 0, 0, 0, 1]
    assert len(await sweeps.replica.pipeline.list_incidents("open", "")) == 1


# --- keeping --------------------------------------------------------------------------------------------------------


async def test_a_known_problem_is_updated_in_place_and_not_opened_again(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash(ready=2))).opened
    await sweeps.replica.wanted()
    again = await sweeps.see(sweeps.crash(ready=1, severity="P1"))
    assert (again.opened, again.seen) == ((), (opened,))
    assert (await sweeps.incident(opened)).ready == 1
    assert await sweeps.replica.wanted() == {"parent": 1}
    assert await sweeps.replica.trail(opened) == ["incident:opened"]


async def test_a_sweep_in_which_nothing_changed_touches_no_message(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    await sweeps.replica.wanted()
    before = sweeps.clock()
    await sweeps.see(sweeps.crash())
    assert await sweeps.replica.wanted() == {}
    assert (await sweeps.incident(opened)).last_seen_at >= before


async def test_another_cause_on_the_same_subject_joins_its_incident_and_wants_a_new_diagnosis(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    both = examples.problem(
        examples.finding(since=sweeps.clock()), examples.finding("ImagePull", "web:9", since=sweeps.clock())
    )
    assert (await sweeps.see(both)).seen == (opened,)
    incident = await sweeps.incident(opened)
    assert (incident.kinds, incident.diagnosis_wanted) == (("CrashLoopBackOff", "ImagePull"), True)
    assert await sweeps.replica.trail(opened) == ["incident:opened", "incident:changed"]


# --- ending ---------------------------------------------------------------------------------------------------------


async def test_two_good_sweeps_without_it_resolve_it_and_tell_it(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    await sweeps.replica.wanted()
    assert (await sweeps.see()).resolved == ()
    assert (await sweeps.see()).resolved == (opened,)
    incident = await sweeps.incident(opened)
    assert (incident.state, incident.resolution) == ("resolved", incidents.UNTOUCHED)
    assert await sweeps.replica.wanted() == {"parent": 1, "recovery": 1}
    assert await sweeps.replica.trail(opened) == ["incident:opened", "incident:resolved"]


def rolling(subject: model.ResourceRef) -> objects.Workload:
    """A rollout of the Deployment: its new pods have not failed yet."""
    deployment = objects.Workload()
    deployment.metadata = objects.Meta(namespace=subject.namespace, name=subject.name, uid=subject.uid)
    deployment.status.conditions = [objects.Condition("Progressing", "True", reason="ReplicaSetUpdated")]
    return deployment


async def test_a_rollout_that_hides_it_does_not_end_it_and_its_return_is_told_in_the_same_thread(
    record: Recorded,
) -> None:
    sweeps = await Sweeps.of(record)
    crash = sweeps.crash()
    (opened,) = (await sweeps.see(crash)).opened
    for _ in range(4):
        assert (await sweeps.see(deployments=[rolling(crash.subject)])).resolved == ()
    assert (await sweeps.incident(opened)).clear_sweeps == 0
    assert (await sweeps.see(sweeps.crash())).seen == (opened,)


async def test_a_rollout_that_never_ends_does_not_keep_it_open_for_ever(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    crash = sweeps.crash()
    (opened,) = (await sweeps.see(crash)).opened
    await sweeps.see(deployments=[rolling(crash.subject)], after=triage.UNSETTLED)
    assert (await sweeps.see(deployments=[rolling(crash.subject)])).resolved == ()
    assert (await sweeps.see(deployments=[rolling(crash.subject)])).resolved == (opened,)


async def test_sweeps_that_did_not_see_a_list_whole_resolve_nothing(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    for _ in range(4):
        await sweeps.see(degraded=("pods",))
    assert (await sweeps.incident(opened)).clear_sweeps == 0
    await sweeps.see(degraded=("cronjobs",))
    assert (await sweeps.incident(opened)).clear_sweeps == 1


async def test_a_detector_that_broke_off_resolves_nothing_of_its_kind(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    for _ in range(4):
        await sweeps.see(broken={"CrashLoopBackOff": "it broke off"})
    assert (await sweeps.incident(opened)).clear_sweeps == 0


async def test_a_sweep_of_one_namespace_says_nothing_of_the_others(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    for _ in range(4):
        await sweeps.see(scope=model.Scope(("web",)))
    assert (await sweeps.incident(opened)).clear_sweeps == 0


async def test_another_watch_of_the_cluster_sees_it_but_does_not_end_it(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    other = await Sweeps.of(record, name="other")
    assert (await other.see(sweeps.crash())).seen == (opened,)
    for _ in range(3):
        await other.see()
    assert (await sweeps.incident(opened)).clear_sweeps == 0


@pytest.mark.parametrize("states", [("proposed", "approved"), ("proposed", "approved", "executing")])
async def test_an_action_under_way_keeps_it_open(record: Recorded, states: tuple[proposals.State, ...]) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    row = await sweeps.propose(opened)
    await sweeps.move(row.id, *states)
    for _ in range(5):
        assert (await sweeps.see()).resolved == ()
    await sweeps.move(row.id, states[-1], *(() if states[-1] == "executing" else ("executing",)), "failed")
    assert (await sweeps.see()).resolved == (opened,)


async def test_an_open_proposal_ends_with_the_problem(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    row = await sweeps.propose(opened)
    await sweeps.see()
    await sweeps.see()
    assert (await sweeps.replica.remedy(opened)).state == "superseded"
    assert (await sweeps.replica.told(opened, "proposal:superseded")).proposal_id == row.id


async def test_what_was_done_before_it_went_away_is_told_and_not_denied(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    row = await sweeps.propose(opened)
    await sweeps.move(row.id, "proposed", "approved", "executing", "succeeded", "not-verified")
    await sweeps.see()
    await sweeps.see()
    told = (await sweeps.incident(opened)).resolution
    assert told == f"The problem is gone. Done here before: {row.kubectl} (not verified)."


async def test_what_was_found_before_the_kinds_of_the_watch_were_changed_opens_nothing(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    crash = sweeps.crash()
    off = watches.Kinds(off=("CrashLoopBackOff",))
    changed = await sweeps.replica.pipeline.change_kinds(sweeps.watch.name, off, (), worlds.ANA)
    assert await sweeps.notice(crash) == triage.Triaged()
    sweeps.watch = changed
    assert len((await sweeps.notice(crash)).opened) == 1, "what was judged by what holds now is believed"


async def test_a_third_episode_goes_on_in_a_thread_of_a_watch_with_the_same_kinds_only(record: Recorded) -> None:
    one, other = await Sweeps.of(record), await Sweeps.of(record, name="other", kinds=watches.Kinds(on=("Risk",)))
    crash = one.crash()
    for _ in range(2):
        await one.see(crash)
        await one.see()
        await one.see()
        crash = one.crash()
    (opened,) = (await other.see(crash)).opened
    assert ((await other.incident(opened)).watch_id, (await other.incident(opened)).flapping) == (other.watch.id, False)


async def test_the_end_of_what_is_not_looked_for_any_more_claims_nothing(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    await sweeps.propose(opened)
    await sweeps.replica.wanted()
    off = detection.Options(disabled=frozenset({"CrashLoopBackOff", "JobFailed"}))
    wired = replace(sweeps.replica.wired, rules=replace(worlds.RULES, kinds=off))
    sweeps.replica = replace(sweeps.replica, wired=wired)
    assert (await sweeps.see()).resolved == ()
    assert (await sweeps.see()).resolved == (opened,)
    told = (await sweeps.incident(opened)).resolution
    assert told == "CrashLoopBackOff is turned off; what became of the problem is not known."
    assert (await sweeps.replica.remedy(opened)).state == "superseded"
    assert (await sweeps.replica.told(opened, "proposal:superseded")).data == {"why": "its kind is turned off"}
    assert await sweeps.replica.wanted() == {"parent": 1}


async def test_the_grace_that_a_person_has_set_is_what_sweeps_wait_for(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)

    def unready(grace: timedelta) -> model.Problem:
        """Its own time is always now, as of a condition that is set anew all the time."""
        return examples.problem(examples.finding("NotReady", "probe", since=sweeps.clock(), grace=grace))

    for _ in range(3):
        assert (await sweeps.see(unready(GRACE))).opened == ()
    assert len((await sweeps.see(unready(timedelta(minutes=3)))).opened) == 1


async def test_without_any_grace_even_a_state_of_this_very_moment_or_of_a_clock_ahead_opens(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    ahead = examples.finding("NotReady", "probe", since=sweeps.clock() + timedelta(seconds=30), grace=timedelta(0))
    assert len((await sweeps.see(examples.problem(ahead))).opened) == 1


# --- coming back ----------------------------------------------------------------------------------------------------


async def episode(sweeps: Sweeps) -> int:
    """Opened, and gone again three minutes later."""
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    await sweeps.see()
    assert (await sweeps.see()).resolved == (opened,)
    return opened


async def test_a_second_episode_is_an_incident_of_its_own_that_points_at_the_first(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    first = await episode(sweeps)
    (second,) = (await sweeps.see(sweeps.crash())).opened
    incident = await sweeps.incident(second)
    assert (incident.episode, incident.previous_id, incident.flapping) == (2, first, False)
    card = await sweeps.replica.card(second)
    assert (card.previous_name, card.recurrences) == (f"WK-{first}", 2)


async def test_the_third_time_within_an_hour_goes_on_in_the_last_thread_and_stays_there(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    await episode(sweeps)
    second = await episode(sweeps)
    await sweeps.replica.wanted()
    assert (await sweeps.see(sweeps.crash())).opened == ()
    incident = await sweeps.incident(second)
    assert (incident.state, incident.flapping, incident.diagnosis_wanted) == ("open", True, True)
    assert (incident.resolved_at, incident.resolution) == (None, "")
    assert await sweeps.replica.wanted() == {"parent": 1}
    assert (await sweeps.replica.trail(second))[-1] == "incident:flapping"
    for _ in range(30):
        assert (await sweeps.see()).resolved == ()
    assert (await sweeps.see()).resolved == (second,)
    sweeps.clock.advance(minutes=5)
    assert (await sweeps.see(sweeps.crash())).opened == ()
    assert (await sweeps.incident(second)).live


async def test_the_echo_of_what_was_just_resolved_opens_nothing(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    echo = sweeps.crash("an old kill")
    await episode(sweeps)
    assert (await sweeps.see(echo)).opened == ()
    sweeps.clock.advance(minutes=10)
    assert len((await sweeps.see(echo)).opened) == 1


async def test_a_watch_that_is_removed_and_added_again_tells_what_is_still_broken(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    still = sweeps.crash()
    (first,) = (await sweeps.see(still)).opened
    await sweeps.replica.pipeline.remove_watch(worlds.CLUSTER, worlds.ANA)
    anew = await Sweeps.of(record)
    (second,) = (await anew.see(still)).opened
    assert (await anew.incident(second)).previous_id == first


async def test_two_problems_on_one_subject_open_one_incident(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    done = await sweeps.see(sweeps.crash(), sweeps.crash("exit 2"))
    assert len(done.opened) == 1


# --- between two sweeps


async def test_what_is_noticed_opens_an_incident_as_a_sweep_would_and_a_sweep_keeps_it(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    problem = sweeps.crash()
    (opened,) = (await sweeps.notice(problem)).opened
    assert sweeps.replica.bell.rung == 1
    assert (await sweeps.notice(problem)).seen == (opened,)
    assert (await sweeps.see(problem)).seen == (opened,)
    incident = await sweeps.incident(opened)
    assert (incident.state, incident.watch_id, incident.diagnosis_wanted) == ("open", sweeps.watch.id, True)
    assert await sweeps.replica.trail(opened) == ["incident:opened"]
    assert await sweeps.replica.wanted() == {"parent": 1}


async def test_what_is_noticed_changes_nothing_that_an_open_incident_says(record: Recorded) -> None:
    """A part of the cluster shows a part of the problem: the sweeps tell how it goes on."""
    sweeps = await Sweeps.of(record)
    both = examples.problem(
        examples.finding(since=sweeps.clock()), examples.finding("ServiceNoEndpoints", "web", since=sweeps.clock())
    )
    (opened,) = (await sweeps.see(both)).opened
    before = await sweeps.incident(opened)
    await sweeps.notice(sweeps.crash("exit 2"))
    assert await sweeps.incident(opened) == before


async def test_what_is_noticed_takes_back_that_a_sweep_did_not_find_it(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    problem = sweeps.crash()
    (opened,) = (await sweeps.see(problem)).opened
    assert (await sweeps.see()).resolved == ()
    await sweeps.notice(problem)
    assert (await sweeps.see()).resolved == ()
    assert (await sweeps.see()).resolved == (opened,)


async def test_nothing_that_is_noticed_calms_or_resolves_another_incident(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    other = examples.problem(examples.finding(since=sweeps.clock()), subject=model.ResourceRef("Node", "", "n", "u-n"))
    (opened,) = (await sweeps.see(sweeps.crash())).opened
    for _ in range(4):
        await sweeps.notice(other)
        await sweeps.notice()
        sweeps.clock.advance(minutes=3)
    incident = await sweeps.incident(opened)
    assert (incident.state, incident.clear_sweeps) == ("open", 0)


async def test_a_watch_that_is_paused_or_removed_meanwhile_notices_nothing(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    await sweeps.replica.pipeline.pause_watch(sweeps.watch.name, "U0ANA")
    assert (await sweeps.notice(sweeps.crash())).opened == ()
    await sweeps.replica.pipeline.remove_watch(sweeps.watch.name, "U0ANA")
    assert (await sweeps.notice(sweeps.crash())).opened == ()


async def test_of_many_who_notice_one_problem_at_once_one_opens_it(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    problem = sweeps.crash()
    done = await asyncio.gather(*(sweeps.notice(problem) for _ in range(8)))
    assert sum(len(each.opened) for each in done) == 1


async def test_the_old_signal_of_a_problem_that_was_just_resolved_is_not_noticed(record: Recorded) -> None:
    sweeps = await Sweeps.of(record)
    problem = sweeps.crash()
    await sweeps.see(problem)
    await sweeps.see()
    assert (await sweeps.see()).resolved
    assert (await sweeps.notice(problem)).opened == ()
    assert (await sweeps.notice(sweeps.crash())).opened != ()
