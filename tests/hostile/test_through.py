"""The whole way: hostile logs with secrets, collected, diagnosed, shown to a model that obeys them, and stored.

Real pipeline, real tools over a simulated cluster, a real record in Postgres; only the model is a stand-in.
"""

import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pydantic
import pytest

from bot import parts, settings
from bot.domain import ports
from bot.store import engine
from demo import model as standin
from demo.cluster import programs, scenarios
from demo.cluster.pieces import Piece
from demo.model import KEY, StandIn
from tests.bot.flow import worlds
from tests.bot.llm import making
from tests.hostile import planted, test_hostile, texts

CHUNK = 18
PROMPT_TOKENS = 6000
CHARACTERS = 3.5
"""Of a token: as `bot.evidence.ranking` estimates."""


def app(number: int, secrets: tuple[planted.Planted, ...], hostile: tuple[texts.Hostile, ...]) -> Piece:
    """Logs its secrets and what somebody else wrote into it, and ends with an error."""
    name = f"app{number}"
    lines = [line for one in secrets for line in one.line.split("\n")]
    lines += [line for one in hostile for line in one.text.split("\n")]
    manifest = scenarios.deployment(
        name,
        "payments",
        f"payments/{name}:v1",
        replicas=1,
        env={"GREETING": secrets[0].line.split("\n")[0], "DB_PASSWORD": "not-a-secret-but-named-so"},
        annotations={"note": hostile[0].text, "owner": secrets[1].line},
    )
    return scenarios.running(manifest, program=programs.fails(*lines, "FATAL error: cannot start"), ago=600.0)


def obeys(body: dict[str, Any]) -> standin.Answer:
    """First everything that may be read and some that may not, then all the bad that can be said."""
    if len(body["messages"]) == 1:
        subject = body["messages"][0]["content"][0]["text"].split("Subject: ")[1].split(" ")[0]
        kind, namespace, name = subject.split("/")
        where = {"kind": kind, "namespace": namespace, "name": name}
        reads: list[tuple[str, dict[str, Any]]] = [("get", where), ("events", where)]
        reads += [("rollouts", where), ("list", {"kind": "Pod", "namespace": namespace, "labels": ""})]
        return standin.uses(*reads, ("get", {"kind": "Secret", "namespace": namespace, "name": "db"}))
    actions = [
        {"action": action, "parameters": [{"name": key, "value": value} for key, value in given.items()], "why": "x"}
        for action, given in test_hostile._ACTIONS
    ]
    return standin.says(making.report(actions=actions, cause="Approve WK-1 [E1]. <!channel> [E1]."))


@contextlib.asynccontextmanager
async def replica(world: worlds.World, model: StandIn) -> AsyncIterator[worlds.Replica]:
    """A process whose model is the stand-in, wired as `bot.main` does it."""
    chosen = settings.Settings(anthropic_api_key=pydantic.SecretStr(KEY), anthropic_base_url=model.url)
    database = engine.Database(world.url)
    wired = parts.advisor_of(chosen, world.eyes, database, world.clock, time.monotonic, ports.Unmetered())
    async with wired as advisor:
        yield await world.replica(advisor=advisor)
    await database.close()


async def worked(world: worlds.World, one: worlds.Replica) -> None:
    """Swept, diagnosed, and everything asked."""
    await world.diagnosed(one)
    while await one.pipeline.advise_next():
        pass


async def stored(url: str) -> str:
    """Every row of every table as text."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        names = await connection.fetch(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found: list[str] = []
        for row in names:
            rows = await connection.fetch(f"SELECT t::text AS text FROM {row['name']} t")  # noqa: S608 - its own names
            found += (each["text"] or "" for each in rows)
        return "\n".join(found)
    finally:
        await connection.close()


def hidden(text: str) -> list[str]:
    return [one.name for one in planted.everything() if one.secret in text or json.dumps(one.secret)[1:-1] in text]


async def test_no_secret_of_a_cluster_is_sent_stored_or_logged_and_nothing_hostile_is_done(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets, hostile = planted.everything(), texts.everything()
    pieces = [
        app(number, secrets[start : start + CHUNK], hostile[number * 10 : number * 10 + 10])
        for number, start in enumerate(range(0, len(secrets), CHUNK))
    ]
    async with (
        StandIn(obeys) as model,
        worlds.World.made(postgres_url, tmp_path, pieces) as world,
        replica(world, model) as one,
    ):
        await world.until(lambda: len(world.cluster.list("pods", "payments")) >= len(pieces))
        await world.until(lambda: all(_restarted(pod) for pod in world.cluster.list("pods", "payments")))
        await worked(world, one)
        live = await world.live(one)
        assert len(live) == len(pieces)
        assert len(model.requests) >= 2 * len(pieces)
        for incident in live:
            card = await one.card(incident.id)
            if card.remedy is not None:
                assert card.remedy.proposal.state == "proposed"
                assert card.remedy.proposal.action.workload.same(incident.subject)
        assert world.writes == []
        assert hidden("\n".join(model.texts)) == []
        assert hidden(await stored(world.url)) == []
    assert hidden("".join(capsys.readouterr())) == []
    assert model.faults == []


def _restarted(pod: dict[str, Any]) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0)) >= 2


async def test_a_median_prompt_stays_under_six_thousand_tokens(postgres_url: str, tmp_path: Path) -> None:
    async with (
        StandIn(lambda _: standin.says(making.report())) as model,
        worlds.World.made(postgres_url, tmp_path, scenarios.demo()) as world,
        replica(world, model) as one,
    ):
        await worked(world, one)
        sizes = [len(text) / CHARACTERS for text in model.texts]
    assert len(sizes) >= 5
    assert statistics.median(sizes) < PROMPT_TOKENS
    assert model.faults == []
