"""The control endpoints, as a test in another process and the page use them, and who is turned away."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from demo.slack import ANA, CHLOE, ONCALL, PAYMENTS, SlackStandIn
from tests.demo.slack.conftest import Connect, actions, app_of, button, client_of, modal


@pytest.fixture
async def http(slack: SlackStandIn) -> AsyncIterator[ClientSession]:
    async with ClientSession(slack.url) as session:
        yield session


async def post(http: ClientSession, path: str, **body: Any) -> dict[str, Any]:
    async with http.post(path, json=body) as answer:
        result: dict[str, Any] = await answer.json()
        return result


async def test_a_whole_conversation_over_http(slack: SlackStandIn, http: ClientSession, connect: Connect) -> None:
    app, client = app_of(slack), client_of(slack)

    @app.action("open")
    async def opened(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    @app.view("reason")
    async def submitted(ack: Any) -> None:
        await ack(response_action="errors", errors={"reason": "no"})

    @app.command("/watch")
    async def watch(ack: Any) -> None:
        await ack("here")

    await connect(app)
    ts = (await client.chat_postMessage(channel=ONCALL, text="x", blocks=actions(button("open"))))["ts"]
    seen = await post(http, "/_test/interact/command", user=ANA, channel=ONCALL, name="/watch", text="")
    assert seen["ephemerals"][0]["text"] == "here"
    seen = await post(http, "/_test/interact/press", user=ANA, channel=ONCALL, ts=ts, action_id="open", settle=0.3)
    assert seen["ok"]
    view_id = seen["view"]["id"]
    seen = await post(http, "/_test/interact/submit", user=ANA, view_id=view_id, values={"reason": "x"})
    assert seen["errors"] == {"reason": "no"}
    assert (await post(http, "/_test/interact/close", user=ANA, view_id=view_id))["view"] is None
    said = await post(http, "/_test/interact/say", user=ANA, channel=ONCALL, text="hello")
    async with http.get("/_test/state", params={"channel": ONCALL, "user": ANA}) as answer:
        state = await answer.json()
    assert state["messages"][-1]["ts"] == said["ts"]
    assert state["connections"] == 1


async def test_what_is_not_shown_is_a_conflict_and_nonsense_is_refused(http: ClientSession) -> None:
    press = {"user": ANA, "channel": ONCALL, "ts": "1.000000", "action_id": "a"}
    async with http.post("/_test/interact/press", json=press) as answer:
        assert answer.status == 409
    for path, body in (("press", {"user": ANA}), ("dance", {}), ("say", {"user": ANA, "loud": True})):
        async with http.post(f"/_test/interact/{path}", json=body) as answer:
            assert answer.status in (400, 404)
    async with http.post("/_test/interact/say", data="{", headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400


async def test_faults_journal_channels_and_sockets(slack: SlackStandIn, http: ClientSession) -> None:
    await post(http, "/_test/faults", kind="api_error", method="auth.test", error="fatal_error", times=2)
    async with http.get("/_test/faults") as answer:
        assert (await answer.json())[0]["error"] == "fatal_error"
    async with http.delete("/_test/faults") as answer:
        assert (await answer.json())["ok"]
    assert not (await post(http, "/_test/faults", kind="flood"))["ok"]
    assert not (await post(http, "/_test/faults", kind="delay", sideways=1))["ok"]
    await client_of(slack).auth_test()
    async with http.get("/_test/journal", params={"method": "auth.test"}) as answer:
        assert [call["ok"] for call in await answer.json()] == [True]
    async with http.delete("/_test/journal"):
        assert len(slack.journal) == 0
    await post(http, "/_test/channel", channel=PAYMENTS, archived=True, bot_member=False)
    assert slack.workspace.channel(PAYMENTS).is_archived
    assert not (await post(http, "/_test/channel", channel="C0NOWHERE"))["ok"]
    assert (await post(http, "/_test/sockets", do="drop"))["ok"]
    assert not (await post(http, "/_test/sockets", do="redeliver"))["ok"]


@pytest.mark.parametrize(
    "headers",
    [{"Host": "slack.example"}, {"Origin": "https://elsewhere.example"}, {"Host": "[::1"}, {"Origin": "null"}],
)
@pytest.mark.parametrize("path", ["/", "/_test/journal", "/_page/socket?user=U0ANA0001", "/static/app.js"])
async def test_foreign_hosts_and_origins_are_turned_away(
    http: ClientSession, headers: dict[str, str], path: str
) -> None:
    async with http.get(path, headers=headers) as answer:
        assert answer.status in (400, 403)


async def test_a_foreign_page_can_neither_post_nor_listen(slack: SlackStandIn, http: ClientSession) -> None:
    async with http.post("/_test/interact/say", data={"user": ANA, "channel": ONCALL, "text": "x"}) as answer:
        assert answer.status == 415
    async with http.post("/_test/interact/say", json={}, headers={"Origin": "https://elsewhere.example"}) as answer:
        assert answer.status == 403
    with pytest.raises(WSServerHandshakeError):
        await http.ws_connect(f"/_page/socket?user={ANA}", origin="https://elsewhere.example")
    assert slack.messages(ONCALL) == []


async def test_the_page_forbids_foreign_and_inline_code(http: ClientSession) -> None:
    async with http.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in ("nothing.js", "..%2Fpage.py", "%2e%2e/ids.py"):
        async with http.get(f"/static/{name}") as answer:
            assert answer.status == 404


async def test_a_browser_hears_only_what_its_person_may_see(slack: SlackStandIn, http: ClientSession) -> None:
    client = client_of(slack)
    slack.workspace.set_member(PAYMENTS, CHLOE, member=False)
    async with http.ws_connect(f"/_page/socket?user={CHLOE}") as socket:
        snapshot = await socket.receive_json()
        assert [c["id"] for c in snapshot["channels"]] == [ONCALL, "C0GENERAL1", "D0CHLOE01"]
        await client.chat_postMessage(channel=PAYMENTS, text="not for Chloe")
        await client.chat_postEphemeral(channel=ONCALL, user=ANA, text="for Ana")
        await client.chat_postMessage(channel=ONCALL, text="for all")
        change = await socket.receive_json()
    assert change["type"] == "message"
    assert change["data"]["text"] == "for all"


async def test_the_stand_in_runs_in_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo.slack", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    try:
        async with ClientSession() as session, session.get(ready["url"]) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
