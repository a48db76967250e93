"""Every door of a real bot: `/watch`, App Home, signed HTTP, probes, and the clock. What is said is fit for a phone."""

import asyncio
import io
import json
import re
import time
import urllib.parse
from pathlib import Path

import aiohttp
import pytest

from bot import commands as grammar
from demo import slack
from demo.cluster import scenarios
from demo.slack import delivery
from demo.slack.state import im_id
from tests.stories import probing
from tests.stories import world as worlds

pytestmark = pytest.mark.story

UNFIT = re.compile(r"\bNone\b(?!\.)|&lt;|&gt;|ˋ|Traceback|\{[a-z_]+\}(?!\|)")
"""Python's None, escaped or broken markup, a placeholder: none of it is for people (`None.` is an empty list)."""
COUNTED = "SELECT count(*) FROM message_view WHERE kind = 'report'"
DATE = re.compile(r"<!date\^[^>|]*\|([^>]*)>")


async def ask(
    world: worlds.World, text: str, *expected: str, user: str = slack.ANA, channel: str = slack.ONCALL
) -> str:
    """What `/watch …` answers, to the asker alone; it contains all that is expected, and nothing unfit."""
    seen = await world.slack.command(user, channel, "/watch", text)
    assert seen.error is None
    answer = await seen.ephemeral(within=15)
    told = DATE.sub(r"\1", worlds.text_of(answer))
    assert UNFIT.search(told) is None, told
    assert len(told) < 3000
    for part in expected:
        assert part in told, f"/watch {text} answers:\n{told}"
    return told


