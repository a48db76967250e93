"""What the fast path costs while a large cluster is busy, and how soon what breaks is told in Slack.

The cost: a process of its own follows 10,000 pods of which 1,000 change a second, two in a hundred of them failing
ones; its CPU time over the time that passed. The delay: a bot as people start it, on a simulated cluster, with sweeps a
year apart; from the moment that the API shows a failing status to the post in Slack. Called by `benchmarks.__main__`.
"""

import asyncio
import concurrent.futures
import contextlib
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from benchmarks import ack, pages, pages_server
from benchmarks.result import Result
from bot import following, pipeline
from bot.domain import ports, rules, watches
from bot.flow import triage
from demo import slack
from demo.cluster import Piece, SimulatedCluster, scenarios
from k8s import model
from k8s.client import connection

CHANGES = 1_000.0
"""Pods a second."""
SECONDS = 15.0
CPU_LIMIT = 15.0
FAILURES = 20
P95_LIMIT_S = 2.0
SPEED = 20.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class _Cost:
    cpu: float
    """Percent of a core while pods changed."""
    problems: int
    """How often a problem was handed on: not each change of a pod that is known to fail."""
    memory_mb: float
    """What following added to the process."""


async def run() -> list[Result]:
    """Measures; takes about two minutes. Raises AssertionError where nothing was followed, or nothing told."""
    spawning = multiprocessing.get_context("spawn")
    async with pages_server.serving(pages.PAGE, CHANGES) as port:
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawning) as pool:
            cost: _Cost = await asyncio.get_running_loop().run_in_executor(pool, _measured, port)
    assert cost.problems, "no failing workload was noticed"
    delays = await _delays()
    return [
        Result("following 10,000 pods, 1,000 changes a second", cost.cpu, "% CPU", CPU_LIMIT),
        Result("problems handed on meanwhile", cost.problems, ""),
        Result("memory that following takes", cost.memory_mb, "MB"),
        Result("failing status to post in Slack p50", ack.percentile(delays, 50), "s"),
        Result("failing status to post in Slack p95", ack.percentile(delays, 95), "s", P95_LIMIT_S),
    ]


# --- the cost, in a child process -------------------------------------------------------------------------------------


class _Line:
    """A pipeline with one watch, which counts what it is told."""

    def __init__(self) -> None:
        self.problems = 0
        scope = model.Scope()
        now = datetime.now(UTC)
        self._watch = watches.Watch(
            1, "bench", "bench", scope, "0 0 1 1 *", "UTC", "C0", "approve", "active", "bench", now
        )

    async def list_watches(self) -> Sequence[watches.Watch]:
        return [self._watch]

    async def notice(self, _watch: watches.Watch, problems: Sequence[model.Problem]) -> triage.Triaged:
        self.problems += len(problems)
        return triage.Triaged()


class _Leases:
    async def take(self, *_: object) -> bool:
        return True

    async def give_back(self, *_: object) -> None:
        return


class _Store:
    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        yield self

    leases = _Leases()


class _Eyes:
    clusters = ("bench",)


class _Wired:
    """Of `ports.Ports` what following asks for: everything but a database."""

    def __init__(self) -> None:
        self.store, self.eyes, self.rules, self.owner = _Store(), _Eyes(), rules.Rules(), "bench"
        self.meter = self
        self.follows = asyncio.Event()

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def followed(self, _cluster: str, follows: bool) -> None:
        if follows:
            self.follows.set()


def _measured(port: int) -> _Cost:
    return asyncio.run(_follow(port))


