"""Asking a model: what was asked for, what came of it, what it cost, and what it may cost. Pure.

A row of advice follows each diagnosis by the rules, where a model is set; it is claimed like any other work, so what a
dead replica had begun is begun anew. Money is counted in micro-dollars (a millionth of a US dollar), tokens as the
model's provider counts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from bot.domain import diagnoses
from k8s import model

State = Literal["wanted", "running", "done", "none"]
"""none: there will be no opinion, and `why` says why."""
Purpose = Literal["diagnosis", "question", "polish", "probe"]
QuestionState = Literal["wanted", "running", "answered", "failed"]
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Advice:
    """That a model is asked about one diagnosis."""

    id: int
    diagnosis_id: int
    incident_id: int
    state: State
    key: str
    """Hash of what would be sent: the same key is the same question, and its opinion is used again."""
    wanted_at: datetime
    finished_at: datetime | None = None
    opinion: diagnoses.Opinion | None = None
    why: str = ""
    """Why there is no opinion: a sentence for the card."""
    reused_of: int | None = None
    """Of which row the opinion was taken."""
    attempts: int = 0
    """How often somebody began to ask: more than once only where a replica died meanwhile."""


# --- money


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `read` and `written`: of the prompt cache."""

    input: int = 0
    output: int = 0
    written: int = 0
    read: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input, self.output + other.output, self.written + other.written, self.read + other.read
        )


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens, which is micro-dollars for one."""

    input: float
    output: float
    written: float
    read: float

    def of(self, usage: Usage) -> int:
        """Micro-dollars, rounded up."""
        cost = (
            usage.input * self.input
            + usage.output * self.output
            + usage.written * self.written
            + usage.read * self.read
        )
        return -int(-cost // 1)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Micro-dollars that may be spent; 0 is nothing at all. An incident's is over its whole life."""

    incident: int
    watch_day: int
    day: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Micro-dollars spent, or set aside for calls that are under way, by what a ceiling is about."""

    incident: int = 0
    watch_day: int = 0
    day: int = 0

    def over(self, more: int, ceilings: Ceilings) -> str:
        """Which ceiling `more` would break, as a sentence for the card; empty where none."""
        for name, spent, ceiling in (
            ("this incident", self.incident, ceilings.incident),
            ("this watch today", self.watch_day, ceilings.watch_day),
            ("today", self.day, ceilings.day),
        ):
            if spent + more > ceiling:
                return f"The model was not asked: the budget of {dollars(ceiling)} for {name} is used up"
        return ""


def dollars(micro: int) -> str:
    """`$0.012`, `$3.20`."""
    amount = micro / MICRO
    return f"${amount:.2f}" if amount >= 1 or not micro else f"${amount:.3f}" if amount >= 0.001 else "<$0.001"


@dataclass(frozen=True, slots=True)
class NewCall:
    """One request to the model, about to be made."""

    purpose: Purpose
    cluster: str
    model: str
    prompt: str
    """Version of the prompt."""
    sent: str
    """The whole request as JSON, redacted: exactly what is sent, but for credentials, which are in no body."""
    estimate: int
    """Micro-dollars that it may cost at most: set aside until it is answered."""
    incident_id: int | None = None
    watch_id: int | None = None
    question_id: int | None = None
    key: str = ""
    """Of the evidence that a look of no incident rests on: by it the answer is found again."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was made. `error` is empty where it was answered."""

    id: int
    purpose: Purpose
    cluster: str
    model: str
    prompt: str
    started_at: datetime
    sent: str
    incident_id: int | None = None
    watch_id: int | None = None
    question_id: int | None = None
    finished_at: datetime | None = None
    stop: str = ""
    """Why the model stopped (`stop_reason`)."""
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    cost: int = 0
    received: str = ""
    """The answer's content as JSON, redacted."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was spent in a time, for `/watch cost`: (name, calls, tokens, micro-dollars), dearest first."""

    since: datetime
    until: datetime
    total: "CostLine"
    by_watch: tuple["CostLine", ...] = ()
    by_incident: tuple["CostLine", ...] = ()
    by_model: tuple["CostLine", ...] = ()
    by_day: tuple["CostLine", ...] = ()
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class CostLine:
    name: str
    calls: int
    usage: Usage
    cost: int
    failed: int = 0


# --- what a model is asked


@dataclass(frozen=True, slots=True)
class Brief:
    """All that an opinion rests on."""

    incident_id: int | None
    """None: somebody asked about a workload that has no incident."""
    watch_id: int
    cluster: str
    problem: model.Problem
    dossier: diagnoses.Dossier
    rules: diagnoses.Diagnosis
    language: str
    """Of the channel: `en`, `ko`."""
    namespaces: Sequence[str] = ()
    """Globs of the watch: tools read in these alone. Empty: all that the watch sees."""
    deadline: timedelta = timedelta(seconds=60)
    key: str = ""
    """Of `bot.domain.sameness`; empty: nobody looks for an earlier answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """An opinion, or why there is none (a sentence for the card)."""

    opinion: diagnoses.Opinion | None
    why: str = ""
    reused: bool = False
    """It was given before, on the same evidence: nothing was asked."""


# --- questions of people


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked in an incident's thread (or by `/watch why`, where it makes a thread of its own)."""

    id: int
    incident_id: int
    channel: str
    thread_ts: str
    ts: str
    """Of the message that asks: one answer each, however often Slack tells of it."""
    user: str
    text: str
    """Redacted."""
    state: QuestionState
    asked_at: datetime
    answered_at: datetime | None = None
    answer: "Answer | None" = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose every claim cites evidence. `text` carries it as `[E2]`."""

    text: str
    by: Literal["rules", "model"]
    cites: tuple[int, ...] = ()
    dropped: tuple[str, ...] = ()
    evidence: tuple[diagnoses.Evidence, ...] = ()
    """Those that were cited or that tools brought, with their numbers."""
    why: str = ""
    """Why the rules answered, where a model is set."""
    state: str = ""
    """The incident's state when it was answered."""
    model: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question of a thread with its answer."""

    question: str
    answer: str


# --- runbooks


@dataclass(frozen=True, slots=True)
class Runbook:
    """Markdown of the team's own: data like any other text, never instructions to a model."""

    name: str
    title: str
    body: str
    """Redacted."""
    source: Literal["folder", "configmap", "slack"]
    kinds: tuple[str, ...] = ()
    """Failure kinds that it is for; empty: any."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the workload; empty: any."""
    cluster: str = ""
    added_by: str = ""
    added_at: datetime | None = None
