"""Shelving: runbooks that people add and remove from Slack. Those of a folder or a ConfigMap are kept where they are.

Called by `bot.pipeline`. Text is redacted before it is stored: a runbook may hold what nobody meant to share.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot import errors
from bot.domain import audit, consultations, ports
from bot.domain import words as sayings
from k8s import redact

MOST = 500
"""Added from Slack, in all."""


async def listed(wired: ports.Ports) -> Sequence[consultations.Runbook]:
    async with wired.store.begin() as tx:
        return await tx.runbooks.all()


async def show(wired: ports.Ports, name: str) -> Sequence[consultations.Runbook]:
    """All of this name: one from Slack may stand beside one of a folder. Raises NotPossible with near names."""
    known = await listed(wired)
    found = [one for one in known if one.name == name]
    if not found:
        raise errors.NotPossible(sayings.unknown("runbook", name, sorted({one.name for one in known})))
    return found


async def add(wired: ports.Ports, new: consultations.Runbook) -> bool:
    """Puts it in the place of an earlier one that was added by this name; False where it was there just like this.

    `new` comes from `runbooks.made`. Raises NotPossible where there are too many.
    """
    now = wired.clock()
    kept = replace(new, title=redact.redact(new.title), body=redact.redact(new.body))
    async with wired.store.begin() as tx:
        others = sum(one.source == "slack" and one.name != new.name for one in await tx.runbooks.all())
        if others >= MOST:
            raise errors.NotPossible(f"The runbook was not added: there are {MOST} already. Remove one first.")
        changed = await tx.runbooks.put(kept, now)
        if changed:
            data = {"name": kept.name, "title": kept.title, "kinds": list(kept.kinds), "labels": dict(kept.labels)}
            await tx.trail.append(audit.Event("runbook:added", "-", new.added_by, now, data=data))
    return changed


async def remove(wired: ports.Ports, name: str, user: str) -> None:
    """Raises NotPossible for what is not there, or was not added from Slack."""
    found = await show(wired, name)
    elsewhere = next((one for one in found if one.source != "slack"), None)
    now = wired.clock()
    async with wired.store.begin() as tx:
        if await tx.runbooks.remove("slack", name):
            await tx.trail.append(audit.Event("runbook:removed", "-", user, now, data={"name": name}))
            return
    place = "ConfigMap" if elsewhere is not None and elsewhere.source == "configmap" else "folder"
    raise errors.NotPossible(f"`{name}` was not added from Slack: it is in the {place}. Remove it there.")