async def _follow(port: int) -> _Cost:
    gc.collect()
    gc.freeze()  # as `bot.main` does
    line, wired = _Line(), _Wired()
    before = _resident_mb()
    with tempfile.TemporaryDirectory() as folder:
        access = connection.ClusterAccess("bench", pages_server.kubeconfig(Path(folder), port))
        over = await connection.Connection.open(access)

        async def connect(_cluster: str) -> connection.Connection:
            return over

        async def select(_cluster: str, scope: model.Scope) -> model.Scope:
            return scope

        line_, wired_ = cast("pipeline.Pipeline", line), cast("ports.Ports", wired)
        fast = following.Following(line_, wired_, connect, select, time.monotonic)
        task = asyncio.create_task(fast.run())
        try:
            async with asyncio.timeout(60):
                await wired.follows.wait()
            await asyncio.sleep(2)
            cpu, wall = time.process_time(), time.monotonic()
            await asyncio.sleep(SECONDS)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            memory = _resident_mb() - before
        finally:
            task.cancel()
            await asyncio.wait([task])
            await over.close()
    return _Cost(100 * cpu / wall, line.problems, memory)


def _resident_mb() -> float:
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0.0
    return int(status.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


# --- the delay --------------------------------------------------------------------------------------------------------


async def _delays() -> list[float]:
    """Seconds of each failure, one after the other."""
    async with (
        slack.SlackStandIn() as workspace,
        SimulatedCluster("empty", speed=SPEED) as cluster,
        _bot(workspace, cluster),
    ):
        await cluster.wait_for(lambda: _followed(cluster), timeout=60)
        await asyncio.sleep(3)
        return [await _delay(workspace, cluster, number) for number in range(FAILURES)]


async def _delay(workspace: slack.SlackStandIn, cluster: SimulatedCluster, number: int) -> float:
    name, namespace = f"service-{number:02d}", f"team-{number:02d}"
    piece: Piece = scenarios.crash_loop(name, namespace) if number % 2 else scenarios.job_failed(name, namespace)
    shown: Callable[[], bool] = (
        (lambda: _crashing(cluster, namespace)) if number % 2 else (lambda: _given_up(cluster, namespace))
    )
    for step in sorted(piece.steps, key=lambda each: -each.ago):
        await cluster.settle()
        step.do(cluster)
    await cluster.wait_for(shown, timeout=60)
    began = time.monotonic()
    await workspace.wait_for(lambda: any(name in str(one) for one in workspace.messages(slack.ONCALL)), within=30)
    return time.monotonic() - began


def _crashing(cluster: SimulatedCluster, namespace: str) -> bool:
    return any(
        ((status.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
        for pod in cluster.list("pods", namespace)
        for status in pod.get("status", {}).get("containerStatuses", ())
    )


def _given_up(cluster: SimulatedCluster, namespace: str) -> bool:
    return any(
        condition["type"] == "Failed"
        for job in cluster.list("jobs", namespace)
        for condition in job.get("status", {}).get("conditions", ())
    )


def _followed(cluster: SimulatedCluster) -> bool:
    watched = {one.path.rpartition("/")[2] for one in cluster.journal.entries if "watch" in one.query}
    return {"pods", "jobs", "events", "replicasets", "deployments"} <= watched


@contextlib.asynccontextmanager
async def _bot(workspace: slack.SlackStandIn, cluster: SimulatedCluster) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101, S103 - started by root, Postgres is another user
        folder = Path(name)
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | {
            "WATCHKEEPER_SLACK_API_URL": workspace.api_url,
            "WATCHKEEPER_SLACK_BOT_TOKEN": workspace.bot_token,
            "WATCHKEEPER_SLACK_APP_TOKEN": workspace.app_token,
            "WATCHKEEPER_DATA_DIR": str(folder / "data"),
            "WATCHKEEPER_KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
            "WATCHKEEPER_CONTEXTS": "demo",
            "WATCHKEEPER_DEFAULT_CHANNEL": slack.ONCALL,
            "WATCHKEEPER_SWEEP_SCHEDULE": "0 0 1 1 *",
            "WATCHKEEPER_READ_ONLY": "true",
            "WATCHKEEPER_LISTEN_PORT": "0",
        }
        with (folder / "bot.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "serve", env=environment, stdout=log, stderr=log
            )
        try:
            await workspace.wait_connected(within=ack.READY_SECONDS)
            yield
        finally:
            await ack.end(process)
