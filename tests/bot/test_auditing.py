"""`watchkeeper audit`: what it exports can be checked by anybody, and what it says of the trail is so."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot import __main__ as cli
from bot import auditing, errors, settings
from bot.store import engine
from tests import postgres
from tests.bot.store import examples

ROOT = Path(__file__).parents[2]
ALL = auditing.Wanted()
PAGE = (ROOT / "docs/audit.md").read_text()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(settings.PREFIX) or name in {"DATABASE_URL", "KUBECONFIG", "NO_COLOR"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("WATCHKEEPER_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def chosen(postgres_url: str) -> settings.Settings:
    return settings.load({"DATABASE_URL": postgres_url})


@pytest.fixture
async def told(store: engine.Database) -> engine.Database:
    """Five entries of prod-eu, a minute apart, and three of prod-us, the last two of incident 7."""
    for number in range(5):
        async with store.begin() as tx:
            at = examples.NOW + number * timedelta(minutes=1)
            await tx.trail.append(examples.event(at=at, data={"n": number, "text": 'é \u2028 😀 \x7f \\ "', "f": 1e-7}))
    async with store.begin() as tx:
        for incident in (None, 7, 7):
            await tx.trail.append(examples.event(chain="prod-us", incident_id=incident))
    return store


async def _exported(chosen: settings.Settings, wanted: auditing.Wanted = ALL) -> list[bytes]:
    lines: list[bytes] = []
    assert await auditing.export(chosen, wanted, lines.append, examples.NOW + examples.HOUR) == 0
    return lines


def _places(lines: Sequence[bytes]) -> list[tuple[str, int]]:
    entries: list[dict[str, Any]] = [json.loads(line)["entry"] for line in lines]
    return [(entry["chain"], entry["seq"]) for entry in entries]


def _checked(lines: Sequence[bytes], *, excerpt: bool = False) -> tuple[int, list[str]]:
    said: list[str] = []
    return auditing.verify_lines(lines, said.append, excerpt=excerpt), said


def _by_the_script(lines: Sequence[bytes]) -> tuple[int, str]:
    """As a third party would: with nothing but what docs/audit.md says."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], input=b"".join(lines), capture_output=True, check=False)  # noqa: S603
    return done.returncode, (done.stdout + done.stderr).decode()


async def test_the_whole_trail_is_exported_and_the_script_of_the_documentation_agrees(
    told: engine.Database, chosen: settings.Settings
) -> None:
    lines = await _exported(chosen)
    assert _places(lines) == [("-", 1), *(("prod-eu", n) for n in range(1, 6)), *(("prod-us", n) for n in range(1, 4))]
    assert _checked(lines)[0] == 0
    code, said = _by_the_script(lines)
    async with told.begin() as tx:
        heads = await tx.trail.heads()
    assert (code, said) == (0, "".join(f"{head.chain} {head.seq} {head.hash}\n" for head in heads))


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [(2, b"watchkeeper", b"watchkeepex"), (3, b'"n":2', b'"n":3'), (4, b'{"hash":"', b'{"hash":"0')],
)
async def test_a_changed_export_is_found_by_us_and_by_the_script(
    told: engine.Database, chosen: settings.Settings, place: int, old: bytes, new: bytes
) -> None:
    lines = await _exported(chosen)
    assert old in lines[place]
    lines[place] = lines[place].replace(old, new, 1)
    code, said = _checked(lines)
    assert code == 1
    assert said[0].startswith(f"line {place + 1}: BROKEN")
    code, by_script = _by_the_script(lines)
    assert code == 1
    assert f"line {place + 1}" in by_script


async def test_a_line_that_was_taken_out_is_found_by_us_and_by_the_script(
    told: engine.Database, chosen: settings.Settings
) -> None:
    lines = await _exported(chosen)
    del lines[3]
    assert _checked(lines)[0] == 1
    assert _by_the_script(lines)[0] == 1


async def test_a_time_is_one_stretch_of_each_chain_that_can_be_proved(
    told: engine.Database, chosen: settings.Settings
) -> None:
    minute = timedelta(minutes=1)
    wanted = auditing.Wanted(examples.NOW + minute, examples.NOW + 3 * minute)
    lines = await _exported(chosen, wanted)
    assert _places(lines) == [("prod-eu", 2), ("prod-eu", 3)]
    code, said = _checked(lines)
    assert code == 0
    assert "2 entries from entry 2 on, the one before it taken on trust to 3" in said[0]
    assert _by_the_script(lines)[0] == 0


async def test_a_cluster_is_its_own_chain_and_one_that_is_not_known_is_said_to_be_none(
    told: engine.Database, chosen: settings.Settings
) -> None:
    assert _places(await _exported(chosen, auditing.Wanted(cluster="prod-us"))) == [("prod-us", n) for n in (1, 2, 3)]
    with pytest.raises(errors.NotPossible, match=r"no trail of cluster `prod-ux`.* Did you mean `prod-us`"):
        await _exported(chosen, auditing.Wanted(cluster="prod-ux"))


