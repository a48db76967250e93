"""Evidence, and what it proves: a cause whose every claim cites a numbered piece of evidence.

Built by `bot.evidence` (collecting) and the diagnosing stage (reasoning), shown by the incident card.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from k8s import changes_before, model

Source = Literal[
    "status",
    "events",
    "log",
    "previous-log",
    "sibling-log",
    "rollout",
    "changes",
    "node",
    "scheduling",
    "owner",
    "limits",
    "network",
    "dependencies",
    "usage",
    "prometheus",
    "loki",
    "past",
    "runbook",
    "tool",
]
"""Where a piece comes from. limits: autoscaler, disruption budget, quota; network: Services and endpoints in front;
tool: a model asked for it."""
Confidence = Literal["high", "medium", "low"]
CauseKind = Literal[
    "missing-variable",
    "missing-object",
    "missing-file",
    "bad-configuration",
    "bad-command",
    "bad-image",
    "registry",
    "pull-secret",
    "wrong-port",
    "bad-probe",
    "dependency-down",
    "dns",
    "network",
    "permission",
    "certificate",
    "limit-too-low",
    "leak",
    "node-pressure",
    "node",
    "capacity",
    "placement",
    "quota",
    "storage",
    "bad-rollout",
    "application",
    "budget",
    "autoscaler",
    "metrics",
    "selector",
    "finalizer",
    "webhook",
    "schedule",
    "deadline",
    "evicted",
    "risk",
    "unknown",
]
"""What sort of thing is at fault: the name that rules, models and the cases of `evals/` share. application: the process
itself fails, and nothing around it is known to be the reason."""
Agreement = Literal["agrees", "differs", "unsure"]


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
    """Sources that rules rest on and that did not answer, one sentence each."""
    changes: tuple[changes_before.Change, ...] = ()
    """What was changed before the problem began, the likeliest to have brought it first."""
    beside: tuple[str, ...] = ()
    """Further sources that did not answer: it is told, and lowers no confidence of the rules."""

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
    """As of its Dossier."""
    kind: CauseKind = "unknown"
    beside: tuple[str, ...] = ()
    """As of its Dossier."""

    @property
    def unseen(self) -> tuple[str, ...]:
        """All that did not answer, one sentence each: what people are told."""
        return (*self.missing, *self.beside)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a model says, with the words of the evidence that prove it: `quote` is found in a piece cited."""

    text: str
    quote: str
    cites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a model makes of the same evidence: only what stood the checks of `bot.llm.checking`. All is redacted."""

    cause: str
    """As of a Diagnosis."""
    kind: CauseKind
    claims: tuple[Claim, ...]
    agreement: Agreement
    """With the rules."""
    confidence: Confidence
    """From the agreement of rules, model and evidence; never the model's own number."""
    reason: str
    next_step: str
    unknown: tuple[str, ...] = ()
    settle: tuple[str, ...] = ()
    """What would settle what is not known."""
    candidates: tuple[Candidate, ...] = ()
    dropped: tuple[str, ...] = ()
    """What was taken out, one sentence each: `1 claim without evidence was removed`."""
    evidence: tuple[Evidence, ...] = ()
    """What its tools brought, numbered on from the dossier's."""
    model: str = ""
    prompt: str = ""
    """Version of the prompt."""
