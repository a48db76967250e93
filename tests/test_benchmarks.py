"""The frame of `make bench`: what it prints and writes, when it fails, and that both sides are asked the same. The
measuring itself is not run here."""

import asyncio
import functools
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from aiohttp import ClientSession, test_utils, web

from benchmarks import __main__ as bench
from benchmarks import ack, kubectl, pages, pages_server, sweep
from benchmarks.result import Note, Result
from demo import slack
from demo.slack import delivery
from k8s.client import reader

GOOD = Result("stall", 12.5, "ms", 50.0)
BAD = Result("ratio", 4.0, "x", 3.0)
INFORMING = Result("raw list", 0.25, "s")
TINY = pages.Size(pods=600, nodes=3, deployments=50, replicasets=60, events=20)


def _giving(*results: Result | Note) -> bench.Run:
    async def run() -> Sequence[Result | Note]:
        return results

    return run


def test_every_figure_is_written_with_its_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "build/bench.json"
    assert bench.main([], {"one": _giving(GOOD), "two": _giving(INFORMING)}, output) == 0
    assert json.loads(output.read_text()) == {
        "stall": {"value": 12.5, "unit": "ms", "limit": 50.0, "at_least": False, "ok": True},
        "raw list": {"value": 0.25, "unit": "s", "limit": None, "at_least": False, "ok": True},
    }
    told = capsys.readouterr().out
    assert "stall" in told
    assert "12.50" in told


def test_a_missed_limit_fails_and_is_named_and_still_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "bench.json"
    assert bench.main([], {"one": _giving(GOOD, BAD)}, output) == 1
    assert json.loads(output.read_text())["ratio"]["ok"] is False
    captured = capsys.readouterr()
    assert "MISSED" in captured.out
    assert captured.err.endswith("limit missed: ratio\n")


