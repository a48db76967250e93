"""Evidence, and what it proves: a cause whose every claim cites a numbered piece of evidence.

Built by `bot.evidence` (collecting) and the diagnosing stage (reasoning), shown by the incident card.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from k8s import changes_before, model

Source = Literal["status", "events", "log", "previous-log", "rollout", "changes", "node", "scheduling"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One numbered piece: `[E2]`. `body` is already redacted and capped; `cut` tells that it was longer."""

    number: int
    source: Source
    title: str
    body: str
    cut: bool = False

    @property
    def label(self) -> str:
        return f"E{self.number}"


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that was collected about one problem: evidence for people, facts for rules, and what could not be read."""

    evidence: tuple[Evidence, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    """Typed by name, never by position: see `bot.evidence.collecting` for the list."""
    target: model.Target | None = None
    """The workload with its ReplicaSets and pods, where there is one and it could be read."""
    missing: tuple[str, ...] = ()
    """Sources that did not answer, one sentence each."""
    changes: tuple[changes_before.Change, ...] = ()
    """What was changed before the problem began, the likeliest to have brought it first."""

    def of(self, source: Source) -> "Evidence | None":
        """The first piece from this source."""
        return next((piece for piece in self.evidence if piece.source == source), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that the diagnosis speaks for, and why. It still has to pass the catalogue and the policy."""

    action: model.Action
    why: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`cause` is one or two sentences in which every claim carries its evidence, e.g. `… [E2]; … [E4]`."""

    cause: str
    cites: tuple[int, ...]
    confidence: Confidence
    reason: str
    """Why the confidence is what it is."""
    next_step: str
    """What a person should do: always said, also where an action is proposed."""
    by: Literal["rules", "model"] = "rules"
    candidates: tuple[Candidate, ...] = ()
    """Best first; at most one becomes the proposal."""
    missing: tuple[str, ...] = ()
