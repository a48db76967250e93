"""How far the product's sweep of a large cluster is from the practical limit: raw aiohttp and msgspec, side by side.

10,000 pods of 8 KB and what belongs to them, served on loopback by another process. Both sides read and decode the very
same pages; the product also filters, bounds and detects. Times come from alternating rounds in one process, so that
what else the machine does meets both; memory comes from a fresh process for each. Called by `benchmarks.__main__`.
"""

import asyncio
import concurrent.futures
import gc
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from benchmarks import pages, pages_server
from benchmarks.result import Result
from k8s import detection, model, objects, snapshot
from k8s.client import connection, reader

ROUNDS = 7
PAGE = 500
RATIO_LIMIT = 3.0
MEMORY_LIMIT_MB = 300.0
STALL_LIMIT_MS = 50.0

_NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
_LISTS: dict[str, type[Any]] = {
    "/api/v1/pods": objects.Pod,
    "/api/v1/nodes": objects.Node,
    "/api/v1/namespaces": objects.Namespace,
    "/api/v1/events": objects.Event,
    "/apis/apps/v1/deployments": objects.Workload,
    "/apis/apps/v1/replicasets": objects.Workload,
    "/apis/apps/v1/statefulsets": objects.Workload,
    "/apis/apps/v1/daemonsets": objects.Workload,
    "/apis/batch/v1/jobs": objects.Job,
    "/apis/batch/v1/cronjobs": objects.CronJob,
}


@dataclass(frozen=True, slots=True)
class _Times:
    raw_s: float
    sweep_s: float
    detect_s: float
    stall_ms: float
    findings: int


async def run() -> list[Result]:
    """Measures; takes about half a minute. Raises AssertionError where one side did not see every pod."""
    async with pages_server.serving(PAGE) as port:
        times: _Times = await _apart(_timed, port)
        raw_mb: float = await _apart(_raw_peak, port)
        sweep_mb: float = await _apart(_sweep_peak, port)
    assert times.findings >= pages.PODS // pages.FAILING_EVERY // 20, "the sweep missed failing workloads"
    return [
        Result("sweep of 10,000 pods", times.sweep_s, "s"),
        Result("the same pages, raw aiohttp and msgspec", times.raw_s, "s"),
        Result("sweep / raw", times.sweep_s / times.raw_s, "x", RATIO_LIMIT),
        Result("of which detection", times.detect_s, "s"),
        Result("longest event-loop stall in a sweep", times.stall_ms, "ms", STALL_LIMIT_MS),
        Result("peak memory of the process, sweep", sweep_mb, "MB", MEMORY_LIMIT_MB),
        Result("peak memory of the process, raw", raw_mb, "MB"),
    ]


async def _apart(work: Callable[[int], Any], port: int) -> Any:
    """Runs `work(port)` in a fresh process."""
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work, port)


# --- in the child processes -------------------------------------------------------------------------------------------


def _timed(port: int) -> _Times:
    return asyncio.run(_rounds(port))


def _raw_peak(port: int) -> float:
    asyncio.run(_once_raw(port))
    return _peak_mb()


def _sweep_peak(port: int) -> float:
    asyncio.run(_with_reader(port, _sweep))
    return _peak_mb()


def _peak_mb() -> float:
    """Peak resident memory of this process. Linux keeps getrusage's figure across exec, the parent's peak included:
    so the one of the address space is taken where there is one."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


async def _rounds(port: int) -> _Times:
    raw: list[float] = []
    swept: list[float] = []
    detecting: list[float] = []
    stalls: list[float] = []
    found = 0

    async def measure(cluster: reader.Reader) -> None:
        nonlocal found
        for _ in range(ROUNDS):
            raw.append(await _once_raw(port))
            started = time.perf_counter()
            (found, detect_s), stall = await _watched(_sweep(cluster))
            swept.append(time.perf_counter() - started)
            detecting.append(detect_s)
            stalls.append(stall)

    # As `bot.main` does at start: else a full collection walks all that the imports left, in the middle of a sweep.
    gc.collect()
    gc.freeze()
    await _with_reader(port, measure)
    middle = statistics.median
    return _Times(middle(raw), middle(swept), middle(detecting), middle(stalls) * 1000, found)


async def _with_reader(port: int, work: Callable[[reader.Reader], Awaitable[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        access = connection.ClusterAccess("bench", pages_server.kubeconfig(Path(folder), port))
        over = await connection.Connection.open(access)
        try:
            await work(reader.Reader(over))
        finally:
            await over.close()


async def _sweep(cluster: reader.Reader) -> tuple[int, float]:
    """One sweep as the product does it; (problems, seconds of detection)."""
    seen = await snapshot.take(cluster, model.Scope(), now=_NOW, monotonic=time.monotonic)
    assert len(seen.pods) == pages.PODS
    assert not seen.degraded
    started = time.perf_counter()
    found = await asyncio.to_thread(detection.detect, seen)
    detect_s = time.perf_counter() - started
    await snapshot.discard(seen)
    return len(found.problems), detect_s


async def _once_raw(port: int) -> float:
    """Seconds to read and decode every page, all lists at the same time, keeping the objects."""
    started = time.perf_counter()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", read_bufsize=2**21) as session:
        lists = await asyncio.gather(*(_raw_list(session, path, kind) for path, kind in _LISTS.items()))
    assert len(lists[0]) == pages.PODS
    return time.perf_counter() - started


async def _raw_list(session: aiohttp.ClientSession, path: str, kind: type[Any]) -> list[Any]:
    page = msgspec.defstruct("Page", [("metadata", dict[str, str]), ("items", list[kind])])  # type: ignore[valid-type]
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page)
    items: list[Any] = []
    token: str | None = ""
    while token is not None:
        query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
        async with session.get(path, params=query) as response:
            decoded = decoder.decode(await response.read())
        items += decoded.items
        token = decoded.metadata.get("continue")
    return items


async def _watched(work: Awaitable[Any]) -> tuple[Any, float]:
    """The result of `work`, and the longest time in seconds that a task which only wants 1 ms waited beyond it."""
    longest = 0.0
    over = False

    async def tick() -> None:
        nonlocal longest
        while not over:
            asked = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - asked - 0.001)

    ticker = asyncio.create_task(tick())
    result = await work
    over = True
    await ticker
    return result, longest
