"""The frame of `make bench`: what it prints and writes, and when it fails. The measuring itself is not run here."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks.result import Result

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
