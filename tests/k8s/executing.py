"""A simulated cluster with all that an execution needs, and twins that let the world change at the worst moment.

Used by `test_executor` and `test_looking`. The twins wrap the real reader and the real writer: what they add is a
change to the cluster right after a read, or right before a write.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.pieces import Piece
from k8s import catalogue, executor, guardrails, model
from k8s.client import connection, reader, writer

POLICY = guardrails.Policy(approvers=("U1",))
USUAL = connection.CallLimits()
ROUND = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
Change = Callable[[], Any]


class MeddledReader(reader.Reader):
    """After each `read_target` the next of `changes` happens."""

    changes: list[Change]

    async def read_target(self, action: model.Action) -> model.Target:
        target = await super().read_target(action)
        if self.changes:
            self.changes.pop(0)()
        return target


class MeddledWriter(writer.Writer):
    """Right before each write that is no dry run the next of `changes` happens."""

    changes: list[Change]

    async def apply(
        self, op: model.Operation, *, resource_version: str | None, dry_run: bool, as_user: model.Identity | None
    ) -> model.Json:
        if self.changes and not dry_run:
            self.changes.pop(0)()
        return await super().apply(op, resource_version=resource_version, dry_run=dry_run, as_user=as_user)


@dataclass
class Clock:
    """The executor's time, which a test may move."""

    at: datetime = ROUND

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Proposal:
    """What a stage of `bot` would have stored."""

    action: model.Action
    plan: model.Plan
    permit: model.Permit
    policy: guardrails.Policy
    mode: guardrails.Mode


@dataclass
class World:
    """A cluster, and the executor on it."""

    cluster: SimulatedCluster
    reader: MeddledReader
    writer: MeddledWriter
    clock: Clock = field(default_factory=Clock)

    @property
    def executor(self) -> executor.Executor:
        return executor.Executor(self.reader, self.writer)

    def ref(self, kind: str, name: str, namespace: str) -> model.ResourceRef:
        uid = self.cluster.get(kind, name, namespace)["metadata"]["uid"]
        return model.ResourceRef(kind, namespace, name, uid)

    def api(self) -> model.ResourceRef:
        """The Deployment that is crash-looping."""
        return self.ref("Deployment", "api", "payments")

    def first_pod(self) -> model.ResourceRef:
        return self.ref("Pod", self.cluster.pods("payments", "api")[0]["metadata"]["name"], "payments")

    async def propose(
        self, action: model.Action, policy: guardrails.Policy = POLICY, mode: guardrails.Mode = "approve"
    ) -> Proposal:
        """Plans the action, lets the policy judge it and as many of its approvers approve it as are needed."""
        target = await self.reader.read_target(action)
        assert catalogue.problems(action, target) == ()
        plan = catalogue.plan(action, target, ROUND)
        verdict = guardrails.judge(
            action,
            plan,
            target,
            subject=action.workload,
            policy=policy,
            history=guardrails.History(),
            mode=mode,
            now=ROUND,
        )
        permit = guardrails.permit(
            proposal="proposal-1",
            digest=verdict.digest,
            verdict=verdict,
            policy=policy,
            approvers=policy.approvers[: verdict.approvals_needed],
            reasons=dict.fromkeys(policy.approvers, "It is down."),
            now=ROUND,
            expires_at=ROUND + timedelta(minutes=30),
        )
        self.cluster.journal.clear()
        return Proposal(action, plan, permit, policy, mode)

    async def execute(self, made: Proposal, **changed: Any) -> model.Outcome:
        """Executes the proposal; `changed` replaces arguments."""
        arguments: dict[str, Any] = {
            "permit": made.permit,
            "proposal": "proposal-1",
            "subject": made.action.workload,
            "policy": made.policy,
            "history": guardrails.History(),
            "mode": made.mode,
            "now": self.clock,
            "planned_at": ROUND,
            "pins": made.plan.pins,
            "operations": made.plan.operations,
        } | changed
        return await self.executor.execute(made.action, **arguments)

    def change_image(self) -> None:
        """Somebody rolls another version out."""
        container = {"name": "api", "image": "payments/api:v2.3.0"}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.cluster.patch("deployments", "api", "payments", patch)

    def churn(self) -> None:
        """A status changes, as it does all the time in a crash loop: a new version of the same object."""
        status = self.cluster.get("Deployment", "api", "payments")["status"]
        seen = int(status.get("collisionCount", 0)) + 1
        self.cluster.patch_status("deployments", "api", "payments", {"collisionCount": seen})

    def recreate(self) -> None:
        """Somebody deletes the Deployment and applies it again: same name, another uid."""
        found = self.cluster.get("Deployment", "api", "payments")
        self.cluster.delete("deployments", "api", "payments")
        del found["status"]
        self.cluster.apply(found)


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    pieces: Iterable[Piece] = (),
    *,
    limits: connection.CallLimits = USUAL,
    speed: float = 1.0,
    clocked: bool = False,
) -> AsyncIterator[World]:
    """A running cluster where payments/api crash-loops after a bad rollout (revision 1 was good).

    `clocked`: the reader goes by the cluster's own time, for what depends on how long something has been so.
    """
    async with SimulatedCluster([scenarios.crash_loop(), *pieces], speed=speed) as cluster:
        access = connection.ClusterAccess("demo", cluster.write_kubeconfig(folder / "config"), "demo-writer")
        over = await connection.Connection.open(access, limits)
        try:
            now = cluster.timeline.now if clocked else lambda: ROUND
            meddled_reader, meddled_writer = MeddledReader(over, now=now), MeddledWriter(over)
            meddled_reader.changes, meddled_writer.changes = [], []
            yield World(cluster, meddled_reader, meddled_writer)
        finally:
            await over.close()
