"""The memory of remedies as a query: of this workload and kind, ended, no undos, and how long each held."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain import memory, proposals
from bot.store import engine
from k8s import model
from tests.bot.store import examples

NOW, HOUR, DAY = examples.NOW, examples.HOUR, examples.DAY
KIND = "CrashLoopBackOff"


async def done(
    store: engine.Database,
    incident_id: int,
    *,
    status: proposals.Check = "verified",
    at: datetime = NOW,
    action: model.Action | None = None,
    **changes: Any,
) -> int:
    """One proposal that was executed at this moment and looked at two minutes later: its id."""
    action = model.RolloutRestart(examples.WORKLOAD) if action is None else action
    row = await examples.proposed(store, incident_id, action=action, expires_at=at + 60 * DAY, **changes)
    async with store.begin() as tx:
        await tx.proposals.move(row.id, "proposed", "approved", at)
        await tx.executions.queue(row.id, examples.PERMIT, at)
        await tx.proposals.move(row.id, "approved", "executing", at)
        await tx.proposals.move(row.id, "executing", "succeeded", at)
        await tx.verifications.start(row.id, at, proposals.Before(2, "P2"))
    if status == "pending":
        return row.id
    async with store.begin() as tx:
        claimed = await tx.verifications.claim("a", at, examples.LEASE)
        assert claimed is not None
        ended = proposals.Verification(
            row.id, status, at, "", "…", at + 2 * examples.MINUTE, "a", no_undo="" if status == "verified" else "gone"
        )
        assert await tx.verifications.save(ended)
        await tx.proposals.move(row.id, "succeeded", status, at)
    return row.id


async def resolve(store: engine.Database, incident_id: int, at: datetime = NOW) -> None:
    async with store.begin() as tx:
        found = await tx.incidents.get(incident_id)
        assert found is not None
        await tx.incidents.save(examples.incident(**{**_plain(found), "state": "resolved", "resolved_at": at}))


def _plain(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


async def tried(store: engine.Database, kind: str = KIND, since: datetime = NOW - 30 * DAY) -> list[memory.Try]:
    async with store.begin() as tx:
        return list(await tx.executions.tried("prod-eu", examples.WORKLOAD, kind, since))


async def test_tries_are_told_with_their_end_oldest_first(store: engine.Database) -> None:
    incident = await examples.opened(store)
    await done(store, incident.id, status="not-verified")
    await done(store, incident.id, status="worse", at=NOW + HOUR, action=model.Scale(examples.WORKLOAD, 2))
    assert await tried(store) == [
        memory.Try("rollout-restart", "not-verified", NOW),
        memory.Try("scale", "worse", NOW + HOUR),
    ]


async def test_what_has_no_end_yet_and_undos_are_no_tries(store: engine.Database) -> None:
    incident = await examples.opened(store)
    first = await done(store, incident.id)
    await done(store, incident.id, kind="undo", undo_of=first, at=NOW + HOUR, status="not-verified")
    await done(store, incident.id, status="pending", at=NOW + 2 * HOUR)
    assert [one.at for one in await tried(store)] == [NOW]


async def test_a_fix_held_until_the_next_episode_of_its_kind(store: engine.Database) -> None:
    incident = await examples.opened(store)
    await done(store, incident.id)
    await resolve(store, incident.id, NOW + 3 * examples.MINUTE)
    assert (await tried(store))[0].held is None
    other = await examples.opened(store, kinds=("ImagePull",), opened_at=NOW + HOUR, fingerprint="f2")
    assert (await tried(store))[0].held is None
    await resolve(store, other.id, NOW + HOUR)
    await examples.opened(store, opened_at=NOW + 2 * HOUR, fingerprint="f3")
    assert (await tried(store))[0].held == 2 * HOUR - 2 * examples.MINUTE


async def test_a_fix_held_until_its_own_thread_went_on(store: engine.Database) -> None:
    incident = await examples.opened(store)
    row = await done(store, incident.id)
    async with store.begin() as tx:
        await tx.verifications.came_back(row, NOW + 7 * examples.MINUTE)
        await tx.verifications.came_back(row, NOW + 9 * examples.MINUTE)
    assert (await tried(store))[0].held == 5 * examples.MINUTE


async def test_what_never_helped_cannot_come_back(store: engine.Database) -> None:
    incident = await examples.opened(store)
    row = await done(store, incident.id, status="not-verified")
    async with store.begin() as tx:
        await tx.verifications.came_back(row, NOW + HOUR)
    assert (await tried(store))[0].held is None


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "prod-us"},
        {"subject": model.ResourceRef("Deployment", "payments", "web", "uid-web")},
        {"kinds": ("ImagePull", "NotReady")},
    ],
)
async def test_other_clusters_workloads_and_kinds_tell_nothing(store: engine.Database, changes: dict[str, Any]) -> None:
    incident = await examples.opened(store, **changes)
    await done(store, incident.id)
    assert await tried(store) == []


async def test_a_kind_beside_another_counts(store: engine.Database) -> None:
    incident = await examples.opened(store)
    await done(store, incident.id)
    assert len(await tried(store, "NotReady")) == 1


async def test_older_tries_are_left_out(store: engine.Database) -> None:
    incident = await examples.opened(store)
    await done(store, incident.id, at=NOW)
    assert await tried(store, since=NOW + timedelta(seconds=1)) == []


async def test_the_card_shows_them_and_what_a_verification_knows(store: engine.Database) -> None:
    incident = await examples.opened(store)
    await done(store, incident.id, status="worse")
    async with store.begin() as tx:
        card = await tx.cards.incident(incident.id)
    assert card is not None
    assert [one.state for one in card.tries] == ["worse"]
    assert card.remedy is not None
    assert card.remedy.verification is not None
    assert card.remedy.verification.before == proposals.Before(2, "P2")
    assert card.remedy.verification.no_undo == "gone"


async def test_what_was_done_in_these_incidents_is_told_whatever_their_workload(store: engine.Database) -> None:
    first = await examples.opened(store)
    await done(store, first.id)
    other = model.ResourceRef("Deployment", "shop", "web", "uid-web")
    second = await examples.opened(store, subject=other, fingerprint="other")
    await done(store, second.id, status="not-verified", at=NOW + HOUR, action=model.RolloutRestart(other))
    await done(store, second.id, status="pending", at=NOW + 2 * HOUR)
    async with store.begin() as tx:
        found = await tx.executions.ended([first.id, second.id])
        assert [(one.state, one.at) for one in found] == [("verified", NOW), ("not-verified", NOW + HOUR)]
        assert [one.at for one in await tx.executions.ended([second.id])] == [NOW + HOUR]
        assert await tx.executions.ended([]) == []
