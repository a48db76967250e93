"""Asking an API server who may do what, before anybody is asked to approve it: ourselves, and each in whose name it
could be written.

Called by `k8s.executor`. Each question is a SelfSubjectAccessReview, sent in that person's name, so it is answered with
all that the cluster knows of them: its own groups, webhooks, other authorizers. That we may not speak in their name is
an answer as well. https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from k8s import identities, model, redact
from k8s.client import errors, rights

MOST = 20
"""So many approvers are asked for at most: what is not found among them is not offered."""
_TOLD = 3
"""Of as many it is said what they lack."""


class Reviewing(Protocol):
    """What is needed of `k8s.client.reader.Reader`."""

    async def can_i(
        self,
        verb: str,
        resource: str,
        namespace: str = "",
        *,
        group: str | None = None,
        as_user: model.Identity | None = None,
    ) -> bool: ...


async def lacking(
    reviewing: Reviewing, wanted: Sequence[rights.Right], as_user: model.Identity | None = None, who: str = ""
) -> str:
    """Which of these rights are lacked, as one sentence; empty where none is. Raises ClusterError where the review
    itself fails: then nothing is known. `who`: how the person is called in the sentence."""
    try:
        held = await asyncio.gather(
            *(
                reviewing.can_i(one.verb, one.resource, one.namespace, group=one.group, as_user=as_user)
                for one in wanted
            )
        )
    except errors.Forbidden as error:
        if as_user is None:
            raise
        return f"{rights.OURS} may not act as {as_user.user}: {redact.redact(error.message)}"
    missing = [one for one, has in zip(wanted, held, strict=True) if not has]
    if not missing:
        return ""
    return rights.missing(missing, rights.OURS if as_user is None else who or f"The identity {as_user.user}")


async def able(
    reviewing: Reviewing,
    known: identities.Identities,
    wanted: Sequence[rights.Right],
    people: Collection[str] | None,
    enough: int,
) -> str:
    """Why not `enough` of these people (None: all there are) could have it written in their names; empty where they
    could. Whoever has no identity has it written in ours, where that may be."""
    found, told = 0, dict[str, None]()
    if not known.required and (people is None or set(people) - set(known.people)):
        own = await lacking(reviewing, wanted)
        found += 0 if own else enough
        told |= {own: None} if own else {}
    answers: dict[model.Identity, str] = {}
    for user in known.among(people)[:MOST]:
        if found >= enough:
            break
        identity = known.people[user]
        if identity not in answers:
            answers[identity] = await lacking(reviewing, wanted, identity)
        found += not answers[identity]
        told |= {answers[identity]: None} if answers[identity] else {}
    if found >= enough:
        return ""
    why = " ".join(list(told)[:_TOLD]) or "Nobody who may approve it has an identity in the impersonation file."
    return f"Too few of those who may approve it could have it done in their names. {why}"


async def trier(
    reviewing: Reviewing,
    known: identities.Identities,
    wanted: Sequence[rights.Right],
    people: Collection[str] | None,
) -> model.Identity | None:
    """In whose name a dry run is sent while nobody has approved anything: in our own where we have the rights, so that
    nobody's name is under what they did not ask for; else in that of the first person who has them."""
    if not await lacking(reviewing, wanted):
        return None
    for user in known.among(people)[:MOST]:
        if not await lacking(reviewing, wanted, known.people[user]):
            return known.people[user]
    return None
