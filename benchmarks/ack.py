"""How long Slack waits for an acknowledgement while the bot sweeps a large cluster, beside the same at rest.

The bot is a process of its own with an embedded Postgres of its own, `benchmarks.pages_server` is its cluster, and the
Slack stand-in sends it commands and presses at a steady rate, whether or not earlier ones were answered. Time runs from
the moment that a person does something to the acknowledgement's arrival at the stand-in; Slack itself gives up after
3 s (docs.slack.dev/interactivity/handling-user-interaction). Called by `benchmarks.__main__`.
"""

import asyncio
import contextlib
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import pages, pages_server
from benchmarks.result import Result
from demo import slack

INTERACTIONS = 300
RATE = 20.0
"""A second: some hundred people, all at once on a bad night."""
P99_LIMIT_MS = 500.0
READY_SECONDS = 60.0
SETTLED_SECONDS = 120.0
SWEEP_SECONDS = 60.0
STOP_SECONDS = 20.0
BROKEN = pages.LARGE.deployments // pages.FAILING_EVERY
"""Workloads of the cluster that fail, and so incidents."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Acks:
    """Of one load: milliseconds of each that was acknowledged, and how many were not."""

    ms: Sequence[float]
    lost: int


async def run() -> list[Result]:
    """Measures; takes about a minute. Raises AssertionError where the bot does not start or does not sweep."""
    async with pages_server.serving(pages.PAGE) as port, slack.SlackStandIn() as workspace, _bot(workspace, port):
        await _settled(workspace)
        at_rest = await load(_mix(workspace))
        sweeping = asyncio.create_task(_sweep_on(workspace))
        try:
            busy = await load(_mix(workspace))
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
    sweeps = sum(_is_whole_sweep(text) for text in _told(workspace))
    return figures(at_rest, busy, sweeps)


def figures(at_rest: Acks, busy: Acks, sweeps: int) -> list[Result]:
    """What is reported. An interaction without an acknowledgement is an error on somebody's screen: none may be."""
    assert sweeps, "no sweep of the whole cluster ended while the acknowledgements were measured"
    p99, p99_at_rest = percentile(busy.ms, 99), percentile(at_rest.ms, 99)
    return [
        Result("slack ack p50 while sweeping", percentile(busy.ms, 50), "ms"),
        Result("slack ack p99 while sweeping", p99, "ms", P99_LIMIT_MS),
        Result("slack ack p50 at rest", percentile(at_rest.ms, 50), "ms"),
        Result("slack ack p99 at rest", p99_at_rest, "ms"),
        Result("slack ack p99, sweeping / at rest", p99 / p99_at_rest, "x"),
        Result("sweeps of 10,000 pods meanwhile", sweeps, ""),
        Result("interactions without an ack", at_rest.lost + busy.lost, "", 0.0),
    ]


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank: a value that was measured. Infinite where nothing was."""
    if not values:
        return math.inf
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


async def load(doing: Callable[[int], Awaitable[slack.Seen]], count: int = INTERACTIONS, rate: float = RATE) -> Acks:
    """`count` interactions, begun at `rate` a second: a slow answer does not hold the next ones back."""
    ms: list[float] = []

    async def one(number: int) -> None:
        began = time.perf_counter()
        seen = await doing(number)
        if seen.ack.ok:
            ms.append((time.perf_counter() - began) * 1000)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            group.create_task(one(number))
    return Acks(ms, count - len(ms))


def _mix(workspace: slack.SlackStandIn) -> Callable[[int], Awaitable[slack.Seen]]:
    """Two commands that read the record, and two presses that are decided before they are acknowledged."""
    posted = workspace.messages(slack.ONCALL)

    async def one(number: int) -> slack.Seen:
        message = posted[number % len(posted)]["ts"]
        match number % 4:
            case 0:
                return await workspace.command(slack.ANA, slack.ONCALL, "/watch", "status")
            case 1:
                value = f"{number % BROKEN + 1}:-"
                return await workspace.forge(slack.BEN, slack.ONCALL, message, "wk:ack", value=value)
            case 2:
                return await workspace.command(slack.CHLOE, slack.ONCALL, "/watch", "incidents 24h")
            case _:
                value = f"{number}:0123456789abcdef"
                return await workspace.forge(slack.ANA, slack.ONCALL, message, "wk:approve", value=value)

    return one


# --- the bot and its cluster ------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _bot(workspace: slack.SlackStandIn, port: int) -> AsyncIterator[None]:
    """A connected bot with the page server as its cluster; it sweeps at its start and then only when asked."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101, S103 - started by root, Postgres is another user
        folder = Path(name)
        environment = _settings(workspace, folder, pages_server.kubeconfig(folder, port))
        log = folder / "bot.log"
        with log.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "serve", env=environment, stdout=stream, stderr=stream
            )
        try:
            await _connected(workspace, log)
            yield
        finally:
            await end(process)


def _settings(workspace: slack.SlackStandIn, folder: Path, kubeconfig: Path) -> dict[str, str]:
    return {key: os.environ[key] for key in _KEPT if key in os.environ} | {
        "WATCHKEEPER_SLACK_API_URL": workspace.api_url,
        "WATCHKEEPER_SLACK_BOT_TOKEN": workspace.bot_token,
        "WATCHKEEPER_SLACK_APP_TOKEN": workspace.app_token,
        "WATCHKEEPER_DATA_DIR": str(folder / "data"),
        "WATCHKEEPER_KUBECONFIG": str(kubeconfig),
        "WATCHKEEPER_CONTEXTS": "bench",
        "WATCHKEEPER_DEFAULT_CHANNEL": slack.ONCALL,
        "WATCHKEEPER_APPROVERS": f"{slack.ANA},{slack.BEN}",
        "WATCHKEEPER_SWEEP_SCHEDULE": "0 0 1 1 *",
        "WATCHKEEPER_FAST_PATH": "false",  # the page server lists, and knows no watches
        "WATCHKEEPER_LISTEN_PORT": "0",
    }


async def _connected(workspace: slack.SlackStandIn, log: Path) -> None:
    try:
        await workspace.wait_connected(within=READY_SECONDS)
    except TimeoutError:
        said = await asyncio.to_thread(log.read_text)
        raise AssertionError(f"the bot is not connected within {READY_SECONDS:g} s:\n{said}") from None


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends a bot as a rolling restart would."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _settled(workspace: slack.SlackStandIn) -> None:
    """Waits until the first sweep is told: every incident posted."""
    await workspace.wait_for(lambda: len(workspace.messages(slack.ONCALL)) >= BROKEN, within=SETTLED_SECONDS)
    await asyncio.sleep(1)


async def _sweep_on(workspace: slack.SlackStandIn) -> None:
    """One sweep after another, until cancelled. Asked by who presses nothing: nobody else's answer is taken for one."""
    while True:
        seen = await workspace.command(slack.CHLOE, slack.ONCALL, "/watch", "now")
        await seen.ephemeral(within=SWEEP_SECONDS)


def _told(workspace: slack.SlackStandIn) -> list[str]:
    return [str(one) for one in workspace.ephemerals(slack.CHLOE, slack.ONCALL)]


def _is_whole_sweep(text: str) -> bool:
    """Whether this answers `/watch now`, and every pod was seen."""
    return f"{pages.LARGE.pods} pods" in text.replace(",", "") and "took" in text