async def test_what_is_asked_of_watch_is_answered_to_the_asker_alone(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    name = re.search(r"WK-\d+", world.now(parent))
    assert name is not None
    number = name[0].removeprefix("WK-")

    for nothing in ("", "help", "HELP"):
        told = await ask(world, nothing, "/watch now", "/watch show WK-12")
        commands = [line for line in told.splitlines() if line.startswith("`/watch ")]
        assert len(commands) == len(set(commands)) == len(grammar.FORMS)
        assert len(told.splitlines()) == len(commands) + 2, "a title, and what else there is on an incident"
    await ask(world, "staus", "`staus` is not known. Did you mean `/watch status")
    await ask(world, "xyzzy", "`xyzzy` is not known. Type `/watch help`.")

    for asked in ("status", "status demo"):
        await ask(world, asked, "*demo*", "payments/api", "search/indexer", "Waits for approval", "next ")
    await ask(world, "status dmeo", "There is no cluster `dmeo`. Did you mean `demo`?")
    await ask(world, "list", "*demo*", "all namespaces", "mode approve", f"<#{slack.ONCALL}>", "last sweep", "next ")

    await ask(world, "now", "*demo*: ", "payments/api", "search/indexer")
    for place in ("payments", "demo/payments", "payments/deployment/api", "demo/payments/Deployments/api"):
        assert "search/indexer" not in await ask(world, f"now {place}", "payments/api")
    await ask(world, "now paymets", "There is no namespace `paymets`. Did you mean `payments`?")
    await ask(world, "now payments/deployment/ap", "There is no deployment `ap` in `payments`. Did you mean `api`?")
    await ask(world, "now payments/cat/api", "write `namespace/kind/name`")

    for asked in ("incidents", "incidents open", "incidents 24H"):
        await ask(world, asked, "payments/api", "search/indexer")
    await ask(world, "incidents mine", "None.")
    await world.slack.press(slack.CHLOE, slack.ONCALL, parent["ts"], "wk:ack")
    await ask(world, "incidents mine", "payments/api", f"<@{slack.CHLOE}>", user=slack.CHLOE)
    await ask(world, "incidents opn", "Did you mean `open`?")

    for words in (f"WK-{number}", f"#{number}", number, f"wk-{number}"):
        await ask(world, f"show {words}", f"WK-{number}", "rollout undo deployment/api", "[E")
    await ask(world, "show 999", "There is no incident WK-999.", "/watch incidents")
    await ask(world, "show api", "`api` is no incident", "`WK-12`")
    await ask(world, "show", "`/watch show` needs one more word. Type: `/watch show WK-12 [sent [page]]`")

    whole = "The chain is whole"
    await ask(world, "audit", "incident:opened", "watch:added", whole)
    assert "search" not in await ask(world, f"audit WK-{number}", "incident:opened", "proposal:made", whole)
    mine = await ask(world, f"audit <@{slack.CHLOE}|chloe>", f"<@{slack.CHLOE}>", whole)
    assert "incident:opened" not in mine
    await ask(world, "audit 24h", "incident:opened", f"audit:viewed · <@{slack.ANA}> · of <@{slack.CHLOE}>", whole)
    await ask(world, "audit yesterday", "no trail of `yesterday`", "`WK-12`", "`24h`")

    await ask(world, "report weekly", "Type `/watch report now`.")
    await ask(world, "report now", "The report is being posted here.")
    await world.eventually(lambda: "noisiest" in _said(world, slack.ONCALL).lower(), what="the report")
    await ask(world, "report now", "No watch tells its incidents in this channel", f"<#{slack.ONCALL}>",
              channel=slack.GENERAL)  # fmt: skip
    everybody = _said(world, slack.ONCALL)
    assert "xyzzy" not in everybody
    assert "The chain is whole" not in everybody
    assert _said(world, slack.GENERAL) == ""
    assert world.cluster.journal.attempts == []


def _said(world: worlds.World, channel: str) -> str:
    return "\n".join(worlds.text_of(one) for one in world.slack.messages(channel))


async def test_watches_are_added_paused_resumed_and_removed_and_a_removed_one_stays_so(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.start_bot()
    await world.parent("payments/api")

    not_added = "The watch was not added: "
    await ask(world, "add", f"{not_added}the cluster is missing", "Type: `/watch add cluster")
    await ask(world, "add dmeo", "There is no cluster `dmeo`. Did you mean `demo`?")
    await ask(world, "add demo paymets", "There is no namespace `paymets` in cluster `demo`. Did you mean `payments`?")
    await ask(world, 'add demo cron "61 * * * *"', f"{not_added}the cron `61 * * * *`", "the minute is not within 0-59")
    await ask(world, "add demo zone Europe/Berln", f"{not_added}the zone", "did you mean Europe/Berlin?")
    await ask(world, "add demo channel #nope", f"{not_added}I cannot see a channel `#nope`")
    await ask(world, "add demo mode wild", f"{not_added}the mode `wild`", "`observe`")
    await ask(world, "add demo name Bad_Name", f"{not_added}the name `Bad_Name`")
    await ask(world, "add demo payments zne UTC", f"{not_added}`zne` is no option", "`zone`")
    await ask(world, 'add demo cron "* *', f"{not_added}a quote is not closed")
    await ask(world, "add demo", "There is a watch `demo` already")
    assert await world.value("SELECT count(*) FROM watch") == 1

    everything = 'cron "*/5 * * * *" zone Europe/Berlin channel #general mode observe name pay'
    told = await ask(world, f"add demo payments,web-*,!web-x {everything}", "`pay` added", f"<#{slack.GENERAL}>")
    assert "`payments, web-*, !web-x` of cluster `demo` by `*/5 * * * *` (Europe/Berlin), in mode observe" in told
    row = (await world.rows("SELECT * FROM watch WHERE name = 'pay'"))[0]
    assert (row["cron"], row["timezone"], row["channel"], row["mode"], row["created_by"]) == (
        "*/5 * * * *", "Europe/Berlin", slack.GENERAL, "observe", slack.ANA,
    )  # fmt: skip
    await ask(world, "add demo payments name pay", "There is a watch `pay` already")
    await ask(world, "list", "*pay*", "payments, `web-*` but web-x", "mode observe")

    not_changed = "The watch was not changed: "
    await ask(world, "kinds", "`/watch kinds` needs one more word.")
    await ask(world, "kinds pay", "Watch `pay` goes by the settings for every failure kind.")
    await ask(world, "kinds pay off JobFaild", not_changed, "did you mean JobFailed?", "Type: `/watch kinds name")
    await ask(world, "kinds pya off JobFailed", "There is no watch `pya`. Did you mean `pay`?")
    await ask(
        world,
        "kinds pay off jobfailed grace notready=10m",
        "For watch `pay` alone: `off JobFailed grace NotReady=10m`. All else is as in the settings.",
        "It holds from the next sweep on.",
    )
    await ask(world, "kinds pay default NotReady", "For watch `pay` alone: `off JobFailed`.")
    await ask(world, "list", "`off JobFailed`")
    await ask(world, "status", "`off JobFailed`")
    await ask(world, "audit", "watch:kinds-changed", "before off JobFailed grace NotReady=10m, name pay, off JobFailed")
    await ask(world, "add demo payments name jobs on logerrors", "`jobs` added", "For it alone: `on LogErrors`.")
    await ask(world, "remove jobs", "Watch `jobs` is removed.")

    await ask(world, "pause pay", "Watch `pay` is paused")
    await ask(world, "pause pay", "Watch `pay` is paused already.")
    await ask(world, "list", "*paused*")
    assert "*pay*" not in await ask(world, "now", "*demo*: ")
    await ask(world, "resume pay", "Watch `pay` is active again.")
    await ask(world, "resume pya", "There is no watch `pya`. Did you mean `pay`?")
    await ask(world, "remove", "`/watch remove` needs one more word.")
    await ask(world, "remove pay", "Watch `pay` is removed. It had no open incident.")
    await ask(world, "pause pay", "There is no watch `pay`.")
    await ask(world, "pause demo", "Watch `demo` is paused")
    await ask(world, "now", "There is no active watch.", "/watch resume")

    await ask(world, "remove demo", "Watch `demo` is removed. Its open incident was closed.")
    await world.eventually(lambda: "watch was removed" in _said(world, slack.ONCALL), what="the thread says so")
    await ask(world, "status", "Nothing is being watched.")
    await ask(world, "incidents", "None.")
    await ask(world, "audit", "watch:removed", f"<@{slack.ANA}>")

    assert await bot.stop() == 0
    again = await world.start_bot()
    await ask(world, "list", "Nothing is being watched.")
    assert await probing.wrong(again) == {}


async def test_modes_breakers_and_stops_come_through_every_door_and_only_from_approvers(
    begin: worlds.Start, tmp_path: Path
) -> None:
    """The buttons are pressed by their values: what is shown in which state is told in `test_by_itself`."""
    world = await begin([scenarios.crash_loop()])
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nautonomous: {enabled: true, actions: [scale]}\n")
    await world.start_bot(POLICY_FILE=str(policy))
    parent = await world.proposed("payments/api")
    only = "Only who may approve what is of low risk may make a watch autonomous."
    await ask(world, "mode demo autonomous", only, f"<@{slack.ANA}>", user=slack.CHLOE)
    await ask(world, "mode demo autonomous", "Watch `demo` is in mode autonomous now.", "Warning:")
    await ask(world, "mode demo wild", "`observe`")
    await ask(world, "breaker demo close", "Only approvers may close it.", user=slack.CHLOE)
    await ask(world, "breaker demo close", "The breaker of watch `demo` is closed already")
    await ask(world, "breaker demo", "it takes the watch's name and `close`")

    watch = await world.value("SELECT id FROM watch")
    row = await world.value("SELECT id || ':' || left(digest, 16) FROM proposal")
    for action, value, told in (
        ("wk:close-breaker", f"{watch}:-", "is closed already"),
        ("wk:stop-alone", row, "belongs to nothing that was announced here"),
        ("wk:stop", row, "Nothing of it has begun"),
    ):
        seen = await world.slack.forge(slack.CHLOE, slack.ONCALL, parent["ts"], action, value=value)
        assert "Only approvers may" in worlds.text_of(await seen.ephemeral(within=15))
        seen = await world.slack.forge(slack.BEN, slack.ONCALL, parent["ts"], action, value=value)
        assert told in worlds.text_of(await seen.ephemeral(within=15))
    refused = "SELECT count(*) FROM audit WHERE tag = 'press:refused' AND actor = '{}'"
    assert await world.value(refused.format(slack.CHLOE)) == 5
    assert await world.value(refused.format(slack.BEN)) == 3
    assert await world.value("SELECT state FROM proposal") == "proposed"
    assert world.cluster.journal.attempts == []


async def test_app_home_shows_what_waits_and_its_buttons_work(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    await world.eventually(lambda: world.thread(parent), what="a thread")

    for person in (slack.ANA, slack.CHLOE):
        await world.slack.open_home(person)
    await world.eventually(lambda: "rollout undo" in _home(world, slack.ANA), what="App Home")
    await world.eventually(lambda: "rollout undo" in _home(world, slack.CHLOE), what="App Home")
    assert "payments/api" in _home(world, slack.ANA)
    assert "Watchkeeper itself is well" in _home(world, slack.ANA)
    assert UNFIT.search(DATE.sub(r"\1", _home(world, slack.ANA))) is None

    await world.slack.press_home(slack.CHLOE, "wk:approve")
    refusal = await world.eventually(lambda: world.slack.messages(im_id(slack.CHLOE)), what="a direct message")
    assert f"<@{slack.ANA}>" in worlds.text_of(refusal[0])
    seen = await world.slack.press(slack.CHLOE, slack.ONCALL, parent["ts"], "wk:approve")
    assert "thread_ts" not in await seen.ephemeral(), "whoever looks at the channel does not see into the thread"
    assert world.cluster.journal.attempts == []

    await world.slack.press_home(slack.ANA, "wk:approve")
    await world.eventually(lambda: "wk:approve" not in json.dumps(world.slack.home(slack.ANA)), what="no dead button")
    await world.eventually_row("SELECT state = 'verified' FROM proposal WHERE kind = 'remedy'")
    assert len(world.cluster.journal.writes) == 1
    await world.slack.open_home(slack.ANA)
    await world.eventually(lambda: "Nothing is broken that is watched" in _home(world, slack.ANA), what="all is well")


async def test_a_rejection_from_app_home_leaves_no_dead_button(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    await world.proposed("payments/api")
    await world.slack.open_home(slack.ANA)
    await world.eventually(lambda: "rollout undo" in _home(world, slack.ANA), what="App Home")
    seen = await world.slack.press_home(slack.ANA, "wk:reject")
    view = await seen.modal(callback_id="wk:reject-reason")
    done = await world.slack.submit_view(slack.ANA, view["id"], {"wk:reason-text": "not now"})
    assert (done.error, done.errors) == (None, {})
    await world.eventually(lambda: "wk:approve" not in json.dumps(world.slack.home(slack.ANA)), what="drawn anew")
    assert await world.value("SELECT state FROM proposal") == "rejected"


def _home(world: worlds.World, user: str) -> str:
    view = world.slack.home(user)
    return "" if view is None else worlds.text_of(view)


async def test_signed_http_works_and_what_is_not_signed_does_nothing(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.start_bot(wait=False, SLACK_MODE="http", SLACK_SIGNING_SECRET=world.slack.signing_secret)
    await probing.says(bot)
    assert [host for host, _port in await probing.addresses(bot)] == ["127.0.0.1"]
    door = f"{await probing.url(bot)}/slack/events"
    await world.slack.use_http(door)
    assert world.slack.service.delivery.connections == []

    parent = await world.proposed("payments/api")
    await ask(world, "status", "payments/api")
    press = json.dumps(await _press_of(world, parent))
    body = urllib.parse.urlencode({"payload": press})
    wrong, old = delivery.signature_headers(body, time.time(), "f" * 32), delivery.signature_headers(body, 1e9)
    for headers in ({}, wrong, old, {**delivery.signature_headers("x", time.time())}):
        assert await _posted(door, body, headers) == 401
    assert await world.value("SELECT count(*) FROM audit WHERE tag LIKE 'press:%'") == 0
    assert await world.value("SELECT state FROM proposal") == "proposed"
    assert await _posted(door, io.BytesIO(b"x" * 2_000_000), {}) == 413

    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    await world.eventually_row("SELECT state = 'verified' FROM proposal WHERE kind = 'remedy'")
    assert len(world.cluster.journal.writes) == 1

    assert await probing.get(bot, "/healthz") == (200, '{"status": "ok"}')
    status, page = await probing.get(bot, "/metrics")
    assert status == 200
    assert 'watchkeeper_presses_total{button="approve",ending="counted"} 1.0' in page
    assert 'watchkeeper_slack_calls_total{answer="ok",method="chat.postMessage"}' in page
    assert "watchkeeper_loop_lag_seconds_bucket" in page
    assert world.slack.bot_token not in page
    assert (await probing.get(bot, "/"))[0] == 404


async def _press_of(world: worlds.World, parent: worlds.Message) -> dict[str, object]:
    """A press as Slack would send it."""
    button = worlds.button(parent, "wk:approve")
    assert button is not None
    user, channel = {"id": slack.ANA, "name": "ana", "team_id": slack.TEAM_ID}, {"id": slack.ONCALL, "name": "oncall"}
    action = {"type": "button", "action_id": "wk:approve", "block_id": "b", "value": button["value"], "action_ts": "1"}
    return {"type": "block_actions", "user": user, "channel": channel, "message": parent, "actions": [action],
            "team": {"id": slack.TEAM_ID, "domain": "demo"}, "trigger_id": "1"}  # fmt: skip


async def _posted(door: str, body: str | io.BytesIO, headers: dict[str, str]) -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session, session.post(door, data=body, headers=form | headers) as answer:
        return answer.status


async def test_of_two_replicas_one_makes_each_scheduled_sweep_and_one_the_report(begin: worlds.Start) -> None:
    """The only story that waits for the clock: a minute, cron's own grain, at most."""
    world = await begin([scenarios.oom()])
    for _ in range(2):
        await world.start_bot(REPORT_SCHEDULE="* * * * *")
    await world.parent("search/indexer")
    await world.eventually_row(
        "SELECT count(*) FROM sweep WHERE trigger = 'schedule' AND status <> 'running'", within=70
    )
    await world.eventually(lambda: "noisiest" in _said(world, slack.ONCALL).lower(), what="the report")
    slots = await world.rows("SELECT slot, count(*) AS times FROM sweep WHERE slot IS NOT NULL GROUP BY slot")
    assert {row["times"] for row in slots} == {1}
    assert await world.value("SELECT count(*) = count(DISTINCT slot) FROM report")
    async with asyncio.timeout(10):  # the next minute may make another one at any moment
        while _said(world, slack.ONCALL).lower().count("noisiest") != await world.value(COUNTED):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