def test_only_the_named_benchmarks_are_run(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    assert bench.main(["one"], {"one": _giving(GOOD), "two": _giving(BAD)}, output) == 0


def test_an_unknown_benchmark_is_a_2_and_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "bench.json"
    assert bench.main(["three"], {"one": _giving(GOOD)}, output) == 2
    assert "there is no benchmark three; there are: one" in capsys.readouterr().err
    assert not output.exists()


def test_the_table_is_aligned() -> None:
    lines = bench.table([GOOD, BAD, INFORMING]).splitlines()
    assert lines[1].index("12.50") + 5 == lines[2].index("4.00") + 4 == lines[3].index("0.25") + 4


def test_every_benchmark_of_the_folder_is_in_the_list() -> None:
    helpers = {"__init__", "__main__", "result", "pages", "pages_server", "kubectl"}
    modules = {path.stem for path in Path(bench.__file__).parent.glob("*.py")} - helpers
    assert modules == set(bench.BENCHMARKS)


@pytest.mark.parametrize(("value", "ok"), [(19.9, False), (20.0, True), (31.0, True)])
def test_a_limit_may_be_the_least_that_is_good(value: float, ok: bool) -> None:
    one = Result("faster", value, "x", 20.0, at_least=True)
    assert one.ok is ok
    assert "≥ 20.00" in bench.table([one])


def test_what_was_not_measured_is_said_below_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([], {"one": _giving(GOOD, Note("kubectl is missing"))}, tmp_path / "bench.json") == 0
    assert capsys.readouterr().out.endswith("note: kubectl is missing\n")


# --- a large cluster --------------------------------------------------------------------------------------------------


def _measured(size: pages.Size, sweep_s: float, kubectl_s: float | None = None, mb: float = 150.0) -> sweep.Measured:
    times = sweep.Times(
        raw_s=sweep_s / 1.5,
        sweep_s=sweep_s,
        sweep_cpu_s=sweep_s,
        detect_s=0.1,
        stall_ms=20.0,
        own_stall_ms=9.0,
        problems=20,
    )
    return sweep.Measured(size, times, sweep_mb=mb, raw_mb=900.0, kubectl_s=kubectl_s)


def test_figures_are_ratios_of_one_run_and_linear_growth_is_one() -> None:
    small, large = _measured(pages.SMALL, 0.5), _measured(pages.LARGE, 1.4, 30.0)
    told = sweep.figures(small, large, _measured(pages.HUGE, 5.4, 160.0))
    found = {one.name: one for one in told}
    assert found["10,000 pods: sweep / raw aiohttp and msgspec"].value == pytest.approx(1.5)
    assert found["50,000 pods: kubectl get pods / sweep"].value == pytest.approx(160 / 5.4)
    assert found["growth of CPU time: a pod more, 10,000 to 50,000 / 1,000 to 10,000"].value == pytest.approx(1.0)
    assert [one.name for one in told if not one.ok] == []
    worse = sweep.figures(small, large, _measured(pages.HUGE, 13.0, 160.0, mb=201.0))
    assert [one.name for one in worse if not one.ok] == [
        "50,000 pods: kubectl get pods / sweep",
        "50,000 pods: peak memory of the process",
        "growth of CPU time: a pod more, 10,000 to 50,000 / 1,000 to 10,000",
    ]


def test_without_kubectl_its_rows_are_left_out() -> None:
    told = sweep.figures(*(_measured(size, size.pods / 5e3) for size in (pages.SMALL, pages.LARGE, pages.HUGE)))
    assert not [one.name for one in told if "kubectl" in one.name]


async def test_the_sweep_and_the_raw_side_read_the_very_same_pages() -> None:
    asked: list[tuple[str, str, str]] = []

    @web.middleware
    async def noting(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked.append((request.path, request.query["limit"], request.query.get("continue", "")))
        return await handler(request)

    app = pages_server.application(pages.PAGE, size=TINY)
    app.middlewares.append(noting)
    async with test_utils.TestServer(app) as server:
        assert server.port is not None
        await sweep.once_raw(TINY, server.port)
        raw = sorted(asked)
        asked.clear()
        await sweep.with_reader(server.port, functools.partial(sweep.sweep, TINY))
        assert sorted(asked) == raw
    assert ("/api/v1/pods", str(pages.PAGE), "1") in raw


async def test_only_failing_workloads_are_found_in_the_pages() -> None:
    found: list[tuple[int, float]] = []

    async def once(cluster: reader.Reader) -> None:
        found.append(await sweep.sweep(TINY, cluster))

    async with test_utils.TestServer(pages_server.application(pages.PAGE, size=TINY)) as server:
        assert server.port is not None
        await sweep.with_reader(server.port, once)
    assert found[0][0] == TINY.deployments // pages.FAILING_EVERY


def test_pages_of_the_same_size_are_the_same_bytes_and_pods_are_as_large_as_real_ones() -> None:
    once, again = (pages.rendered(TINY, 500) for _ in range(2))
    assert once == again
    assert [json.loads(page)["metadata"].get("continue") for page in once["/api/v1/pods"]] == ["1", None]
    assert 8_000 < sum(map(len, once["/api/v1/pods"])) / TINY.pods < 9_000


async def test_the_server_answers_what_kubectl_asks_before_it_lists_and_no_limit_but_its_own() -> None:
    app = pages_server.application(100, size=TINY)
    async with test_utils.TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        kinds = []
        for path in ("/api", "/apis", "/api/v1", "/api/v1/pods"):
            async with session.get(path) as response:
                kinds.append((await response.json())["kind"])
        assert kinds == ["APIVersions", "APIGroupList", "APIResourceList", "PodList"]
        for query, status in (("limit=100&continue=5", 200), ("limit=7", 400)):
            async with session.get(f"/api/v1/pods?{query}") as response:
                assert response.status == status


@pytest.mark.parametrize(("code", "said"), [(0, ""), (1, "no such host")])
async def test_a_kubectl_that_fails_has_no_time(tmp_path: Path, code: int, said: str) -> None:
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n")
    program.chmod(0o755)
    if code:
        with pytest.raises(AssertionError, match=said):
            await kubectl.seconds(program, 1, 250)
    else:
        assert await kubectl.seconds(program, 1, 250) > 0


# --- acknowledgements -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "value"), [(50, 50.0), (99, 99.0), (100, 100.0), (0, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert ack.percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_nothing_measured_keeps_no_limit() -> None:
    assert ack.percentile([], 99) == math.inf
    lost = {one.name: one for one in ack.figures(ack.Acks([5.0], 0), ack.Acks([], 3), 1)}
    assert not lost["slack ack p99 while sweeping"].ok
    assert not lost["interactions without an ack"].ok
    assert lost["interactions without an ack"].value == 3


def test_the_slowest_hundredth_decides_and_the_time_at_rest_stands_beside_it() -> None:
    busy = ack.Acks([20.0] * 98 + [600.0, 700.0], 0)
    found = {one.name: one for one in ack.figures(ack.Acks([10.0] * 100, 0), busy, 4)}
    assert found["slack ack p50 while sweeping"].value == 20.0
    assert found["slack ack p99 while sweeping"].value == 600.0
    assert not found["slack ack p99 while sweeping"].ok
    assert found["slack ack p99, sweeping / at rest"].value == 60.0
    assert found["interactions without an ack"].ok


def test_acks_measured_without_a_sweep_are_no_answer() -> None:
    with pytest.raises(AssertionError, match="no sweep"):
        ack.figures(ack.Acks([1.0], 0), ack.Acks([1.0], 0), 0)


async def test_a_slow_acknowledgement_does_not_hold_the_next_interactions_back() -> None:
    begun: list[float] = []

    async with slack.SlackStandIn() as workspace:

        async def pressed(number: int) -> slack.Seen:
            begun.append(time.perf_counter())
            await asyncio.sleep(0.2)
            answered = delivery.Ack("acked" if number else "timeout")
            return slack.Seen(str(number), slack.ANA, workspace.workspace, workspace.service, answered)

        acks = await ack.load(pressed, count=5, rate=50)
    assert acks.lost == 1
    assert len(acks.ms) == 4
    assert min(acks.ms) >= 190
    assert begun[-1] - begun[0] >= 0.07
    assert begun[-1] - begun[0] < 0.2
