"""Modals and home tabs: triggers, hashes, stacks."""

from collections.abc import AsyncIterator, Awaitable

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ANA, BEN, SlackStandIn
from tests.demo.slack.conftest import Clock, client_of, modal, text_field


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(clock=clock) as standin:
        yield standin


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return client_of(slack)


def trigger(slack: SlackStandIn, user: str = ANA, view: str | None = None) -> str:
    return slack.service.views.new_trigger(user, view).id


async def refusal(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_trigger_opens_one_modal_for_its_own_person(slack: SlackStandIn, client: AsyncWebClient) -> None:
    first = trigger(slack)
    opened = await client.views_open(trigger_id=first, view=modal())
    shown = slack.view(ANA)
    assert shown is not None
    assert shown["id"] == opened["view"]["id"]
    assert slack.view(BEN) is None
    assert await refusal(client.views_open(trigger_id=first, view=modal())) == "exchanged_trigger_id"


async def test_a_trigger_dies_after_three_seconds(slack: SlackStandIn, client: AsyncWebClient, clock: Clock) -> None:
    in_time, late = trigger(slack), trigger(slack)
    clock.now += 3
    await client.views_open(trigger_id=in_time, view=modal())
    clock.now += 0.1
    assert await refusal(client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"
    assert await refusal(client.views_open(trigger_id="nonsense", view=modal())) == "invalid_trigger_id"


async def test_an_invalid_view_does_not_use_the_trigger_up(slack: SlackStandIn, client: AsyncWebClient) -> None:
    only = trigger(slack)
    assert await refusal(client.views_open(trigger_id=only, view={"type": "modal"})) == "invalid_arguments"
    assert (await client.views_open(trigger_id=only, view=modal()))["ok"]


async def test_update_checks_the_hash(slack: SlackStandIn, client: AsyncWebClient) -> None:
    view = (await client.views_open(trigger_id=trigger(slack), view=modal()))["view"]
    updated = await client.views_update(view_id=view["id"], hash=view["hash"], view=modal(callback_id="second"))
    assert updated["view"]["callback_id"] == "second"
    assert await refusal(client.views_update(view_id=view["id"], hash=view["hash"], view=modal())) == "hash_conflict"
    assert (await client.views_update(view_id=view["id"], view=modal()))["ok"]
    assert await refusal(client.views_update(view_id="V0NOWHERE", view=modal())) == "not_found"


async def test_update_finds_a_view_by_its_external_id(slack: SlackStandIn, client: AsyncWebClient) -> None:
    await client.views_open(trigger_id=trigger(slack), view=modal(external_id="mine"))
    updated = await client.views_update(external_id="mine", view=modal(external_id="mine", callback_id="new"))
    assert updated["view"]["callback_id"] == "new"


async def test_what_was_entered_survives_an_update_where_the_field_stays(
    slack: SlackStandIn, client: AsyncWebClient
) -> None:
    view = (await client.views_open(trigger_id=trigger(slack), view=modal(text_field("a"), text_field("b"))))["view"]
    await slack.submit_view(ANA, view["id"], {"a": "kept"})
    updated = await client.views_update(view_id=view["id"], view=modal(text_field("a"), text_field("c")))
    values = updated["view"]["state"]["values"]
    assert values["a"]["text"]["value"] == "kept"
    assert "b" not in values


async def test_a_stack_holds_three_views(slack: SlackStandIn, client: AsyncWebClient) -> None:
    root = (await client.views_open(trigger_id=trigger(slack), view=modal()))["view"]
    await client.views_push(trigger_id=trigger(slack, view=root["id"]), view=modal())
    top = (await client.views_push(trigger_id=trigger(slack, view=root["id"]), view=modal()))["view"]
    assert top["root_view_id"] == root["id"]
    assert (
        await refusal(client.views_push(trigger_id=trigger(slack, view=root["id"]), view=modal()))
        == "push_limit_reached"
    )
    assert await refusal(client.views_push(trigger_id=trigger(slack), view=modal())) == "not_found"
    await slack.close_view(ANA, top["id"])
    shown = slack.view(ANA)
    assert shown is not None
    assert shown["id"] == top["previous_view_id"]
    await slack.close_view(ANA, shown["id"], clear=True)
    assert slack.view(ANA) is None


async def test_a_home_tab_is_published_for_one_person(slack: SlackStandIn, client: AsyncWebClient) -> None:
    first = (await client.views_publish(user_id=ANA, view={"type": "home", "blocks": [{"type": "divider"}]}))["view"]
    again = (await client.views_publish(user_id=ANA, hash=first["hash"], view={"type": "home", "blocks": []}))["view"]
    assert again["id"] == first["id"]
    assert slack.home(BEN) is None
    stale = client.views_publish(user_id=ANA, hash=first["hash"], view={"type": "home", "blocks": []})
    assert await refusal(stale) == "hash_conflict"
    assert (
        await refusal(client.views_publish(user_id="U0NOBODY", view={"type": "home", "blocks": []})) == "user_not_found"
    )
