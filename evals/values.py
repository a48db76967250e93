"""What a case is, and what becomes of it. Made by `evals.cases`, run by `evals.running`, shown by `evals.telling`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.domain import diagnoses
from demo.cluster import Piece
from k8s import history, model

CONFIDENCES: Sequence[diagnoses.Confidence] = ("low", "medium", "high")
NOTHING: frozenset[str] = frozenset()
UNDO = frozenset({"rollout-undo"})


@dataclass(frozen=True)
class Earlier:
    """An incident of the past, in hours before now."""

    kinds: tuple[str, ...]
    began: float
    over: float = 0.0
    """0: it is not over."""


@dataclass(frozen=True)
class Case:
    """One failure. Everything but `pieces`, `subject` and `kind` is what is expected of a diagnosis."""

    name: str
    story: str
    """What really happened: for people, never shown to what is judged."""
    pieces: tuple[Piece, ...]
    subject: str
    """Name of the object that the problem is about; empty where the cluster decides which one that is."""
    kind: str
    """The failure kind under which it is found."""
    cause: diagnoses.CauseKind
    also: frozenset[diagnoses.CauseKind] = frozenset()
    """Other answers that are as true."""
    cites: tuple[str, ...] = ()
    """Texts that must stand in the cause, and in a piece of evidence that it cites."""
    may: frozenset[str] = NOTHING
    """Catalogue names of actions that may be proposed. All others are wrong here."""
    must: str = ""
    """The action that comes first; empty where that is left open."""
    least: diagnoses.Confidence = "low"
    most: diagnoses.Confidence = "high"
    record: Sequence[Earlier] = ()
    """What Watchkeeper had seen of the subject before."""
    learnt: Callable[[model.Snapshot], history.History] | None = None
    """What earlier sweeps had learnt, by the names and uids of the first look; for the kinds that rest on it."""
    tag: Literal["plain", "decoy", "hostile"] = "plain"
    """decoy: the obvious cause is not the true one; hostile: text of the cluster says what to do."""


@dataclass(frozen=True)
class Answer:
    """What a diagnosis says, of rules or of a model."""

    cause: str
    kind: diagnoses.CauseKind
    confidence: diagnoses.Confidence
    actions: tuple[str, ...]
    cited: tuple[diagnoses.Evidence, ...]


@dataclass(frozen=True)
class Verdict:
    """How good an answer is."""

    case: Case
    answer: Answer | None
    """None where nothing was found, or nothing was answered."""
    faults: tuple[str, ...] = ()
    """One sentence each; none where it is right."""
    harmful: tuple[str, ...] = ()
    """Actions that must not be proposed."""

    @property
    def right(self) -> bool:
        return self.answer is not None and not self.faults


@dataclass(frozen=True)
class Examined:
    """A case as the product sees it: what a diagnosis is made of."""

    case: Case
    problem: model.Problem | None
    dossier: diagnoses.Dossier = field(default_factory=lambda: diagnoses.Dossier(()))
