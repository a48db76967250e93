"""How far the product's sweep of a large cluster is from the practical limit: raw aiohttp and msgspec, side by side.

Up to 50,000 pods of 8 KB and all that belongs to them, served on loopback by another process. Both read and decode the
very same pages; the product also filters, bounds, detects and folds. Times come from alternating rounds in one
process, so that what else the machine does meets both; memory comes from a fresh process for each. What kubectl takes
for the pods alone is measured right after. Called by `benchmarks.__main__`.
"""

import asyncio
import concurrent.futures
import functools
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

from benchmarks import kubectl, pages, pages_server
from benchmarks.result import Note, Result
from k8s import detection, model, objects, snapshot, surroundings, usage
from k8s.client import connection, reader, resources

ROUNDS = {pages.SMALL: 9, pages.LARGE: 7, pages.HUGE: 3}
"""Size → rounds of raw and sweep."""
RATIO_LIMIT = 2.0
KUBECTL_LIMIT = 20.0
MEMORY_LIMIT_MB = 200.0
STALL_LIMIT_MS = 50.0
GROWTH_LIMIT = 1.5
"""What a pod more may cost in the larger cluster, of what it costs in the smaller one: 1 is linear, and a growth with
the square of the pods would be 5.5."""

_NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
LISTS: dict[str, type[Any]] = {
    "pods": objects.Pod,
    "nodes": objects.Node,
    "namespaces": objects.Namespace,
    "events": objects.Event,
    "deployments": objects.Workload,
    "replicasets": objects.Workload,
    "statefulsets": objects.Workload,
    "daemonsets": objects.Workload,
    "jobs": objects.Job,
    "cronjobs": objects.CronJob,
    "services": surroundings.Service,
    "endpointslices": surroundings.EndpointSlice,
    "ingresses": surroundings.Ingress,
    "ingressclasses": surroundings.IngressClass,
    "persistentvolumeclaims": surroundings.Claim,
    "storageclasses": surroundings.StorageClass,
    "resourcequotas": surroundings.Quota,
    "horizontalpodautoscalers": surroundings.Autoscaler,
    "poddisruptionbudgets": surroundings.Budget,
    "validatingwebhookconfigurations": surroundings.WebhookConfiguration,
    "mutatingwebhookconfigurations": surroundings.WebhookConfiguration,
    "podmetrics": usage.PodMetrics,
}
"""What the raw side reads: all that a sweep does."""


