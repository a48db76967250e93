"""Like causes elsewhere: how many and what helped, and by name only what was told in the same channel."""

from datetime import timedelta

from bot.domain import incidents
from bot.evidence import past
from bot.store import engine
from k8s import model
from tests.bot.store import examples, test_tries

CLUSTER = "prod-eu"
WEB = model.ResourceRef("Deployment", "shop", "web", "uid-web")
SECRET_PLACE = "hush-hush"


def problem(subject: model.ResourceRef = WEB, cause: str = "web out of memory") -> model.Problem:
    finding = model.Finding("OOMKilled", "P1", subject, subject, "x", examples.NOW, cause, container="web")
    return model.Problem(subject, (finding,), "P1", 0, 3)


async def over(store: engine.Database, name: str, *, channel: str = "C2", cluster: str = CLUSTER) -> incidents.Incident:
    """An incident of a workload in a namespace that nobody here may know of, restarted, and resolved."""
    subject = model.ResourceRef("Deployment", SECRET_PLACE, name, f"uid-{name}")
    causes = (f"OOMKilled:{name} out of memory",)
    opened = await examples.opened(
        store, subject=subject, fingerprint=name, kinds=("OOMKilled",), causes=causes, channel=channel, cluster=cluster
    )
    await test_tries.done(store, opened.id, action=model.RolloutRestart(subject))
    async with store.begin() as tx:
        ended = incidents.resolve(opened, incidents.UNTOUCHED, examples.NOW + examples.HOUR)
        await tx.incidents.save(ended)
    return ended


async def told(store: engine.Database, about: model.Problem) -> str:
    pieces = await past.Past(store, lambda: examples.NOW + timedelta(days=1)).collect(CLUSTER, about, None)
    return "\n".join(piece.body for piece in pieces)


async def test_like_causes_elsewhere_are_counted_with_what_helped_and_named_in_their_own_channel(
    store: engine.Database,
) -> None:
    here = await over(store, "api-of-others", channel="C1")
    there = await over(store, "search-of-others", cluster="prod-us")
    await examples.opened(store, subject=WEB, fingerprint="web", channel="C1")
    body = await told(store, problem())
    number, helped = body.splitlines()
    assert number.startswith(
        "In other workloads, 2 incidents of kind OOMKilled with the same cause in 90 days; 2 of them"
    )
    assert number.endswith(f"went without a change from here. In this channel: {here.name}")
    assert helped == "rollout-restart was done twice there: it helped twice"
    assert there.name not in body
    assert SECRET_PLACE not in body
    assert "others" not in body


async def test_without_an_incident_of_its_own_nothing_is_named(store: engine.Database) -> None:
    done = await over(store, "api", channel="C1")
    body = await told(store, problem())
    assert "In other workloads, 1 incident of kind OOMKilled" in body
    assert done.name not in body


async def test_another_cause_the_workload_itself_and_no_cause_are_not_elsewhere(store: engine.Database) -> None:
    done = await over(store, "api")
    assert await told(store, problem(cause="web exit 1")) == ""
    assert await told(store, problem(cause="web")) == ""
    assert "In other workloads" not in await told(store, problem(subject=done.subject))
