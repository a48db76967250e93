"""Editing: what a person enters becomes an action that takes the place of what was proposed, once it has passed all
that a proposal has to pass. `bot.pipeline` puts the steps together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot import errors
from bot.domain import audit, edits, incidents, ports, proposals, watches
from k8s import model, redact


@dataclass(frozen=True, slots=True)
class Editing:
    """An open remedy with the rows around it, and what it could be instead, by a fresh look."""

    proposal: proposals.Proposal
    incident: incidents.Incident
    watch: watches.Watch | None
    target: model.Target
    fields: tuple[edits.Field, ...]


async def begin(wired: ports.Ports, row: proposals.Proposal) -> Editing:
    """Reads the cluster. Raises NotPossible where there is nothing to set, ClusterUnavailable."""
    async with wired.store.begin() as tx:
        incident = await tx.incidents.get(row.incident_id)
        watch = None if incident is None else await tx.watches.get(incident.watch_id)
    if incident is None or row.kind != "remedy" or not edits.editable(row.action):
        raise errors.NotPossible("This has nothing that could be set: approve it, or reject it and say why.")
    target = await wired.eyes.target(incident.cluster, row.action)
    return Editing(row, incident, watch, target, edits.fields(row.action, target))


def changed(editing: Editing, values: Mapping[str, str]) -> model.Action:
    """The action with what was entered. Raises edits.Wrong."""
    action = edits.edited(editing.proposal.action, values, editing.target)
    if action == editing.proposal.action:
        raise edits.Wrong({editing.fields[0].name: "This is what is proposed already."})
    return action


def told(editing: Editing, reasons: tuple[str, ...]) -> Mapping[str, str]:
    """Why the changed action may not be done, at the first thing that was entered: they are about the whole."""
    return {editing.fields[0].name: " ".join(reasons) or "It cannot be done."}


async def refused(wired: ports.Ports, editing: Editing, user: str, faults: Mapping[str, str]) -> None:
    """That somebody asked for it, and why they did not get it."""
    row = editing.proposal
    data = {"button": "edit", "ending": "refused", "why": redact.redact(" ".join(faults.values()))}
    data |= {"digest": row.digest, "policy": wired.rules.policy.hash}
    async with wired.store.begin() as tx:
        await tx.trail.append(
            audit.Event("press:refused", editing.incident.cluster, user, wired.clock(), row.incident_id, row.id, data)
        )