async def test_an_incident_is_an_excerpt(told: engine.Database, chosen: settings.Settings) -> None:
    async with told.begin() as tx:
        await tx.trail.append(examples.event(chain="prod-us", incident_id=8))
        await tx.trail.append(examples.event(chain="prod-us", incident_id=7))
    lines = await _exported(chosen, auditing.Wanted(incident=7))
    assert _places(lines) == [("prod-us", 2), ("prod-us", 3), ("prod-us", 5)]
    assert _checked(lines)[0] == 1
    code, said = _checked(lines, excerpt=True)
    assert (code, "with 1 gaps" in said[0]) == (0, True)
    with pytest.raises(errors.NotPossible, match="no incident WK-99"):
        await _exported(chosen, auditing.Wanted(incident=99))


async def test_who_took_a_copy_of_what_is_in_the_trail_and_in_the_copy(
    told: engine.Database, chosen: settings.Settings
) -> None:
    lines = await _exported(chosen, auditing.Wanted(since=examples.NOW))
    (own,) = [json.loads(line)["entry"] for line in lines if b'"chain":"-"' in line]
    assert (own["tag"], own["actor"]) == ("audit:exported", auditing.operator())
    assert own["data"]["since"] == examples.NOW.isoformat()
    assert own["actor"].startswith("cli:")


async def test_thousands_of_entries_are_exported_in_batches(store: engine.Database, chosen: settings.Settings) -> None:
    async with store.begin() as tx:
        for number in range(2_500):
            await tx.trail.append(examples.event(data={"n": number}))
    lines = await _exported(chosen, auditing.Wanted(cluster="prod-eu"))
    assert _places(lines) == [("prod-eu", n) for n in range(1, 2_501)]
    assert _checked(lines)[0] == 0


async def test_verifying_says_where_each_chain_ends_and_what_keeps_the_trail(
    told: engine.Database, chosen: settings.Settings
) -> None:
    said: list[str] = []
    assert await auditing.verify(chosen, said.append) == 0
    async with told.begin() as tx:
        heads = await tx.trail.heads()
    assert said[:2] == [f"{h.chain}: whole: entries up to {h.seq}; the last has the hash {h.hash}" for h in heads]
    assert "sessions run as watchkeeper_app, which may add to the trail, not change it" in said[-1]


async def test_verifying_a_trail_that_was_tampered_with_is_a_1(
    told: engine.Database, chosen: settings.Settings, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit SET actor = 'U9' WHERE chain = 'prod-eu' AND seq = 3")
    await connection.close()
    said: list[str] = []
    assert await auditing.verify(chosen, said.append) == 1
    assert said[0] == "prod-eu: BROKEN: entry 3 does not follow from the one before it"
    assert said[1].startswith("prod-us: whole")


async def test_a_role_that_the_settings_name_and_that_is_not_there_ends_it(postgres_url: str) -> None:
    chosen = settings.load({"DATABASE_URL": postgres_url, "WATCHKEEPER_DATABASE_ROLE": "nobody_has_made_it"})
    with pytest.raises(errors.ConfigurationError, match="WATCHKEEPER_DATABASE_ROLE: the server has no role"):
        await auditing.verify(chosen, print)


async def test_pruning_says_that_there_is_nothing_to_drop(told: engine.Database, chosen: settings.Settings) -> None:
    said: list[str] = []
    assert await auditing.prune(chosen, examples.NOW.date().replace(day=1), said.append, examples.NOW, dry=True) == 0
    assert said == ["there is no month before 2026-11 to drop"]


# --- the command line


def _main(*arguments: str | Path) -> int:
    return cli.main(["audit", *map(str, arguments)])


def test_a_file_is_checked_without_any_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_bytes(b"")
    assert _main("verify", "--file", nothing) == 1
    assert capsys.readouterr().out == "there is no entry in it\n"
    nothing.write_bytes(b"{}\n")
    assert _main("verify", "--file", nothing) == 1
    assert capsys.readouterr().out == "line 1: BROKEN: it is no line of an export\n"
    assert _main("verify", "--file", tmp_path / "nowhere") == 2
    assert "nowhere cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("export", "--since", "yesterday"), "no moment such as"),
        (("export", "--incident", "WK-x"), "no incident such as"),
        (("prune", "--before", "2026"), "no month such as"),
        (("prune", "--before", "2026-13"), "no month such as"),
        (("prune",), "--before"),
        ((), "WHAT"),
    ],
)
def test_a_wrong_argument_is_a_2_and_says_what_is_right(
    arguments: Sequence[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _main(*arguments)
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Not under pytest's own folder: each pytest that starts closes that to the user whom the server runs as."""
    with tempfile.TemporaryDirectory(prefix=postgres.PREFIX) as folder:
        monkeypatch.setenv("WATCHKEEPER_DATA_DIR", folder)
        yield Path(folder)


def test_the_whole_way_in_the_embedded_postgres(data_dir: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _main("verify") == 0
    assert b"sessions run as watchkeeper_app" in capfdbinary.readouterr().out
    assert _main("export") == 0
    exported = capfdbinary.readouterr().out
    assert _places(exported.splitlines()) == [("-", 1)]
    file = data_dir / "trail.jsonl"
    file.write_bytes(exported)
    assert _main("verify", "--file", file) == 0
    assert b"-: whole: 1 entries from its first to 1" in capfdbinary.readouterr().out
    assert _main("prune", "--before", "9999-01") == 2
    assert b"still written to" in capfdbinary.readouterr().err
