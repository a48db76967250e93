"""Plays cases, many side by side: on simulated clusters, each one's own, or in namespaces of a real one."""

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.grounds import ground, real, simulated
from tests.likeness.cases import Case
from tests.likeness.stage import Stage, Taken

SIDE_BY_SIDE = 8
UNHURRIED = 3.0
"""Speed of a simulated cluster whose case has a moment or a deadline that a busy machine would miss at full speed."""


async def play(case: Case, kubeconfig: Path | None) -> Taken:
    """A case on a real cluster, in a namespace that is removed afterwards; on a simulated one where no other is named.

    AssertionError where it does not settle.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with _opened(case, kubeconfig, Path(folder)) as found:
            stage = Stage(found)
            if isinstance(found, simulated.Simulated):
                await _furnish(found)
            try:
                return await case.play(stage)
            finally:
                await stage.let_go()


async def play_all(cases: Iterable[Case], kubeconfig: Path | None) -> Mapping[str, Taken | AssertionError]:
    """What was taken of each, or how it failed to settle."""
    turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(case: Case) -> tuple[str, Taken | AssertionError]:
        async with turns:
            try:
                return case.name, await play(case, kubeconfig)
            except AssertionError as error:
                return case.name, error

    return dict(await asyncio.gather(*map(one, cases)))


def _opened(case: Case, kubeconfig: Path | None, folder: Path) -> AbstractAsyncContextManager[ground.Ground]:
    if kubeconfig is not None:
        return real.Real.open(kubeconfig, folder)
    return simulated.Simulated.open(folder, UNHURRIED if case.fleeting or case.unhurried else simulated.SPEED)


async def _furnish(found: simulated.Simulated) -> None:
    """Like the cluster that was recorded: one node, for the scheduler's sentences count them, and no metrics server."""
    found.cluster.registry.metrics = False
    first, *others = found.node_names
    for name in others:
        await found.admin.delete("Node", name)
    found.node_names = (first,)
