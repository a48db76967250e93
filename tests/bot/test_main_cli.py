"""The command line as a person or a script meets it: real processes for what depends on one, `main` for the rest."""

import asyncio
import errno
import io
import json
import os
import pty
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import __main__ as cli
from bot import settings, telling
from demo import cluster as simulation
from k8s import detection
from tests.bot import schemas

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/sweep.schema.json").read_text())


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(settings.PREFIX) or name in {"DATABASE_URL", "KUBECONFIG", "NO_COLOR"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("WATCHKEEPER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))


async def _run(*arguments: str | Path, **environ: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | environ, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


# --- arguments


def test_an_unknown_command_gets_the_nearest_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["swep"]) == 2
    assert capsys.readouterr().err == "watchkeeper: there is no command 'swep'; did you mean sweep?\n"
    assert cli.main(["xyzzy"]) == 2
    assert "there are: serve, sweep, config" in capsys.readouterr().err


def test_a_hostile_command_name_is_told_without_its_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["\x1b]0;title\x07x"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_wrong_option_is_a_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", "-o", "xml"])
    assert ended.value.code == 2
    assert "invalid choice: 'xml'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_the_help_is_shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert not ended.value.code
    told = capsys.readouterr().out
    assert all(name in told for name in cli.COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert re.fullmatch(r"watchkeeper \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


async def test_the_help_comes_at_once_because_no_sdk_is_brought_in_for_it() -> None:
    heavy = ("aiohttp", "alembic", "anthropic", "asyncpg", "kubernetes", "slack_bolt", "slack_sdk", "sqlalchemy")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import bot.__main__, sys; print(*set(sys.modules) & set({heavy}))",
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, _err = await process.communicate()
    assert (process.returncode, out) == (0, b"\n")


# --- config


def test_config_tells_every_setting_and_masks_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_SLACK_BOT_TOKEN", "xoxb-hunter2")
    assert cli.main(["config"]) == 0
    told = capsys.readouterr().out
    assert "hunter2" not in told
    assert re.search(r"WATCHKEEPER_SLACK_BOT_TOKEN +\*{8} +environment", told)
    assert re.search(r"WATCHKEEPER_LISTEN_PORT +8080 +default", told)
    assert "note: Nobody may approve" in told
    assert "serve needs: WATCHKEEPER_SLACK_APP_TOKEN is missing" in told


def test_config_names_every_fault_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_LISTEN_PORT", "eighty")
    monkeypatch.setenv("WATCHKEEPER_TIMEZONE", "Mars/Olympus")
    assert cli.main(["config"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["WATCHKEEPER_TIMEZONE", "WATCHKEEPER_LISTEN_PORT"]


def test_config_makes_its_page_whatever_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_LISTEN_PORT", "eighty")
    assert cli.main(["config", "--markdown"]) == 0
    assert capsys.readouterr().out == telling.markdown()


def test_serving_without_tokens_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve"]) == 2
    told = capsys.readouterr().err
    assert "WATCHKEEPER_SLACK_BOT_TOKEN is missing: set it to" in told
    assert "WATCHKEEPER_SLACK_APP_TOKEN is missing: set it to" in told


# --- kinds


def test_kinds_lists_every_kind_with_what_holds_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_GRACES", "NotReady=10s")
    monkeypatch.setenv("WATCHKEEPER_KINDS_OFF", "JobFailed")
    assert cli.main(["kinds"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^NotReady +yes +10s \(5m\) +P2 ", table, re.MULTILINE)
    assert re.search(r"^JobFailed +no +0s +P2 ", table, re.MULTILINE)
    assert cli.main(["kinds", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["kinds"]
    assert [one["kind"] for one in listed] == list(detection.KINDS)
    assert [one["kind"] for one in listed if not one["on"]] == ["JobFailed", "LogErrors", "Risk"]


@pytest.mark.parametrize("output", ["table", "json"])
def test_kinds_with_a_wrong_setting_is_a_2_and_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setenv("WATCHKEEPER_KINDS_OFF", "JobsFailed")
    assert cli.main(["kinds", "-o", output]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("watchkeeper: WATCHKEEPER_KINDS_OFF is malformed: ")
    assert told.err.count("\n") == 1


# --- sweep


async def test_a_sweep_looks_for_the_kinds_that_are_on_with_the_severities_that_are_set(tmp_path: Path) -> None:
    async with simulation.SimulatedCluster([simulation.scenarios.unschedulable()]) as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        sweep = ("sweep", "--kubeconfig", kubeconfig, "-o", "json")
        code, out, _err = await _run(*sweep, WATCHKEEPER_SEVERITIES="Unschedulable=P1")
        severities = {one["kind"]: one["severity"] for one in json.loads(out)["findings"]}
        assert (code, severities["Unschedulable"]) == (1, "P1")
        code, out, _err = await _run(*sweep, WATCHKEEPER_KINDS_OFF=",".join(severities))
    assert (code, json.loads(out)["findings"]) == (0, [])


async def test_a_broken_cluster_is_a_1_with_the_documented_json(tmp_path: Path) -> None:
    async with simulation.SimulatedCluster([simulation.scenarios.bad_image()]) as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        code, out, err = await _run("sweep", "--kubeconfig", kubeconfig, "--diagnose", "-o", "json")
    document = json.loads(out)
    assert schemas.faults(document, SCHEMA) == []
    assert (code, err) == (1, "")
    assert document["sweep"]["status"] == "issues"
    assert {finding["resource"] for finding in document["findings"]} == {"Deployment/web/storefront"}
    (incident,) = document["incidents"]
    assert incident["cause"]
    assert incident["evidence"]


async def test_a_broken_cluster_is_told_as_a_table(tmp_path: Path) -> None:
    async with simulation.SimulatedCluster([simulation.scenarios.bad_image()]) as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        code, out, err = await _run("sweep", "--kubeconfig", kubeconfig)
    assert (code, err) == (1, "")
    assert "Deployment/web/storefront" in out
    assert "\x1b" not in out


async def test_a_healthy_cluster_is_a_0_and_only_the_named_namespace_is_looked_at(tmp_path: Path) -> None:
    async with simulation.SimulatedCluster([simulation.scenarios.bad_image()]) as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        code, out, _err = await _run("sweep", "--kubeconfig", kubeconfig, "-n", "default", "-o", "json")
    assert json.loads(out)["sweep"]["status"] == "ok"
    assert code == 0


@pytest.mark.parametrize("output", ["table", "json"])
async def test_a_cluster_that_is_away_is_a_2_and_one_line(tmp_path: Path, output: str) -> None:
    async with simulation.SimulatedCluster() as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    code, out, err = await _run("sweep", "--kubeconfig", kubeconfig, "-o", output)
    assert code == 2
    assert err.startswith("watchkeeper: ")
    assert err.count("\n") == 1
    if output == "table":
        assert out == ""
    else:
        document = json.loads(out)
        assert schemas.faults(document, SCHEMA) == []
        assert document["sweep"]["status"] == "failed"


async def test_a_kubeconfig_that_is_not_there_is_a_2_and_named(tmp_path: Path) -> None:
    code, out, err = await _run("sweep", "--kubeconfig", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert "nowhere" in err
    assert err.count("\n") == 1


async def test_a_reader_that_goes_away_early_is_no_traceback(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "config", "--markdown", stdout=write_end, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    os.close(write_end)
    _out, err = await process.communicate()
    assert err == b""
    assert process.returncode == 2


async def test_on_a_terminal_there_is_progress_and_colour_unless_it_is_unwanted(tmp_path: Path) -> None:
    async with simulation.SimulatedCluster([simulation.scenarios.bad_image()]) as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        for no_color, coloured in (("", True), ("1", False)):
            main_end, process_end = pty.openpty()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "sweep", "--kubeconfig", str(kubeconfig),
                stdin=process_end, stdout=process_end, stderr=process_end,
                env=os.environ | {"NO_COLOR": no_color}, cwd=ROOT,
            )  # fmt: skip
            os.close(process_end)
            told = await asyncio.to_thread(_read_all, main_end)
            assert await process.wait() == 1
            assert "\r\x1b[Klooking at" in told
            assert ("\x1b[2mSEV" in told) is coloured
            assert "SEV" in told


def _read_all(descriptor: int) -> str:
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError as error:  # the other end of a pseudo-terminal was closed
        if error.errno != errno.EIO:
            raise
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()


def test_progress_is_silent_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with cli.Progress(stream) as progress:
        progress.say("looking")
    assert stream.getvalue() == ""


# --- commands of others


async def test_a_command_of_another_distribution_is_found_and_run(tmp_path: Path) -> None:
    _install(tmp_path, "greet", "greeting:main")
    (tmp_path / "greeting.py").write_text("def main(argv):\n    print('hello', *argv)\n    return 7\n")
    assert (await _run("greet", "-x", "you", PYTHONPATH=str(tmp_path)))[:2] == (7, "hello -x you\n")
    assert "greet" in (await _run("--help", PYTHONPATH=str(tmp_path)))[1]


async def test_a_command_whose_package_is_absent_says_so_and_is_not_offered(tmp_path: Path) -> None:
    _install(tmp_path, "greet", "absent.package:main")
    code, out, err = await _run("greet", PYTHONPATH=str(tmp_path))
    assert (code, out) == (2, "")
    assert err == "watchkeeper: 'greet' is not part of this installation; run it from a checkout\n"
    assert "greet" not in (await _run("--help", PYTHONPATH=str(tmp_path)))[1]


async def test_our_own_commands_cannot_be_replaced(tmp_path: Path) -> None:
    _install(tmp_path, "version", "greeting:main")
    (tmp_path / "greeting.py").write_text("def main(argv):\n    return 7\n")
    assert (await _run("version", PYTHONPATH=str(tmp_path)))[0] == 0


def _install(folder: Path, name: str, value: str) -> None:
    metadata = folder / "other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{cli.GROUP}]\n{name} = {value}\n")
