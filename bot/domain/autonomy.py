"""What a watch may do by itself: whether a proposal qualifies, how its announcement goes on, and when all of it stops.

Pure. Asked by the announcing stage, once when something is proposed and once more at the moment when it would be done;
the executor judges the action itself anew besides. What does not qualify waits for people, as everywhere else.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot.domain import memory, proposals
from k8s import guardrails, model, policy

State = Literal["waiting", "counting", "starting", "started", "stopped", "dropped"]
"""waiting: until Slack shows the announcement. counting: shown, the delay runs. starting: the delay is over, and Slack
is asked to show that. started: handed to the executor. stopped: by a person. dropped: it qualified no longer."""
OPEN: frozenset[State] = frozenset({"waiting", "counting", "starting"})
End = Literal["", "good", "bad", "neither"]
"""How what was done by itself ended, for the breaker; empty while that is not known, or nothing was done."""
Step = Literal["count", "ask", "start", "again", "wait"]

PATIENCE = timedelta(seconds=30)
"""Slack has so long to show that it starts now, and so have we to take up what is due. Where that takes longer, nobody
could have pressed Stop: announced anew."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Announcement:
    """That a proposal will be done by itself, and what became of that. One for a proposal."""

    proposal_id: int
    incident_id: int
    watch_id: int
    cluster: str
    state: State
    rule: str
    """What lets it be done by itself, in a few words."""
    delay: timedelta
    version: int
    """Of the incident's message: it tells the announcement as it stands."""
    announced_at: datetime
    at: datetime | None = None
    """When it will be done; None until Slack has shown that it will."""
    ts: str = ""
    """Slack's id of the message that showed it. In another message it counts for nothing."""
    moved_at: datetime | None = None
    """When it was started, stopped or dropped."""
    by: str = ""
    """Who stopped it."""
    why: str = ""
    """Why it was dropped: a sentence."""
    end: End = ""

    @property
    def open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Shown:
    """The incident's message as Slack shows it."""

    version: int = 0
    ts: str = ""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One watch's: open, nothing is done by itself in it until a person closes it."""

    watch_id: int
    bad: int = 0
    """Bad ends in a row."""
    opened_at: datetime | None = None
    why: str = ""
    incident_id: int | None = None
    """Whose action opened it last."""
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def open(self) -> bool:
        return self.opened_at is not None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is asked of before a proposal is done without anybody's approval."""

    proposal: proposals.Proposal
    mode: guardrails.Mode
    """Of the watch, now."""
    live: bool
    """The incident is not over."""
    writes: bool
    """There is a writing identity at all."""
    stoppable: bool
    """Somebody is known who may press Stop."""
    tries: Sequence[memory.Try]
    """Of the workload and the kind of problem, oldest first."""
    stopped: bool
    """A person stopped one for this incident before."""
    breaker: Breaker
    under_way: bool
    """Something else of this watch was done by itself, and how it ended is not known yet."""
    on_workload: int
    """So many were done by themselves within the last hour."""
    on_cluster: int
    lasts: timedelta
    """A proposal can be approved for this long."""


def rule(case: Case, rules: policy.Policy) -> str:
    """What lets it be done by itself, as people are told: the list of the policy, or the record."""
    name = model.name_of(case.proposal.action)
    if listed(name, rules.autonomous):
        return f"{name} is listed under autonomous in the policy"
    return f"{name} helped each of the last {rules.autonomous.helped} times here"


def listed(action: str, asked: policy.Autonomous) -> bool:
    """Whether every list names it. Without any list nothing is named."""
    return bool(asked.listed) and all(any(fnmatch.fnmatchcase(action, glob) for glob in one) for one in asked.listed)


def reasons(case: Case, rules: policy.Policy) -> tuple[str, ...]:
    """Why it is not done by itself, in sentences; empty where it qualifies. No file sets any of this aside."""
    return (*_switched(case, rules), *_kind(case, rules), *_record(case, rules), *_pace(case, rules))


