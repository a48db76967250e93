"""The frame of `make bench`: what it prints and writes, and when it fails. The measuring itself is not run here."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import ack
from benchmarks.result import Result
from demo import slack
from demo.slack import delivery

GOOD = Result("stall", 12.5, "ms", 50.0)
BAD = Result("ratio", 4.0, "x", 3.0)
INFORMING = Result("raw list", 0.25, "s")


def _giving(*results: Result) -> bench.Run:
    async def run() -> Sequence[Result]:
        return results

    return run


def test_every_figure_is_written_with_its_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "build/bench.json"
    assert bench.main([], {"one": _giving(GOOD), "two": _giving(INFORMING)}, output) == 0
    assert json.loads(output.read_text()) == {
        "stall": {"value": 12.5, "unit": "ms", "limit": 50.0, "ok": True},
        "raw list": {"value": 0.25, "unit": "s", "limit": None, "ok": True},
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
    helpers = {"__init__", "__main__", "result", "pages", "pages_server"}
    modules = {path.stem for path in Path(bench.__file__).parent.glob("*.py")} - helpers
    assert modules == set(bench.BENCHMARKS)


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
