"""A person asks for an action of the catalogue; it is approved, done, verified and taken back. On every cluster alike.

`through` goes all the way with one `Story`: the card shows the kubectl line and nothing is written; as many people
approve as it takes; exactly that is written; it is verified; Undo puts the object back as it was, or the card says why
there is none. The stories are in `test_actions_on_both_*`.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot import clusters, parts, pipeline, settings
from bot.domain import ports
from bot.evidence import collecting
from bot.flow import asking
from bot.llm import absent
from bot.slack import ids
from bot.store import engine
from demo import slack
from k8s import executor, model
from k8s.client import connection, reader
from tests import grounds
from tests.stories import telling
from tests.stories import world as worlds

PEOPLE = (slack.ANA, slack.BEN)
WHY = "agreed in the call"
GRACES = "ConfigError=1s,ImagePull=1s,NotReady=1s,NodePressure=1s,StuckTerminating=1s"

_BUSY = "SELECT count(*) FROM incident WHERE id = $1 AND (diagnosis_wanted OR diagnosis_owner <> '')"
_OPEN = "SELECT id FROM proposal WHERE incident_id = $1 AND state = 'proposed' ORDER BY id DESC LIMIT 1"
_ASKED = "SELECT approvals FROM proposal WHERE incident_id = $1 AND state = 'proposed' ORDER BY id DESC LIMIT 1"
_STATE = "SELECT state FROM proposal WHERE incident_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1"
_WRITTEN = f"SELECT ({_STATE}) IN ('succeeded', 'verified')"

_TAKEN_BACK = ("succeeded", "verified", "not-verified", "worse")
"""What was broken before may be broken again by the way back, and is looked at."""

Change = Callable[[grounds.Ground], Awaitable[object]]


async def nothing(_ground: grounds.Ground) -> None:
    """What it was done for goes away by what was done."""


@dataclass(frozen=True)
class Story:
    """One action, from what is broken to the way back."""

    action: Callable[[grounds.Ground], Awaitable[model.Action]]
    """What is asked for, with names as they are now."""
    line: str
    """Part of the kubectl line on the card."""
    wrote: str
    """`patch deployments api`; `{name}` stands for what is written, a `*` at the end for the rest of a name."""
    broken: Change
    """Makes the incident."""
    subject: str = "{namespace}/api"
    """What its message names."""
    prepared: Change = nothing
    """What an administrator sets before it is asked for."""
    mended: Change = nothing
    """What an administrator sets right after the write, where the action was not meant to."""
    state: Callable[[grounds.Ground], Awaitable[Any]] | None = None
    """What Undo puts back."""
    undone: str = ""
    """What Undo writes."""
    final: str = ""
    """Why there is no Undo: what the card asks back with where one approves; it says that there is none to anybody."""
    refused: str = ""
    """Why there is none after all: what is said once it is verified."""
    printed: str = ""
    """What the thread shows of what it printed."""
    people: int = 1
    roles: tuple[str, ...] = ()
    """Optional roles of deploy/rbac.yaml that it takes."""
    settings: dict[str, str] = field(default_factory=dict)


async def through(ground: grounds.Ground, tell: worlds.Tell, story: Story) -> None:
    for role in story.roles:
        await ground.bind(role)
    await story.broken(ground)
    chosen = {"GRACES": GRACES, **story.settings}
    world = await tell(**chosen)
    parent = await telling.told(world, story.subject.format(namespace=ground.namespace))
    incident = await incident_of(world, parent)
    await story.prepared(ground)
    action = await story.action(ground)
    written = story.wrote.format(name=_written(action))
    back = story.undone.format(name=_written(action))
    before = None if story.state is None else await story.state(ground)
    await asks_for(world, incident, action)
    warned = ("cannot be undone", story.final if story.people == 1 else "") if story.final else ()
    await telling.shows(world, parent, story.line.format(name=_written(action)), *warned)
    await ground.untouched()

    assert await world.value(_ASKED, incident) == story.people
    await agreed(world, parent, incident, story.people)
    await world.eventually_row(_WRITTEN, incident, "remedy")
    if before is not None and story.state is not None:
        assert await story.state(ground) != before, "nothing was changed"
    await _wrote(ground, written)
    await story.mended(ground)
    await verified(world, parent, incident)
    if story.printed:
        await world.eventually(lambda: story.printed in world.thread(parent), what=f"its output: {story.printed}")
    if back:
        await telling.undo(world, parent)
        await telling.undone(world, parent)
        assert await world.value(_STATE, incident, "undo") in _TAKEN_BACK
        assert story.state is not None
        assert await story.state(ground) == before
        await _wrote(ground, written, back)
    else:
        await told_late(world, parent, story.refused)
        assert ids.UNDO not in worlds.buttons(world.shown(parent))
        await _wrote(ground, written)


async def _wrote(ground: grounds.Ground, *expected: str) -> None:
    """As `Ground.wrote`; the name of a Job that is made carries the time, which `*` stands for."""
    if expected[0].endswith("*"):
        done = [f"{each.verb} {each.resource} {each.name}" for each in await ground.writes()]
        assert len(done) == 1, done
        assert done[0].startswith(expected[0].removesuffix("*")), done
    else:
        await ground.wrote(*expected)


def _written(action: model.Action) -> str:
    """The name of what is written."""
    part = next((getattr(action, field) for field in ("pod", "job", "object") if hasattr(action, field)), None)
    return str((part or action.workload).name)


async def reference(ground: grounds.Ground, kind: str, name: str) -> model.ResourceRef:
    """An object as it is now, with its uid."""
    obj = await ground.admin.get(kind, name)
    metadata = obj["metadata"]
    return model.ResourceRef(kind, metadata.get("namespace", ""), name, metadata["uid"])


# --- what people do, and what they wait for


async def incident_of(world: worlds.World, parent: worlds.Message) -> int:
    """The id of the incident that this message shows, as soon as its cause was looked for."""
    incident = ids.parse(worlds.value(world.shown(parent), ids.ACKNOWLEDGE)).id
    await world.eventually_row(f"SELECT ({_BUSY}) = 0", incident)
    return incident


async def asks_for(world: worlds.World, incident: int, action: model.Action, user: str = slack.ANA) -> None:
    """What "Other action…" comes down to. Fails with what speaks against it."""
    async with _line(world) as line:
        made = await line.ask_for(incident, action, user)
    if asking.SAME in made.faults.values():  # the rules thought of it first
        return
    assert made.answer.counted, f"{model.name_of(action)}: {made.answer.text} {dict(made.faults)}"


async def agreed(world: worlds.World, parent: worlds.Message, incident: int, people: int) -> None:
    """So many people approve, with a reason where one is asked for. Fails where fewer are enough."""
    for number, user in enumerate(PEOPLE[:people], 1):
        pressed, seen = await presses(world, parent, incident, user)
        if pressed == ids.APPROVE_WITH_REASON:
            view = await seen.modal(callback_id=ids.APPROVE_REASON)
            assert (await world.slack.submit_view(user, view["id"], {ids.REASON_BLOCK: WHY})).errors == {}
        if number < people:
            await telling.shows(world, parent, f"*{number} of {people}*: <@{user}>")


async def presses(world: worlds.World, parent: worlds.Message, incident: int, user: str) -> tuple[str, slack.Seen]:
    """Which button approves what is asked for now, and what whoever presses it sees."""
    pressed = await _drawn(world, parent, await world.value(_OPEN, incident))
    return pressed, await world.slack.press(user, slack.ONCALL, parent["ts"], pressed)


async def _drawn(world: worlds.World, parent: worlds.Message, proposal: int) -> str:
    """The button that approves this very proposal, as soon as the card has it: one of before may look alike."""

    def found() -> str:
        shown = worlds.buttons(world.shown(parent))
        asking = (each for each in (ids.APPROVE, ids.APPROVE_WITH_REASON) if each in shown)
        return next((each for each in asking if ids.parse(shown[each]["value"]).id == proposal), "")

    button: str = await world.eventually(found, what=f"a button to approve {proposal}")
    return button


async def verified(world: worlds.World, parent: worlds.Message, incident: int) -> None:
    """It helped, and everybody is told."""
    await telling.verified(world, parent)
    assert await world.value(_STATE, incident, "remedy") == "verified"
    await world.eventually(lambda: "*Verified*" in world.thread(parent), what="the thread says that it is verified")


async def told_late(world: worlds.World, parent: worlds.Message, why: str) -> None:
    """Where there was to be a way back, card or thread say why there is none after all."""
    await world.eventually(lambda: why in world.now(parent) + world.thread(parent), what=f"why there is no Undo: {why}")


# --- the pipeline, as a door of the bot holds it


@contextlib.asynccontextmanager
async def _line(world: worlds.World) -> AsyncIterator[pipeline.Pipeline]:
    """The pipeline on the world's database and cluster, wired of the settings that its bots have."""
    chosen = settings.load(world.environment())
    (access,) = parts.accesses_of(chosen)
    seeing = clusters.Clusters([access], _now, time.monotonic)
    database = engine.Database(world.database_url)
    opened = await connection.Connection.open(parts.writer_access(chosen, access))
    hand = clusters.GuardedHand(executor.Executor.over(reader.Reader(opened, now=_now), opened))
    try:
        yield pipeline.Pipeline(
            ports.Ports(
                store=database,
                eyes=seeing,
                hands=lambda _: hand,
                witness=collecting.Collector(seeing.reader, _now, log_lines=1, log_bytes=1),
                advisor=absent.NoAdvisor(),
                bell=parts.Bell(),
                clock=_now,
                owner="story",
                rules=parts.rules_of(chosen),
            )
        )
    finally:
        await opened.close()
        await seeing.close()
        await database.close()


def _now() -> datetime:
    return datetime.now(UTC)
