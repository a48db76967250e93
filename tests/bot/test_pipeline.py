"""The whole story in one process: tick, diagnosis, approval, execution, verification, resolved, and back again."""

import asyncio
from pathlib import Path

import pytest

from demo.cluster import Fault, scenarios
from tests.bot.flow import worlds


async def test_a_broken_rollout_is_found_explained_undone_with_leave_and_can_be_put_back(
    postgres_url: str, tmp_path: Path
) -> None:
    async with worlds.World.made(postgres_url, tmp_path, [scenarios.crash_loop()]) as world:
        bot = await world.replica()
        (opened,) = await world.sweep(bot)
        assert (opened.severity, opened.subject.short, opened.channel) == ("P1", "payments/api", worlds.CHANNEL)
        assert await bot.pipeline.diagnose_next()
        assert not await bot.pipeline.diagnose_next()
        card = await bot.card(opened.id)
        assert card.diagnosis is not None
        assert "KeyError: 'DB_URL'" in card.diagnosis.cause
        assert card.diagnosis.confidence == "high"
        proposal = await bot.remedy(opened.id)
        assert proposal.kubectl == "kubectl -n payments rollout undo deployment/api --to-revision=1"
        assert (await bot.pipeline.approve(worlds.press(proposal))).counted
        assert await bot.pipeline.execute_next()
        assert not await bot.pipeline.execute_next()
        card = await world.verified(bot, opened.id)
        assert card.remedy is not None
        assert card.remedy.proposal.state == "verified"
        assert card.incident.state == "resolved"
        assert card.incident.resolution == f"Fixed by {proposal.kubectl}."
        assert world.cluster.get("deployments", "api", "payments")["status"]["readyReplicas"] == 3
        assert card.undo is not None
        assert (await bot.pipeline.approve(worlds.press(card.undo.proposal, worlds.BEN))).counted
        assert await bot.pipeline.execute_next()
        assert (await bot.remedy(opened.id)).state == "undone"
        assert len(world.writes) == 2
        assert await bot.trail(opened.id) == [
            "incident:opened",
            "diagnosis:made",
            "proposal:made",
            "proposal:approved",
            "execution:started",
            "execution:ended",
            "proposal:verified",
            "undo:offered",
            "incident:resolved",
            "proposal:approved",
            "execution:started",
            "execution:ended",
            "proposal:undone",
        ]


async def test_however_many_ask_for_a_sweep_at_once_one_is_made_and_all_get_its_answer(
    postgres_url: str, tmp_path: Path
) -> None:
    async with worlds.World.made(postgres_url, tmp_path, [scenarios.crash_loop()]) as world:
        bot = await world.replica()
        await world.watch(bot)
        answers = await asyncio.gather(*(bot.pipeline.sweep_now("payments") for _ in range(10)))
        sweeps = {one.sweep.id for (one,) in answers if one.sweep is not None}
        assert len(sweeps) == 1
        assert all(len(one.found) == 1 for (one,) in answers)
        (later,) = await bot.pipeline.sweep_now("payments")
        assert later.sweep is not None
        assert later.sweep.id not in sweeps


async def test_a_sweep_that_somebody_asked_for_ends_with_the_pipeline(postgres_url: str, tmp_path: Path) -> None:
    async with worlds.World.made(postgres_url, tmp_path, [scenarios.crash_loop()]) as world:
        bot = await world.replica()
        await world.watch(bot)
        world.cluster.faults.add(Fault(path="/api/v1/pods", hang=True))
        asking = asyncio.create_task(bot.pipeline.sweep_now(""))
        await world.cluster.wait_for(lambda: any(entry.path == "/api/v1/pods" for entry in world.cluster.journal))
        await bot.pipeline.stop()
        with pytest.raises(asyncio.CancelledError):
            await asking
