"""Stop and *Close the breaker* as Bolt hands them over: who may, what it changes, and that a Stop that came too late or
from somebody else changes nothing and is in the trail.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import doors, pipeline
from bot.domain import audit, autonomy, proposals
from bot.slack import ids
from demo import slack
from handlers import buttons, commands
from k8s import guardrails, model
from k8s import policy as rulebook
from tests.bot.flow import worlds
from tests.bot.store import examples
from tests.handlers import holding

HOUR = timedelta(hours=1)
POLICY = guardrails.Policy(approvers=(slack.ANA, slack.BEN), autonomous=rulebook.Autonomous(enabled=True))


def _held(room: holding.Room) -> doors.Doors:
    rules = replace(worlds.RULES, policy=POLICY)
    return room.with_pipeline(pipeline.Pipeline(replace(room.replica.wired, rules=rules)))


def _body(user: str, value: str) -> dict[str, Any]:
    return {"user": {"id": user}, "channel": {"id": slack.ONCALL}, "trigger_id": "1.2", "actions": [{"value": value}]}


async def _proposed(room: holding.Room, **changes: Any) -> proposals.Proposal:
    now = room.clock()
    return await examples.proposed(room.replica.database, created_at=now, expires_at=now + HOUR, **changes)


async def _announced(room: holding.Room) -> proposals.Proposal:
    row, now = await _proposed(room), room.clock()
    async with room.replica.database.begin() as tx:
        incident = await tx.incidents.get(row.incident_id)
        assert incident is not None
        one = autonomy.Announcement(
            row.id, incident.id, incident.watch_id, incident.cluster, "waiting", "a rule", timedelta(minutes=2), 1, now
        )
        assert await tx.alone.announce(one, model.subject_of(row.action))
        assert await tx.alone.save(replace(one, state="counting", at=now + HOUR, ts="1.0"))
    return row


async def _state(room: holding.Room, row: proposals.Proposal) -> str:
    async with room.replica.database.begin() as tx:
        found = await tx.alone.get(row.id)
    return "" if found is None else f"{found.state} {found.by}".strip()


async def _trail(room: holding.Room) -> list[audit.Event]:
    found = []
    async with room.replica.database.begin() as tx:
        for head in await tx.trail.heads():
            assert await tx.trail.verify(head.chain) is None
            found += [entry.event for entry in await tx.trail.batch(head.chain, 0, head.seq)]
    return [one for one in found if one.tag.startswith(("press:", "autonomous:", "breaker:", "watch:mode"))]


async def _watch(room: holding.Room) -> int:
    watch, cause = await room.held.pipeline.add_default_watch(worlds.new_watch()), await _proposed(room)
    async with room.replica.database.begin() as tx:
        breaker = await tx.alone.breaker(watch.id, lock=True)
        await tx.alone.set_breaker(
            replace(breaker, bad=2, opened_at=room.clock(), why="it failed", incident_id=cause.incident_id)
        )
    return watch.id


async def test_stop_of_what_is_announced_is_for_approvers_and_counts_once(room: holding.Room) -> None:
    row, held = await _announced(room), _held(room)
    value = ids.value(row.id, row.digest)
    for user, told, state in (
        (slack.CHLOE, "Only approvers may decide on this.", "counting"),
        (slack.ANA, "", f"stopped {slack.ANA}"),
        (slack.BEN, f"This was stopped by <@{slack.ANA}> already.", f"stopped {slack.ANA}"),
    ):
        acks = holding.Acks()
        await buttons._Listener(held).stop_alone(acks, _body(user, value))
        assert acks.given == [{}]
        assert told in room.told(user)
        assert await _state(room, row) == state
    assert [(one.tag, one.actor) for one in await _trail(room)] == [
        ("press:refused", slack.CHLOE),
        ("autonomous:stopped", slack.ANA),
        ("press:refused", slack.BEN),
    ]


@pytest.mark.parametrize("value", ["", "1:" + "f" * 16, "-1:x", "9" * 400, "999:" + "0" * 16])
async def test_stop_of_nothing_stops_nothing(room: holding.Room, value: str) -> None:
    row, held = await _announced(room), _held(room)
    for stop in (buttons._Listener(held).stop_alone, buttons._Listener(held).stop):
        await stop(holding.Acks(), _body(slack.ANA, value))
    assert room.told(slack.ANA).count("belongs to no proposal") == 2
    assert await _state(room, row) == "counting"
    assert {(one.tag, one.actor) for one in await _trail(room)} == {("press:refused", slack.ANA)}


async def test_stop_of_what_was_never_announced_or_never_began_says_so(room: holding.Room) -> None:
    row, listener = await _proposed(room), buttons._Listener(_held(room))
    value = ids.value(row.id, row.digest)
    await listener.stop_alone(holding.Acks(), _body(slack.ANA, value))
    assert "belongs to nothing that was announced here" in room.told(slack.ANA)
    await listener.stop(holding.Acks(), _body(slack.ANA, value))
    assert "Nothing of it has begun" in room.told(slack.ANA)
    await listener.stop(holding.Acks(), _body(slack.CHLOE, value))
    assert "Only approvers may decide on this." in room.told(slack.CHLOE)
    assert [one.data["ending"] for one in await _trail(room)] == ["unknown-button", "late", "not-allowed"]


async def test_the_breaker_is_closed_by_an_approver_alone_and_once(room: holding.Room) -> None:
    value, listener = ids.value(await _watch(room)), buttons._Listener(_held(room))
    for user, told in (
        (slack.CHLOE, "Only approvers may close it."),
        (slack.ANA, ""),
        (slack.BEN, f"is closed already by <@{slack.ANA}>"),
    ):
        acks = holding.Acks()
        await listener.close_breaker(acks, _body(user, value))
        assert acks.given == [{}]
        assert told in room.told(user)
    await listener.close_breaker(holding.Acks(), _body(slack.BEN, "forged"))
    assert "belongs to no watch" in room.told(slack.BEN)
    assert [(one.tag, one.actor) for one in await _trail(room) if one.chain != "-"] == [
        ("press:refused", slack.CHLOE),
        ("breaker:closed", slack.ANA),
        ("press:refused", slack.BEN),
    ]


class _Taken:
    status_code = 200


async def _said(room: holding.Room, typed: str, user: str) -> str:
    said: list[dict[str, Any]] = []

    async def respond(**content: Any) -> _Taken:
        said.append(content)
        return _Taken()

    command = {"text": typed, "user_id": user, "channel_id": slack.ONCALL}
    await commands._Listener(_held(room)).listen(holding.Acks(), command, respond)
    (answer,) = said
    assert answer["response_type"] == "ephemeral"
    return str(answer["blocks"])


async def test_watch_mode_and_watch_breaker_are_for_approvers_where_something_may_be_done(room: holding.Room) -> None:
    await _watch(room)
    name = worlds.CLUSTER
    assert "Only who may approve what is of low risk" in await _said(room, f"mode {name} autonomous", slack.CHLOE)
    assert "*Warning:*" in await _said(room, f"mode {name} autonomous", slack.ANA)
    assert "in mode autonomous already" in await _said(room, f"mode {name} autonomous", slack.ANA)
    assert "Only approvers may close it." in await _said(room, f"breaker {name} close", slack.CHLOE)
    assert f"The breaker of watch `{name}` is closed." in await _said(room, f"breaker {name} close", slack.BEN)
    assert "is closed already" in await _said(room, f"breaker {name} close", slack.BEN)
    assert "in mode observe now." in await _said(room, f"mode {name} observe", slack.CHLOE)
    assert "`close`" in await _said(room, f"breaker {name} open", slack.ANA)
    assert "wild" in await _said(room, f"mode {name} wild", slack.ANA)
    assert "There is no watch" in await _said(room, "breaker nope close", slack.ANA)
    told = [(one.tag, one.actor) for one in await _trail(room)]
    assert told.count(("press:refused", slack.CHLOE)) == 2
    assert told.count(("watch:mode-changed", slack.CHLOE)) == told.count(("watch:mode-changed", slack.ANA)) == 1
    assert told.count(("breaker:closed", slack.BEN)) == 1
