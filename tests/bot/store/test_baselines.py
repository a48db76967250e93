"""What sweeps learnt comes back as it was, of its cluster and namespace only, and is forgotten in its time."""

import asyncio
import time
from datetime import timedelta

import pytest

from bot.store import baselines, engine
from k8s import history
from tests.bot.store import examples

FAMILIES: list[history.Family] = ["restarts", "memory", "logs"]
PLACE = history.Place("Deployment", "payments", "api", "uid-api", "app")
OTHER = PLACE._replace(namespace="web", uid="uid-web")
RESTARTS = history.Restarts({"uid-a": 3}, 1.5, 20.25, (history.Restart(examples.NOW, "uid-a", 2),), examples.NOW)
MEMORY = history.Memory(
    536870912.0, "api-1", "uid-a", (history.Sample(1793674800, 0.5), history.Sample(1793675100, 0.51))
)
LOGS = history.Logs(
    {"": history.Template(0.5, 3, ""), "ERROR no #": history.Template(0.0, 3, 'ERROR no "x\u2028"')},
    600.0,
    5.0,
    examples.NOW,
    7,
    "api-1",
    "uid-a",
)
ALL = history.History({PLACE: RESTARTS}, {PLACE: MEMORY}, {PLACE: LOGS}, kept=True)


async def keep(store: engine.Database, changes: history.History, cluster: str = "prod-eu") -> None:
    async with store.begin() as tx:
        await tx.baselines.keep(cluster, changes, examples.NOW)


async def known(store: engine.Database, cluster: str = "prod-eu", namespace: str = "") -> history.History:
    async with store.begin() as tx:
        return await tx.baselines.known(cluster, FAMILIES, namespace)


async def test_states_come_back_as_they_were(store: engine.Database) -> None:
    await keep(store, ALL)
    assert await known(store) == ALL


async def test_a_state_takes_the_place_of_the_one_before(store: engine.Database) -> None:
    await keep(store, ALL)
    later = history.Restarts({}, 0.0, 99.0, (), examples.NOW)
    await keep(store, history.History(restarts={PLACE: later}))
    assert await known(store) == history.History({PLACE: later}, {PLACE: MEMORY}, {PLACE: LOGS}, kept=True)


async def test_clusters_namespaces_and_families_are_told_apart(store: engine.Database) -> None:
    await keep(store, ALL)
    await keep(store, history.History(memory={OTHER: MEMORY}))
    assert len(await known(store, "prod-us")) == 0
    assert set((await known(store)).memory) == {PLACE, OTHER}
    assert await known(store, namespace="web") == history.History(memory={OTHER: MEMORY}, kept=True)
    async with store.begin() as tx:
        assert await tx.baselines.known("prod-eu", ["logs"]) == history.History(logs={PLACE: LOGS}, kept=True)


@pytest.mark.parametrize(
    ("hours", "left"),
    [(25, {"restarts", "memory", "logs"}), (27, {"restarts", "logs"}), (100, {"restarts"}), (400, set())],
)
async def test_each_family_is_forgotten_in_its_own_time(store: engine.Database, hours: int, left: set[str]) -> None:
    await keep(store, ALL)
    await keep(store, ALL, "prod-us")
    async with store.begin() as tx:
        await tx.baselines.forget("prod-eu", examples.NOW + timedelta(hours=hours))
    found = await known(store)
    assert {name for name in FAMILIES if getattr(found, name)} == left
    assert await known(store, "prod-us") == ALL


async def test_what_postgres_cannot_keep_is_replaced(store: engine.Database) -> None:
    odd = PLACE._replace(name="a\x00b", uid="", container="c\ud800")
    logs = history.Logs({"ERROR \x00": history.Template(0.0, 9, "\x00")}, 1.0, 1.0, examples.NOW, 1, "p", "u")
    await keep(store, history.History(logs={odd: logs}))
    found = await known(store)
    ((place, state),) = found.logs.items()
    assert (place.name, place.container) == ("a\ufffdb", "c\ufffd")
    assert set(state.templates) == {"ERROR \ufffd"}


async def test_sweeps_that_end_at_once_do_not_wait_for_each_other_for_ever(store: engine.Database) -> None:
    places = [PLACE._replace(uid=f"uid-{number}") for number in range(300)]
    both = [history.History(restarts=dict.fromkeys(order, RESTARTS)) for order in (places, places[::-1])]
    await asyncio.gather(*(keep(store, changes) for changes in both * 2))
    assert len(await known(store)) == 300


async def test_the_most_that_a_sweep_may_store_takes_a_small_part_of_it(store: engine.Database) -> None:
    samples = tuple(history.Sample(1793674800 + 300 * number, 0.5) for number in range(110))
    curve = history.Memory(536870912.0, "api-1", "uid-a", samples)
    places = [PLACE._replace(uid=f"uid-{number}") for number in range(2_000)]
    changes = history.History(dict.fromkeys(places, RESTARTS), dict.fromkeys(places, curve))
    await keep(store, changes)
    started = time.perf_counter()
    await keep(store, changes)
    assert await known(store) == history.History(changes.restarts, changes.memory, kept=True)
    assert time.perf_counter() - started < 20
    assert set(baselines.KEPT) == set(FAMILIES)