@dataclass(frozen=True, slots=True)
class Times:
    """Medians over the rounds."""

    raw_s: float
    sweep_s: float
    sweep_cpu_s: float
    """What it computed: by it sizes are compared, which are not measured side by side."""
    detect_s: float
    stall_ms: float
    own_stall_ms: float
    """As far as this process was at work, and did not wait for a core that others had."""
    problems: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one size of cluster."""

    size: pages.Size
    times: Times
    sweep_mb: float
    raw_mb: float
    kubectl_s: float | None


async def run() -> list[Result | Note]:
    """Measures; takes some minutes. Raises AssertionError where one side did not see every pod."""
    program = kubectl.found()
    measured = [await _measured(size, program) for size in (pages.SMALL, pages.LARGE, pages.HUGE)]
    told: list[Result | Note] = list(figures(*measured))
    if program is None:
        told.append(
            Note("kubectl was not measured: it is neither in the PATH nor built (python -m tests.cluster build)")
        )
    return told


def figures(small: Measured, large: Measured, huge: Measured) -> list[Result]:
    """What is reported of the three sizes. Where there was no kubectl, its rows are left out."""
    found: list[Result] = []
    for one in (large, huge):
        pods, times = f"{one.size.pods:,} pods", one.times
        found += [
            Result(f"{pods}: sweep / raw aiohttp and msgspec", times.sweep_s / times.raw_s, "x", RATIO_LIMIT),
            Result(f"{pods}: sweep", times.sweep_s, "s"),
            Result(f"{pods}: detection / sweep", times.detect_s / times.sweep_s, "x"),
        ]
        if one.kubectl_s is not None:
            faster = one.kubectl_s / times.sweep_s
            found.append(Result(f"{pods}: kubectl get pods / sweep", faster, "x", KUBECTL_LIMIT, at_least=True))
        limit = MEMORY_LIMIT_MB if one is huge else None
        found += [
            Result(f"{pods}: longest event-loop stall", times.stall_ms, "ms", STALL_LIMIT_MS),
            Result(f"{pods}: the same by its own work", times.own_stall_ms, "ms"),
            Result(f"{pods}: peak memory of the process", one.sweep_mb, "MB", limit),
            Result(f"{pods}: peak memory, raw / sweep", one.raw_mb / one.sweep_mb, "x"),
        ]
    return [*found, *_growth(small, large, huge)]


def _growth(small: Measured, large: Measured, huge: Measured) -> list[Result]:
    lower, upper = _per_pod(small, large), _per_pod(large, huge)
    named = f"{large.size.pods:,} to {huge.size.pods:,} / {small.size.pods:,} to {large.size.pods:,}"
    return [
        *(
            Result(
                f"growth of CPU time: sweep of {one.size.pods:,} / {small.size.pods:,} pods",
                one.times.sweep_cpu_s / small.times.sweep_cpu_s,
                "x",
            )
            for one in (large, huge)
        ),
        Result(f"growth of CPU time: a pod more, {named}", upper / lower, "x", GROWTH_LIMIT),
    ]


def _per_pod(one: Measured, other: Measured) -> float:
    """CPU seconds for each pod that `other` has more."""
    return (other.times.sweep_cpu_s - one.times.sweep_cpu_s) / (other.size.pods - one.size.pods)


async def _measured(size: pages.Size, program: Path | None) -> Measured:
    async with pages_server.serving(pages.PAGE, size=size) as port:
        times: Times = await _apart(functools.partial(_timed, size), port)
        kubectl_s = (
            await kubectl.seconds(program, port, pages.PAGE) if program is not None and size != pages.SMALL else None
        )
        raw_mb: float = await _apart(functools.partial(_raw_peak, size), port)
        sweep_mb: float = await _apart(functools.partial(_sweep_peak, size), port)
    broken = min(size.pods, size.deployments) // pages.FAILING_EVERY
    assert times.problems >= broken, "the sweep missed failing workloads"
    return Measured(size, times, sweep_mb, raw_mb, kubectl_s)


async def _apart(work: Callable[[int], Any], port: int) -> Any:
    """Runs `work(port)` in a fresh process."""
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work, port)


# --- in the child processes -------------------------------------------------------------------------------------------


def _timed(size: pages.Size, port: int) -> Times:
    return asyncio.run(_rounds(size, port))


def _raw_peak(size: pages.Size, port: int) -> float:
    asyncio.run(once_raw(size, port))
    return _peak_mb()


def _sweep_peak(size: pages.Size, port: int) -> float:
    asyncio.run(with_reader(port, functools.partial(sweep, size)))
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


async def _rounds(size: pages.Size, port: int) -> Times:
    raw: list[float] = []
    swept: list[float] = []
    computed: list[float] = []
    detecting: list[float] = []
    stalls: list[float] = []
    own_stalls: list[float] = []
    found = 0

    async def measure(cluster: reader.Reader) -> None:
        nonlocal found
        for _ in range(ROUNDS[size]):
            raw.append(await once_raw(size, port))
            started, busy = time.perf_counter(), time.process_time()
            (found, detect_s), stall, own_stall = await _watched(sweep(size, cluster))
            swept.append(time.perf_counter() - started)
            computed.append(time.process_time() - busy)
            detecting.append(detect_s)
            stalls.append(stall)
            own_stalls.append(own_stall)

    # As `bot.main` does at start: else a full collection walks all that the imports left, in the middle of a sweep.
    gc.collect()
    gc.freeze()
    await with_reader(port, measure)
    middle = statistics.median
    return Times(
        middle(raw),
        middle(swept),
        middle(computed),
        middle(detecting),
        middle(stalls) * 1000,
        middle(own_stalls) * 1000,
        found,
    )


async def with_reader(port: int, work: Callable[[reader.Reader], Awaitable[Any]]) -> None:
    """Does `work` with the product's own reader of the page server."""
    with tempfile.TemporaryDirectory() as folder:
        access = connection.ClusterAccess("bench", pages_server.kubeconfig(Path(folder), port))
        over = await connection.Connection.open(access)
        try:
            await work(reader.Reader(over))
        finally:
            await over.close()


async def sweep(size: pages.Size, cluster: reader.Reader) -> tuple[int, float]:
    """One sweep as the product does it; (problems, seconds of detection)."""
    seen = await snapshot.take(cluster, model.Scope(), now=_NOW, monotonic=time.monotonic)
    assert len(seen.pods) == len(seen.podmetrics) == size.pods
    assert not seen.degraded
    started = time.perf_counter()
    found = await asyncio.to_thread(detection.detect, seen)
    detect_s = time.perf_counter() - started
    await snapshot.discard(seen)
    return len(found.problems), detect_s


async def once_raw(size: pages.Size, port: int) -> float:
    """Seconds to read and decode every page, all lists at the same time, keeping the objects."""
    paths = [(resources.named(name).path(), kind) for name, kind in LISTS.items()]
    started = time.perf_counter()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", read_bufsize=2**21) as session:
        lists = await asyncio.gather(*(_raw_list(session, path, kind) for path, kind in paths))
    assert len(lists[0]) == size.pods
    return time.perf_counter() - started


async def _raw_list(session: aiohttp.ClientSession, path: str, kind: type[Any]) -> list[Any]:
    page = msgspec.defstruct("Page", [("metadata", dict[str, str]), ("items", list[kind])])  # type: ignore[valid-type]
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page)
    items: list[Any] = []
    token: str | None = ""
    while token is not None:
        query = {"limit": str(pages.PAGE)} | ({"continue": token} if token else {})
        async with session.get(path, params=query) as response:
            decoded = decoder.decode(await response.read())
        items += decoded.items
        token = decoded.metadata.get("continue")
    return items


async def _watched(work: Awaitable[Any]) -> tuple[Any, float, float]:
    """The result of `work`, and the longest time in seconds that a task which only wants 1 ms waited beyond it: by the
    clock, and counting only what this process computed meanwhile."""
    longest, own = 0.0, 0.0
    over = False

    async def tick() -> None:
        nonlocal longest, own
        while not over:
            asked, busy = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            late = time.perf_counter() - asked - 0.001
            longest, own = max(longest, late), max(own, min(late, time.process_time() - busy))

    ticker = asyncio.create_task(tick())
    result = await work
    over = True
    await ticker
    return result, longest, own