def _switched(case: Case, rules: policy.Policy) -> Sequence[str]:
    found = []
    if not rules.autonomous.enabled:
        found.append("The policy does not switch `autonomous` on.")
    if case.mode != "autonomous":
        found.append("The watch is not in mode autonomous.")
    if rules.read_only or not case.writes:
        found.append("Read-only: nothing is changed in any cluster from here.")
    if case.proposal.policy != rules.hash:
        found.append("The policy has changed since it was proposed.")
    if not case.stoppable:
        found.append("Nobody is known who could stop it.")
    if rules.autonomous.delay >= case.lasts:
        found.append("The delay is as long as a proposal lasts.")
    return found


def _kind(case: Case, rules: policy.Policy) -> Sequence[str]:
    row, found = case.proposal, []
    if row.kind != "remedy" or row.state != "proposed" or not case.live:
        found.append("It is no open proposal of a remedy.")
    if row.proposer:
        found.append("A person asked for it, and people decide on it.")
    if row.risk != "low":
        found.append(f"It is of {row.risk} risk.")
    elif not guardrails.alone(row.risk, rules):
        found.append("What is of low risk takes more than one plain approval.")
    if row.inverse is None or row.irreversible:
        found.append("It cannot be undone.")
    return found


def _record(case: Case, rules: policy.Policy) -> Sequence[str]:
    name = model.name_of(case.proposal.action)
    mine = [one for one in case.tries if one.action == name]
    if any(one.state == "worse" for one in mine):
        return (f"{name} made it worse here within {memory.SPAN.days} days.",)
    needed = rules.autonomous.helped
    if listed(name, rules.autonomous):
        return ()
    last = mine[-needed:] if needed else []
    helped = sum(one.helped for one in last)
    if len(last) < max(1, needed) or helped < len(last):
        return (f"It takes {needed} tries of {name} in a row that helped here, and there are {_streak(mine)}.",)
    return ()


def _streak(tries: Sequence[memory.Try]) -> int:
    found = 0
    for one in reversed(tries):
        if not one.helped:
            break
        found += 1
    return found


def _pace(case: Case, rules: policy.Policy) -> Sequence[str]:
    found, asked = [], rules.autonomous
    if case.breaker.open:
        found.append("The breaker of this watch is open.")
    if case.stopped:
        found.append("A person stopped one for this incident.")
    if case.under_way:
        found.append("Something else of this watch was just done by itself, and is being verified.")
    if case.on_workload >= asked.per_workload_hour:
        found.append(f"{case.on_workload} done by themselves on this workload within an hour are as many as may be.")
    if case.on_cluster >= asked.per_cluster_hour:
        found.append(f"{case.on_cluster} done by themselves on this cluster within an hour are as many as may be.")
    return found


# --- how an announcement goes on


def step(one: Announcement, shown: Shown, now: datetime) -> Step:
    """What is to be done of an open announcement. Nothing is ever started that Slack does not show at that moment; nor
    long after the moment that was announced: nobody's Stop was heard meanwhile, or a clock has jumped."""
    there = bool(shown.ts) and shown.version >= one.version
    in_time = one.at is not None and now < one.at + PATIENCE
    match one.state:
        case "waiting":
            return "count" if there else "wait"
        case "counting" if one.at is not None and one.at <= now:
            return "ask" if there and shown.ts == one.ts and in_time else "again"
        case "starting" if one.at is not None and one.at > now:
            return "wait"  # this clock is behind the one by which the delay was over
        case "starting" if there:
            fit = shown.ts == one.ts and one.at is not None and now < one.at + 2 * PATIENCE
            return "start" if fit else "again"
        case "starting" if not in_time:
            return "again"
        case _:
            return "wait"


# --- the breaker


def end_of(state: proposals.State, check: proposals.Check | None) -> End:
    """How something that was done by itself ended. `check`: of its verification, where there was one."""
    if check is not None:
        return "good" if check == "verified" else "neither" if check == "pending" else "bad"
    return "bad" if state in _BAD else "neither"


_BAD = frozenset({"failed", "unknown", "stopped", "not-verified", "worse"})


def counted(before: Breaker, end: End, most: int, now: datetime, incident_id: int, why: str) -> Breaker:
    """The breaker after one more end. A good one takes back what came before; an open one stays open."""
    if end == "good":
        return before if before.open else replace(before, bad=0)
    if end != "bad":
        return before
    bad = before.bad + 1
    if before.open or bad < most:
        return replace(before, bad=bad)
    return replace(before, bad=bad, opened_at=now, why=why, incident_id=incident_id)
