"""What must be true of approvals, worked out a second time and from other sources than the product does it.

It is told of presses as people make them and of requests as the API server journalled them, and knows neither the
stages nor the guardrails. `tests.machine.approvals` drives it. All moments are those of the clock of the replica that
acted; `Broken` names the rule that did not hold.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.domain import proposals
from demo.cluster.journal import Entry
from k8s import guardrails, model

PERMIT_LIFE = timedelta(minutes=5)
"""docs/actions.md: an approval that could not be acted on for this long permits nothing any more."""
GUARDS = ({"op": "test", "path": "/metadata/uid"}, {"op": "replace", "path": "/metadata/resourceVersion"})


class Broken(AssertionError):
    """A rule that has to hold always did not."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a Deployment was like: read from the cluster's own store."""

    uid: str
    template: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Given:
    """One approval that the product says it has counted."""

    user: str
    reason: str
    at: datetime


@dataclass
class Seen:
    """One proposal as it was when it was made, and what people did with it."""

    row: proposals.Proposal
    facts: Facts
    policy: guardrails.Policy
    given: dict[str, Given] = field(default_factory=dict)
    over: str = ""
    """Why nothing may be done for it any more: somebody rejected it, it expired, another one took its place."""
    written: int = 0

    @property
    def needed(self) -> int:
        return max(1, self.policy.tiers.of(self.row.risk).approvals)


@dataclass(frozen=True, slots=True)
class Open:
    """An execution that was not at its end when a step began, as its row said then."""

    proposal_id: int
    state: str
    owner: str
    orphaned: bool


@dataclass(frozen=True, slots=True)
class Wrote:
    """One write, who sent it and when, and how things stood right before that step."""

    entry: Entry
    owner: str
    now: datetime
    policy: guardrails.Policy
    facts: Mapping[str, Facts]


class Oracle:
    def __init__(self) -> None:
        self.seen: dict[int, Seen] = {}
        self.writes = 0

    # --- presses ------------------------------------------------------------------------------------------------------

    def pressed(
        self,
        shown: int,
        digest: str,
        user: str,
        reason: str,
        *,
        counted: bool,
        now: datetime,
        policy: guardrails.Policy,
        early: timedelta,
    ) -> None:
        """An Approve that was answered. `early`: how far a clock may be behind the one that made the proposal."""
        if not counted:
            return
        one = self.seen.get(shown)
        if one is None:
            raise Broken(f"a press on {shown}, which was never shown, was counted")
        asked = one.policy.tiers.of(one.row.risk)
        faults = {
            f"{user} is no approver": user not in policy.approvers,
            "it was for something else than what was shown": not one.row.digest.startswith(digest) or len(digest) < 16,
            "it was proposed under another policy": policy.hash != one.row.policy,
            f"it was over: {one.over}": bool(one.over),
            "it had expired": now >= one.row.expires_at,
            "it lies in the future": now < one.row.created_at - early,
            f"{user} had approved it before": user in one.given,
            "it came without the reason that is asked for": asked.reason_required and not reason.strip(),
            "it has enough approvals already": len(one.given) >= one.needed,
        }
        if wrong := [fault for fault, holds in faults.items() if holds]:
            raise Broken(f"a press on {shown} was counted although {', '.join(wrong)}")
        one.given[user] = Given(user, reason, now)

    def ended(self, shown: int, why: str) -> None:
        one = self.seen[shown]
        one.over = one.over or why

    def follow(self, rows: Sequence[proposals.Proposal]) -> None:
        """Rows as they are now: what is over by its state may never be approved or done after that."""
        for row in rows:
            if row.state in ("rejected", "expired", "superseded") and row.id in self.seen:
                self.ended(row.id, row.state)

    # --- writes -------------------------------------------------------------------------------------------------------

    def wrote(self, wrote: Wrote, still: Sequence[Open], *, early: timedelta) -> None:
        """Holds one write of the journal against all that allowed it. `still`: executions open when the step began."""
        fits = [one for one in still if self._fits(self.seen[one.proposal_id].row, wrote.entry)]
        told = f"{wrote.entry.method} {wrote.entry.path} {json.dumps(wrote.entry.body)}"
        if not fits:
            raise Broken(f"no execution that was open explains {told}; open were {list(still)}")
        mine = [one for one in fits if one.state == "queued" or (one.owner == wrote.owner and not one.orphaned)]
        if not mine:
            raise Broken(f"{wrote.owner} wrote what was not its own (any more): {told}; {fits}")
        one = self.seen[min(mine, key=lambda each: self.seen[each.proposal_id].written).proposal_id]
        one.written += 1
        self.writes += 1
        if wrong := self._faults(one, wrote, early):
            raise Broken(f"proposal {one.row.id} was written although {', '.join(wrong)}: {told}")

    def _faults(self, one: Seen, wrote: Wrote, early: timedelta) -> list[str]:
        row, people = one.row, one.given
        asked = one.policy.tiers.of(row.risk)
        granted = max((each.at for each in people.values()), default=wrote.now)
        strangers = [user for user in people if user not in wrote.policy.approvers]
        faults = {
            f"it was written {one.written} times": one.written > 1,
            f"{len(people)} of {one.needed} approved it": len(people) < one.needed,
            f"{strangers} may not approve": bool(strangers),
            "somebody gave no reason": asked.reason_required
            and not all(each.reason.strip() for each in people.values()),
            "the policy is another one now": wrote.policy.hash != row.policy,
            f"it was over: {one.over}": bool(one.over),
            "the permit had expired": wrote.now >= granted + PERMIT_LIFE,
            "the permit lies in the future": wrote.now < granted - early,
            "the target moved": self._moved(one, wrote),
            "its digest is not that of its operations": row.digest
            != model.digest(row.operations, row.pins, one.policy.hash),
        }
        return [fault for fault, holds in faults.items() if holds]

    @staticmethod
    def _moved(one: Seen, wrote: Wrote) -> bool:
        before, now = one.facts, wrote.facts.get(one.row.operations[0].target.name)
        if now is None or now.uid != before.uid:
            return True
        if isinstance(one.row.action, model.Scale):
            return now.replicas != before.replicas
        return now.template != before.template

    @staticmethod
    def _fits(row: proposals.Proposal, entry: Entry) -> bool:
        """Whether this request is the very operation of the proposal, but for what binds it to uid and version."""
        op = row.operations[0]
        if len(row.operations) != 1 or entry.method != "PATCH" or not entry.path.endswith(_path(op)):
            return False
        return _bytes(_bare(entry.body)) == _bytes(op.body) and op.target.uid in json.dumps(entry.body)


def _path(op: model.Operation) -> str:
    scale = "/scale" if op.verb == "scale" else ""
    return f"/namespaces/{op.target.namespace}/deployments/{op.target.name}{scale}"


def _bare(body: Any) -> Any:
    if isinstance(body, list):
        known = [{"op": step.get("op"), "path": step.get("path")} for step in body]
        return [step for step, shape in zip(body, known, strict=True) if shape not in GUARDS]
    metadata = {name: each for name, each in body.get("metadata", {}).items() if name not in ("uid", "resourceVersion")}
    rest = {name: each for name, each in body.items() if name != "metadata"}
    return rest | ({"metadata": metadata} if metadata else {})


def _bytes(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
