"""Asking: a person picks an action of the catalogue for an incident, where they know better than the rules.

What is picked is proposed like anything else: worked out on fresh state, judged, dry-run, approved by others where the
policy says so. Asking by itself changes nothing in a cluster. `bot.pipeline` puts the steps together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot import errors
from bot.domain import approvals, audit, choices, incidents, picks, ports, proposals, watches
from k8s import guardrails, model, redact

BUTTON = "other"
LATE = "Something else was proposed or begun just now. Look at the card as it is."
SAME = "This is what is proposed already."


@dataclass(frozen=True, slots=True)
class Asking:
    """An incident for which something may be asked for now, with what is open for it."""

    incident: incidents.Incident
    watch: watches.Watch | None
    open: proposals.Proposal | None
    """The remedy that would be superseded."""
    approved: tuple[str, ...] = ()
    """Who had approved that by then."""

    @property
    def mode(self) -> guardrails.Mode:
        """What a person asks for is never let through by the policy alone, whatever the watch may do by itself."""
        return "observe" if self.watch is None or self.watch.mode == "observe" else "approve"


async def begin(wired: ports.Ports, incident_id: int, user: str) -> Asking | approvals.Answer:
    """What this person may ask for something about; else why not, and the trail has it."""
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        incident = await tx.incidents.get(incident_id)
        if incident is None:
            data: dict[str, object] = {"button": BUTTON, "ending": "unknown-button", "claimed": incident_id}
            data["why"] = "no incident has this id"
            await tx.trail.append(audit.Event("press:refused", "-", user, wired.clock(), data=data))
            return approvals.Answer("unknown-button", "This button belongs to no incident that is known here.")
        watch = await tx.watches.get(incident.watch_id)
        rows = await tx.proposals.of_incident(incident_id)
        waiting = next((row for row in rows if row.state == "proposed" and row.kind == "remedy"), None)
        given = () if waiting is None else await tx.proposals.decisions(waiting.id)
        alone = None if waiting is None else await tx.alone.get(waiting.id)
        asking = Asking(incident, watch, waiting, tuple(one.user for one in given))
        announced = alone is not None and alone.open
        why = _closed(wired, asking, rows) or _held(wired, asking, user, members, announced=announced)
        if why is not None:
            await _refused(wired, tx, asking, user, why.ending, why.text)
        return why or asking


def _closed(wired: ports.Ports, asking: Asking, rows: Sequence[proposals.Proposal]) -> approvals.Answer | None:
    """Why nobody may ask now."""
    incident = asking.incident
    if not incident.live:
        return approvals.Answer("late", f"{incident.name} is resolved: {incident.resolution}")
    if asking.mode == "observe":
        return approvals.Answer("not-allowed", "This watch only observes: nothing is done from here.")
    if wired.rules.policy.read_only or wired.hands(incident.cluster) is None:
        return approvals.Answer("not-allowed", "Read-only: nothing is changed in any cluster from here.")
    if any(row.state in proposals.RUNNING for row in rows):
        return approvals.Answer("late", "An approved action is under way. Its end is told in the thread.")
    return None


def _held(
    wired: ports.Ports, asking: Asking, user: str, members: guardrails.Members, *, announced: bool
) -> approvals.Answer | None:
    """Approvals of others lapse with what they approved, and what is announced is done no more: only who may decide on
    that may bring this about."""
    waiting, given = asking.open, asking.approved
    if waiting is None or not (given or announced):
        return None
    if guardrails.may_approve(user, wired.rules.policy, tier=waiting.risk, members=members):
        return None
    if not given:
        told = "This will be done by itself. Only who may stop it may put something else in its place."
        return approvals.Answer("not-allowed", told)
    people = " and ".join(map(approvals.mention, given))
    told = f"{people} approved what is proposed now. Only who may approve it too may put something else in its place."
    return approvals.Answer("not-allowed", told)


async def sight(wired: ports.Ports, asking: Asking) -> picks.Sight:
    """What there is to choose from, read fresh. Raises NotPossible where nothing fits, ClusterUnavailable."""
    incident = asking.incident
    if not choices.names(incident.subject.kind):
        raise errors.NotPossible(f"Nothing in the catalogue is for a {incident.subject.kind}.")
    target = await wired.eyes.around(incident.cluster, incident.subject)
    if target.object is None:
        raise errors.NotPossible(f"{incident.subject.kind} {incident.subject.short} is gone.")
    return picks.Sight(target, incident.kinds, wired.clock(), incident.cluster, wired.rules.policy)


def same(one: proposals.Proposal, other: proposals.Proposal) -> bool:
    """Whether both would do the very same under the same policy."""
    return (one.digest, one.policy) == (other.digest, other.policy)


async def refused(
    wired: ports.Ports, asking: Asking, user: str, faults: Mapping[str, str], action: model.Action | None = None
) -> None:
    """That somebody asked for it, and why they did not get it."""
    async with wired.store.begin() as tx:
        named = "" if action is None else model.name_of(action)
        await _refused(wired, tx, asking, user, "refused", " ".join(faults.values()), named)


async def _refused(
    wired: ports.Ports, tx: ports.Tx, asking: Asking, user: str, ending: str, why: str, action: str = ""
) -> None:
    data = {"button": BUTTON, "ending": ending, "why": redact.redact(why), "policy": wired.rules.policy.hash}
    data |= {"action": action} if action else {}
    incident, row = asking.incident, asking.open
    about = None if row is None else row.id
    await tx.trail.append(audit.Event("press:refused", incident.cluster, user, wired.clock(), incident.id, about, data))
