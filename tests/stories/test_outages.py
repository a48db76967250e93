"""Bad days: database, Slack or cluster away at the start or in the middle; told, waited out, and nothing done twice.

The database is a server of each story's own, so that stopping it harms nobody else.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bot.slack import installing
from demo import slack
from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.pieces import Piece
from tests import postgres
from tests.stories import probing
from tests.stories import world as worlds

pytestmark = pytest.mark.story

FINISHED = "SELECT count(*) FROM sweep WHERE status NOT IN ('running', 'failed')"
VERIFIED = "SELECT count(*) FROM proposal WHERE kind = 'remedy' AND state = 'verified'"


@contextlib.asynccontextmanager
async def apart(folder: Path, pieces: Iterable[Piece]) -> AsyncIterator[tuple[worlds.World, postgres.Server]]:
    """A world on a database server that may be stopped."""
    server = await asyncio.to_thread(postgres.Server)
    try:
        async with (
            server.database() as url,
            slack.SlackStandIn() as workspace,
            SimulatedCluster(list(pieces), speed=worlds.SPEED) as cluster,
        ):
            world = worlds.World(workspace, cluster, url, folder)
            try:
                yield world, server
            finally:
                await world.end()
    finally:
        await asyncio.to_thread(server.stop)


@contextlib.asynccontextmanager
async def slack_away(world: worlds.World) -> AsyncIterator[None]:
    """Slack does not answer at all; afterwards it is at the same address again."""
    port = int(world.slack.url.rstrip("/").rpartition(":")[2])
    await world.slack.stop()
    yield
    await world.slack.start(port=port)


async def said(seen: slack.Seen, within: float = 10) -> str:
    return worlds.text_of(await seen.ephemeral(within))


# --- the database ---------------------------------------------------------------------------------------------------


async def test_a_database_that_is_away_at_the_start_or_in_the_middle_is_waited_for(tmp_path: Path) -> None:
    async with apart(tmp_path, [scenarios.crash_loop()]) as (world, server):
        await asyncio.to_thread(server.pause)
        impatient = await world.start_bot(wait=False)
        bot = await world.start_bot(wait=False)
        told = await probing.says(bot, "start", "database")
        assert told["start"] == "waiting for the database"
        assert (await probing.get(bot, "/healthz"))[0] == 200
        assert (await probing.get(bot, "/metrics"))[0] == 200
        await probing.says(impatient, "database")
        assert await probing.ended(impatient) == 0
        assert "Traceback" not in impatient.log.read_text()
        assert world.slack.service.delivery.connections == []

        await asyncio.to_thread(server.resume)
        parent = await world.proposed("payments/api")
        await probing.says(bot)

        await asyncio.to_thread(server.pause)
        seen = await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
        assert "nothing is done" in await said(seen)
        seen = await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:reject")
        view = await seen.modal(callback_id="wk:notice")
        await world.eventually(lambda: "nothing is done" in str(world.slack.view(slack.ANA)), what="no endless wait")
        await world.slack.close_view(slack.ANA, view["id"])
        for asked in ("status", "now", "show 1"):
            seen = await world.slack.command(slack.ANA, slack.ONCALL, "/watch", asked)
            assert "nothing is done" in await said(seen)
        assert "database" in await probing.wrong(bot)
        assert world.cluster.journal.attempts == []

        await asyncio.to_thread(server.resume)
        await probing.says(bot)
        await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
        await world.eventually_row(VERIFIED)
        assert len(world.cluster.journal.writes) == 1
        assert len(world.parents("payments/api")) == 1
        assert await probing.ended(bot) == 0


async def test_a_database_that_goes_while_a_fix_is_verified_loses_nothing(tmp_path: Path) -> None:
    async with apart(tmp_path, [scenarios.crash_loop()]) as (world, server):
        bot = await world.start_bot(VERIFY_HOLD="3s")
        parent = await world.proposed("payments/api")
        await world.slack.press(slack.BEN, slack.ONCALL, parent["ts"], "wk:approve")
        await world.eventually_row("SELECT count(*) FROM verification")
        await asyncio.to_thread(server.pause)
        await probing.says(bot, "database")
        await asyncio.sleep(1)
        assert await probing.ended(bot) == 0, "told to end while the database is away"
        await world.start_bot(wait=False)
        await asyncio.to_thread(server.resume)
        await world.eventually_row(VERIFIED)
        await world.eventually(lambda: "verified" in world.thread(parent).lower(), what="the thread says so")
        assert len(world.cluster.journal.writes) == 1


# --- Slack ----------------------------------------------------------------------------------------------------------


async def test_slack_away_at_the_start_and_in_the_middle_is_caught_up_with(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.config_error()])
    async with slack_away(world):
        bot = await world.start_bot(wait=False, DEFAULT_CHANNEL="#oncall")
        await world.eventually_row(FINISHED)
        await world.eventually_row("SELECT count(*) = 2 FROM incident")
        assert "slack" in await probing.wrong(bot)
    parent = await world.proposed("payments/api")
    await world.parent("notify/mailer")
    await world.slack.wait_connected(within=worlds.READY)

    async with slack_away(world):
        await probing.says(bot, "slack")
        world.cluster.delete("deployments", "mailer", "notify")
        await world.eventually_row("SELECT count(*) FROM incident WHERE NOT state = 'resolved'")
    await world.slack.wait_connected(within=worlds.READY)
    await probing.says(bot)
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    await world.eventually_row(VERIFIED)
    assert len(world.parents()) == 2
    assert await world.value("SELECT channel FROM watch") in {slack.ONCALL, "#oncall"}


async def test_an_unwell_slack_gets_each_message_once_and_each_press_counts(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    faults = world.slack.faults
    faults.http_error("auth.test", times=50, status=503)
    faults.ratelimit("chat.postMessage", retry_after=1)
    faults.http_error("chat.postMessage", status=502)
    faults.drop_response("chat.postMessage", times=2)
    faults.http_error("chat.update", times=2)
    await world.start_bot()
    parent = await world.proposed("payments/api")
    faults.http_error("response_url", times=1)
    async with asyncio.timeout(worlds.SETTLED * world.patience):
        # By its own post it learns where it is installed; until then it says so.
        while (told := await _asked(world, "status")) == installing.UNKNOWN:  # noqa: ASYNC110 - as people ask again
            await asyncio.sleep(0.5)
    assert "payments/api" in told
    seen = await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    assert (seen.ack.ok, seen.error) == (True, None)
    await world.eventually_row(VERIFIED)
    await world.eventually_row("SELECT count(*) = 0 FROM message_view WHERE wanted > shown")
    assert len(world.parents("payments/api")) == 1
    replies = [worlds.text_of(one) for one in world.slack.replies(slack.ONCALL, parent["ts"])]
    assert len(replies) == len(set(replies)) == 3, "evidence, progress and recovery, each once"
    assert len(world.cluster.journal.writes) == 1


async def test_a_socket_that_breaks_and_is_refused_for_a_while_comes_back(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.start_bot()
    parent = await world.proposed("payments/api")
    world.slack.faults.api_error("apps.connections.open", "internal_error", times=2)
    await world.slack.drop_sockets()
    await probing.says(bot, "slack")
    await world.slack.wait_connected(within=45)
    await probing.says(bot)
    await world.slack.request_disconnect()
    await world.slack.wait_connected(within=worlds.READY)
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    await world.eventually_row(VERIFIED)


async def test_a_post_that_was_not_recorded_before_a_crash_is_adopted_and_not_repeated(begin: worlds.Start) -> None:
    world = await begin([scenarios.oom()])
    world.slack.faults.drop_response("chat.postMessage")
    first = await world.start_bot()
    parent = await world.parent("search/indexer")
    first.kill()
    await first.process.wait()
    assert await world.value("SELECT count(*) FROM message_view WHERE kind = 'parent' AND ts = ''") == 1
    await world.start_bot()
    assert await world.eventually_row("SELECT ts FROM message_view WHERE kind = 'parent' AND ts <> ''") == parent["ts"]
    await world.eventually_row("SELECT count(*) = 0 FROM message_view WHERE wanted > shown")
    assert len(world.parents()) == 1


async def test_a_channel_that_cannot_be_posted_to_is_told_by_readyz_and_is_no_end(begin: worlds.Start) -> None:
    world = await begin([scenarios.oom()])
    world.slack.archive(slack.ONCALL)
    world.slack.set_bot_member(slack.GENERAL, member=False)
    bot = await world.start_bot()
    told = await probing.says(bot, f"channel {slack.ONCALL}")
    assert told[f"channel {slack.ONCALL}"] == "the channel is archived"
    asked = "add demo search channel #general name second"
    added = await world.slack.command(slack.ANA, slack.PAYMENTS, "/watch", asked)
    assert "`second` added" in await said(added)
    assert "name second" not in await said(added)
    seen = await world.slack.command(slack.ANA, slack.PAYMENTS, "/watch", "status")
    status = await said(seen)
    assert "the channel is archived" in status
    assert "search/indexer" in status
    world.slack.archive(slack.ONCALL, archived=False)
    assert await probing.ended(bot) == 0
    await world.start_bot()
    assert await world.value("SELECT count(*) FROM incident") == 1


# --- the cluster ----------------------------------------------------------------------------------------------------


async def test_a_cluster_away_at_the_start_and_in_the_middle_is_told_and_concludes_nothing(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    world.cluster.faults.unreachable = True
    bot = await world.start_bot(VERIFY_HOLD="4s")
    await probing.says(bot, "cluster demo")
    await _fails(world)
    status = await _asked(world, "status")
    assert "*failed*" in status
    assert "cluster demo" in status
    assert await world.value("SELECT count(*) FROM incident") == 0

    world.cluster.faults.unreachable = False
    assert "payments/api" in await _asked(world, "now", within=20)
    parent = await world.proposed("payments/api")
    await probing.says(bot)
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    await world.eventually(lambda: world.cluster.journal.writes, what="the write")
    await world.eventually_row("SELECT count(*) FROM verification")

    world.cluster.faults.unreachable = True
    before = await world.rows("SELECT id, state FROM incident ORDER BY id")
    await world.eventually(lambda: "does not answer" in world.thread(parent), what="the thread says so")
    await probing.says(bot, "cluster demo")
    for _ in range(2):
        await _fails(world)
    assert await world.rows("SELECT id, state FROM incident ORDER BY id") == before
    assert await world.value("SELECT status FROM verification") == "pending"

    world.cluster.faults.unreachable = False
    await world.eventually_row(VERIFIED)
    assert len(world.cluster.journal.writes) == 1
    await probing.says(bot)


async def _asked(world: worlds.World, text: str, within: float = 15) -> str:
    return await said(await world.slack.command(slack.ANA, slack.ONCALL, "/watch", text), within)


async def _fails(world: worlds.World) -> None:
    told = await _asked(world, "now", within=30)
    assert "could not look" in told, told


async def test_read_only_opens_no_writing_connection_and_shows_no_button(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    await world.start_bot(READ_ONLY="true")
    parent = await world.parent("payments/api")
    await world.diagnosed(parent)
    other = await world.parent("search/indexer")
    await world.diagnosed(other)
    await world.eventually_row("SELECT count(*) = 0 FROM message_view WHERE wanted > shown")
    for one in (parent, other):
        shown = worlds.buttons(world.slack.message(slack.ONCALL, one["ts"]))
        assert not {"wk:approve", "wk:reject", "wk:undo"} & set(shown)
    seen = await world.slack.forge(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve", value=f"1:{'0' * 16}")
    assert "belongs to no proposal" in await said(seen)
    assert {entry.user for entry in world.cluster.journal} == {"reader"}
    assert world.cluster.journal.attempts == []


# --- the end --------------------------------------------------------------------------------------------------------


async def test_sigterm_ends_it_within_seconds_whatever_it_is_doing(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    idle = await world.start_bot()
    parent = await world.proposed("payments/api")
    assert await probing.ended(idle) == 0

    pressed = await world.start_bot()
    async with world.fault(path="/apis/apps/v1/namespaces/payments/deployments", user="writer", hang=True) as fault:
        await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
        await world.eventually(lambda: fault.hits, what="it executes")
        assert await probing.ended(pressed) == 0

    async with world.fault(path="/api", hang=True) as fault:
        sweeping = await world.start_bot()
        await world.eventually(lambda: fault.hits, what="it sweeps")
        world.slack.faults.delay("*", seconds=20, times=20)
        asking = asyncio.create_task(world.slack.command(slack.ANA, slack.ONCALL, "/watch", "now"))
        await asyncio.sleep(0.5)
        assert await probing.ended(sweeping) == 0
        await asking
    world.slack.faults.clear()

    async with slack_away(world):
        lonely = await world.start_bot(wait=False)
        await probing.says(lonely, "slack")
        assert await probing.ended(lonely) == 0

    for bot in (idle, pressed, sweeping):
        assert "Traceback" not in bot.log.read_text(), bot.log.read_text()[-4000:]
    assert "never retrieved" not in lonely.log.read_text()
    assert world.cluster.journal.writes == []


async def test_what_cannot_be_started_says_why_in_one_line_each(begin: worlds.Start) -> None:
    world = await begin([])
    ill = {
        "nothing set": (
            {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": "", "DEFAULT_CHANNEL": ""},
            ("WATCHKEEPER_SLACK_BOT_TOKEN is missing", "WATCHKEEPER_SLACK_APP_TOKEN is missing",
             "WATCHKEEPER_DEFAULT_CHANNEL is missing"),
        ),
        "malformed": (
            {"SWEEP_SCHEDULE": "61 * * * *", "TIMEZONE": "Mars", "LISTEN_PORT": "x", "SLACK_BOT_TOKEN": "hunter2"},
            ("WATCHKEEPER_SLACK_BOT_TOKEN is malformed", "WATCHKEEPER_SWEEP_SCHEDULE is malformed",
             "WATCHKEEPER_TIMEZONE is malformed", "WATCHKEEPER_LISTEN_PORT is malformed"),
        ),
        "unknown context": ({"CONTEXTS": "dmeo"}, ("'dmeo'",)),
        "unknown context, read only": ({"CONTEXTS": "dmeo", "READ_ONLY": "true"}, ("'dmeo'",)),
        "unknown writer": ({"WRITER_USER": "wirter"}, ("'wirter'",)),
        "no kubeconfig": ({"KUBECONFIG": "/nowhere/config", "CONTEXTS": ""}, ("/nowhere/config",)),
        "no such host": ({"LISTEN_HOST": "192.0.2.1"}, ("cannot listen on 192.0.2.1",)),
    }  # fmt: skip
    bots = {name: await world.start_bot(wait=False, **settings) for name, (settings, _lines) in ill.items()}
    started = time.monotonic()
    for name, bot in bots.items():
        async with asyncio.timeout(30):
            code = await bot.process.wait()
        told = bot.log.read_text()
        complaints = [line for line in told.splitlines() if line.startswith("watchkeeper: ")]
        assert code == 2, f"{name}: {told}"
        assert "Traceback" not in told, told
        assert "hunter2" not in told
        assert len(complaints) == len(ill[name][1]), f"{name}: {told}"
        for expected, line in zip(ill[name][1], complaints, strict=True):
            assert expected in line, f"{name}: {told}"
    assert time.monotonic() - started < 60
