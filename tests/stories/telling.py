"""What people do in the stories, and what they wait for: in Slack, of one parent message. On every cluster alike."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from bot.slack import ids
from demo import slack
from tests.stories import world as worlds

T = TypeVar("T")

GREEN = "2eb886"
ANSWERED = 15.0
_LOOKS = 20
"""At Slack, a tenth of a second apart, before the next sweep is asked for."""
_UNDONE = "SELECT count(*) FROM proposal WHERE state = 'undone'"


# --- what people do


async def approve(world: worlds.World, parent: worlds.Message, user: str = slack.ANA) -> slack.Seen:
    return await world.slack.press(user, slack.ONCALL, parent["ts"], "wk:approve")


async def undo(world: worlds.World, parent: worlds.Message, user: str = slack.BEN) -> slack.Seen:
    """Presses Undo as soon as it is offered."""
    await offered(world, parent, "wk:undo")
    return await world.slack.press(user, slack.ONCALL, parent["ts"], "wk:undo")


async def asks_for(
    world: worlds.World,
    parent: worlds.Message,
    action: str,
    values: Mapping[str, str] | None = None,
    user: str = slack.BEN,
) -> slack.Seen:
    """*Other action…*: picks this one of the catalogue, fills in its fields (by name; of a menu a part of what it says)
    and proposes it. `.errors` is what the modal says, by field; "" is about the whole."""
    await offered(world, parent, ids.OTHER)
    seen = await world.slack.press(user, slack.ONCALL, parent["ts"], ids.OTHER)
    view = await seen.modal(callback_id=ids.ASK_FORM)
    await world.slack.press_view(user, view["id"], ids.ASK_ACTION, value=action)
    filled = await world.eventually(lambda: _fields_shown(world, user, action), what=f"the fields of {action}")
    entered = {
        ids.ask_block(action, name): _entered(filled, action, name, text) for name, text in (values or {}).items()
    }
    sent: slack.Seen = await world.slack.submit_view(user, view["id"], entered)
    sent.errors = {ids.ask_field(block, action): told for block, told in sent.errors.items()}
    return sent


def _fields_shown(world: worlds.World, user: str, action: str) -> worlds.Message | None:
    """The modal as soon as it is about this action. One that says why not is an answer, too, and fails."""
    view: worlds.Message | None = world.slack.view(user)
    assert view is not None, "the modal was closed"
    assert "Not possible now" not in worlds.text_of(view), worlds.text_of(view)
    return (
        view if view["callback_id"] == ids.ASK_FORM and ids.asked(view["private_metadata"]).action == action else None
    )


def _entered(view: worlds.Message, action: str, name: str, text: str) -> str:
    """What is entered: of a menu the value of the one that shows this text."""
    block = next(one for one in view["blocks"] if one["block_id"] == ids.ask_block(action, name))
    options = block["element"].get("options", ())
    return next((str(one["value"]) for one in options if text in one["text"]["text"]), text)


async def sweep(world: worlds.World, user: str = slack.ANA) -> str:
    """`/watch now`, and what it answers."""
    seen = await world.slack.command(user, slack.ONCALL, "/watch", "now")
    return worlds.text_of(await seen.ephemeral(within=ANSWERED * world.patience))


# --- what they wait for


async def told(world: worlds.World, containing: str, within: float = worlds.SETTLED) -> worlds.Message:
    """The parent message that shows this text. Sweeps until it is there: a cluster takes its time to break."""
    return await _sweeping(world, lambda: next(iter(world.parents(containing)), None), within, containing)


async def proposed(world: worlds.World, containing: str, within: float = worlds.SETTLED) -> worlds.Message:
    """The parent message of an incident that can be approved. Sweeps until it is there."""

    def ready() -> worlds.Message | None:
        return next((one for one in world.parents(containing) if worlds.button(one, "wk:approve")), None)

    return await _sweeping(world, ready, within, f"{containing} with an Approve button")


async def shows(world: worlds.World, parent: worlds.Message, *parts: str) -> str:
    """The parent's text as soon as it shows all of these."""

    def found() -> str:
        text = world.now(parent)
        return text if all(part in text for part in parts) else ""

    text: str = await world.eventually(found, what=f"the parent shows {parts}")
    return text


async def offered(world: worlds.World, parent: worlds.Message, action_id: str) -> None:
    """Waits until the parent shows this button."""
    await world.eventually(lambda: worlds.button(world.shown(parent), action_id), what=action_id)


async def verified(world: worlds.World, parent: worlds.Message) -> None:
    """Waits until the parent is green."""
    await world.eventually(lambda: green(world, parent), what="the parent turns green")


async def healed(world: worlds.World, parent: worlds.Message, within: float = worlds.SETTLED) -> None:
    """Sweeps until the parent is green by itself."""
    await _sweeping(world, lambda: green(world, parent) or None, within, "the parent turns green after good sweeps")


async def undone(world: worlds.World, parent: worlds.Message) -> None:
    """Waits until what was done is taken back, and the thread or the parent says so."""
    await world.eventually_row(_UNDONE)
    await world.eventually(lambda: "undone" in (world.now(parent) + world.thread(parent)).lower(), what="undone")


def green(world: worlds.World, parent: worlds.Message) -> bool:
    return worlds.colour(world.shown(parent)) == GREEN


async def sweeping(world: worlds.World, found: Callable[[], T | None], what: str) -> T:
    """What `found` returns as soon as it is there, with a sweep every now and then."""
    return await _sweeping(world, found, worlds.SETTLED, what)


async def _sweeping(world: worlds.World, found: Callable[[], T | None], within: float, what: str) -> T:
    """What `found` returns as soon as it is there, with a sweep every now and then; fails with what the bots logged."""
    try:
        async with asyncio.timeout(within * world.patience):
            while True:
                for _ in range(_LOOKS):
                    if (answer := found()) is not None:
                        return answer
                    await asyncio.sleep(0.1)
                await sweep(world)
    except TimeoutError:
        raise AssertionError(f"not within {within * world.patience:g} s: {what}\n{world.tale()}") from None
