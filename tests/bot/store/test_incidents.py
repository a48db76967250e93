"""Incidents as rows: one live one for each subject, and no change lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot import errors
from bot.domain import incidents
from bot.store import engine
from k8s import model
from tests.bot.store import examples

LATER = examples.NOW + examples.HOUR


async def _resolve(store: engine.Database, one: incidents.Incident, at: datetime = LATER) -> incidents.Incident:
    ended = incidents.resolve(one, "gone", at)
    async with store.begin() as tx:
        await tx.incidents.save(ended)
    return ended


async def test_an_incident_comes_back_as_it_was_opened(store: engine.Database) -> None:
    kept = await examples.opened(store)
    assert kept == examples.incident(id=kept.id, watch_id=kept.watch_id)
    async with store.begin() as tx:
        assert await tx.incidents.get(kept.id) == kept
        assert await tx.incidents.live("prod-eu") == [kept]
        assert await tx.incidents.live("other") == []
        assert await tx.incidents.get(999) is None


async def test_of_many_that_open_one_subject_at_once_one_does(store: engine.Database) -> None:
    watch = await examples.watched(store)

    async def open_one(number: int) -> incidents.Incident | None:
        async with store.begin() as tx:
            return await tx.incidents.open(examples.incident(watch_id=watch.id, fingerprint=f"f{number}"))

    tried = await asyncio.gather(*(open_one(number) for number in range(50)))
    assert sum(one is not None for one in tried) == 1


async def test_the_same_subject_in_another_cluster_is_another(store: engine.Database) -> None:
    await examples.opened(store)
    assert (await examples.opened(store, cluster="prod-us")).cluster == "prod-us"


async def test_those_of_one_subject_are_found_by_its_name_newest_first(store: engine.Database) -> None:
    first = await _resolve(store, await examples.opened(store))
    second = await _resolve(store, await examples.opened(store, fingerprint="f2", opened_at=LATER))
    await examples.opened(store, fingerprint="f3", opened_at=LATER)
    anew = model.ResourceRef(first.subject.kind, first.subject.namespace, first.subject.name, "another-uid")
    other = model.ResourceRef(first.subject.kind, first.subject.namespace, "other", first.subject.uid)
    async with store.begin() as tx:
        assert await tx.incidents.of_subject("prod-eu", anew, examples.NOW, 5) == [second, first]
        assert await tx.incidents.of_subject("prod-eu", anew, LATER, 5) == [second]
        assert await tx.incidents.of_subject("prod-eu", anew, examples.NOW, 1) == [second]
        assert await tx.incidents.of_subject("prod-us", anew, examples.NOW, 5) == []
        assert await tx.incidents.of_subject("prod-eu", other, examples.NOW, 5) == []


async def test_a_resolved_one_makes_room_for_the_next_episode(store: engine.Database) -> None:
    first = await _resolve(store, await examples.opened(store))
    second = await examples.opened(store, episode=2, previous_id=first.id)
    async with store.begin() as tx:
        assert await tx.incidents.live("prod-eu") == [second]
        assert await tx.incidents.past("prod-eu", "f1", examples.NOW) == [first]
        assert await tx.incidents.past("prod-eu", "f1", LATER) == []
        assert await tx.incidents.past("prod-eu", "f2", examples.NOW) == []


async def test_one_cannot_live_again_beside_another(store: engine.Database) -> None:
    first = await _resolve(store, await examples.opened(store))
    await examples.opened(store, episode=2)
    with pytest.raises(errors.NotPossible, match="another live incident"):
        async with store.begin() as tx:
            await tx.incidents.save(replace(first, state="open", resolved_at=None))


async def test_a_flapping_one_goes_on_where_it_was(store: engine.Database) -> None:
    first = await _resolve(store, await examples.opened(store))
    again = replace(first, state="open", resolved_at=None, resolution="", flapping=True)
    async with store.begin() as tx:
        await tx.incidents.save(again)
        assert await tx.incidents.live("prod-eu") == [again]


async def test_the_last_resolved_is_found_by_uid_or_by_name(store: engine.Database) -> None:
    await _resolve(store, await examples.opened(store), LATER)
    last = await _resolve(store, await examples.opened(store, episode=2), LATER + examples.HOUR)
    nameless = model.ResourceRef("Deployment", "payments", "api")
    namesake = model.ResourceRef("Deployment", "payments", "api", "uid-new")
    async with store.begin() as tx:
        assert await tx.incidents.last_resolved("prod-eu", examples.WORKLOAD) == last
        assert await tx.incidents.last_resolved("prod-eu", nameless) == last
        assert await tx.incidents.last_resolved("prod-eu", namesake) is None
        assert await tx.incidents.last_resolved("prod-us", examples.WORKLOAD) is None


async def test_changes_under_the_lock_are_not_lost(store: engine.Database) -> None:
    kept = await examples.opened(store)

    async def count() -> None:
        async with store.begin() as tx:
            await tx.incidents.lock("prod-eu")
            now = await tx.incidents.get(kept.id)
            assert now is not None
            await asyncio.sleep(0)
            await tx.incidents.save(replace(now, clear_sweeps=now.clear_sweeps + 1))

    await asyncio.gather(*(count() for _ in range(40)))
    async with store.begin() as tx:
        found = await tx.incidents.get(kept.id)
    assert found is not None
    assert found.clear_sweeps == 40


async def test_locks_of_different_clusters_do_not_wait_for_each_other(store: engine.Database) -> None:
    async with store.begin() as one, store.begin() as other:
        await one.incidents.lock("prod-eu")
        await asyncio.wait_for(other.incidents.lock("prod-us"), 5)


async def test_one_replica_diagnoses_and_others_skip(store: engine.Database) -> None:
    kept = await examples.opened(store)

    async def claim(owner: str, now: datetime = examples.NOW) -> incidents.Incident | None:
        async with store.begin() as tx:
            return await tx.incidents.wanting_diagnosis(owner, now, examples.LEASE)

    claimed = await asyncio.gather(*(claim(f"replica-{number}") for number in range(30)))
    assert [one for one in claimed if one is not None] == [kept]
    assert await claim("a", examples.NOW + examples.LEASE - examples.SECOND) is None
    assert await claim("a", examples.NOW + examples.LEASE) == kept, "what a dead replica left is taken over"
    async with store.begin() as tx:
        await tx.incidents.release_diagnosis(kept.id)
    assert await claim("b") == kept


async def test_saving_leaves_the_claim_of_the_diagnosis_alone(store: engine.Database) -> None:
    kept = await examples.opened(store)
    async with store.begin() as tx:
        assert await tx.incidents.wanting_diagnosis("a", examples.NOW, examples.LEASE) == kept
        await tx.incidents.save(replace(kept, ready=2))
        assert await tx.incidents.wanting_diagnosis("b", examples.NOW, examples.LEASE) is None


async def test_only_live_ones_that_want_a_diagnosis_are_claimed_oldest_first(store: engine.Database) -> None:
    async def subject(name: str, **changes: object) -> incidents.Incident:
        return await examples.opened(store, subject=model.ResourceRef("Deployment", "a", name), **changes)

    young = await subject("young", opened_at=examples.NOW)
    old = await subject("old", opened_at=examples.NOW - examples.HOUR)
    await subject("content", diagnosis_wanted=False)
    ended = replace(await subject("ended"), state="resolved", resolved_at=LATER)
    async with store.begin() as tx:
        await tx.incidents.save(ended)
        found = [await tx.incidents.wanting_diagnosis("a", examples.NOW, examples.LEASE) for _ in range(3)]
    assert found == [old, young, None]


async def test_search_by_state_person_and_time(store: engine.Database) -> None:
    mine = await examples.opened(store, opened_at=examples.NOW - examples.DAY)
    mine = incidents.acknowledge(mine, "U7", examples.NOW)
    async with store.begin() as tx:
        await tx.incidents.save(mine)
    ended = await _resolve(store, await examples.opened(store, cluster="prod-us"), examples.NOW - examples.HOUR)
    async with store.begin() as tx:
        live: tuple[incidents.State, ...] = ("open", "acknowledged", "snoozed")
        every = (*live, "resolved")
        assert await tx.incidents.search(states=live) == [mine]
        assert await tx.incidents.search(states=live, user="U7") == [mine]
        assert await tx.incidents.search(states=live, user="U8") == []
        assert await tx.incidents.search(states=every) == [ended, mine]
        assert await tx.incidents.search(states=every, since=examples.NOW - 2 * examples.HOUR) == [ended, mine]
        assert await tx.incidents.search(states=every, since=examples.NOW) == [mine]
        assert await tx.incidents.search(states=every, limit=1) == [ended]


async def test_counts_are_by_state_and_forget_what_was_resolved_long_ago(store: engine.Database) -> None:
    await examples.opened(store)
    now = datetime.now(UTC)
    for cluster, hours in (("a", 1), ("b", 2), ("c", 25)):
        await _resolve(store, await examples.opened(store, cluster=cluster), now - timedelta(hours=hours))
    async with store.begin() as tx:
        assert await tx.incidents.counts() == {"open": 1, "resolved": 2}


async def test_like_causes_are_found_in_every_workload_and_cluster_whatever_the_container_is_called(
    store: engine.Database,
) -> None:
    async def over(name: str, at: datetime = LATER, **changes: object) -> incidents.Incident:
        subject = model.ResourceRef("Deployment", "shop", name, f"uid-{name}")
        what = {"kinds": ("OOMKilled",), "causes": (f"OOMKilled:{name} out of memory",)} | changes
        return await _resolve(store, await examples.opened(store, subject=subject, fingerprint=name, **what), at)

    first = await over("a")
    second = await over("b", LATER + examples.HOUR, cluster="prod-us")
    await over("c", causes=("OOMKilled:c of another sort",))
    await over("d", kinds=("NotReady", "OOMKilled"), causes=("NotReady:d x probe", "OOMKilled:d out of memory"))
    await examples.opened(store, fingerprint="live", kinds=("OOMKilled",), causes=("OOMKilled:e out of memory",))
    async with store.begin() as tx:
        assert await tx.incidents.alike("OOMKilled", "app out of memory", examples.NOW) == [second, first]
        assert await tx.incidents.alike("OOMKilled", "app out of memory", LATER + examples.MINUTE) == [second]
        assert await tx.incidents.alike("ImagePull", "out of memory", examples.NOW) == []
