"""Inquiries: what people ask in words, and the answer to `/watch why`, which looks whatever is flagged."""

from dataclasses import dataclass

from bot.domain import cards, diagnoses, watches
from k8s import model


@dataclass(frozen=True, slots=True)
class Mention:
    """A message that mentions the bot."""

    channel: str
    thread_ts: str
    """Of the message above the thread; empty outside of any."""
    ts: str
    user: str
    text: str
    """Without the mention."""


@dataclass(frozen=True, slots=True)
class Found:
    """One problem that a fresh look shows, with its diagnosis by the rules. It is no incident (yet)."""

    problem: model.Problem
    diagnosis: diagnoses.Diagnosis
    evidence: tuple[diagnoses.Evidence, ...]


@dataclass(frozen=True, slots=True)
class Inquiry:
    cluster: str
    subject: model.ResourceRef
    card: cards.IncidentCard | None = None
    """Its live incident: then there is nothing else here."""
    found: tuple[Found, ...] = ()
    facts: tuple[str, ...] = ()
    """How it stands, in half sentences; told where nothing is wrong."""
    looked: str = ""
    """What was looked at."""
    unread: tuple[str, ...] = ()
    """What could not be seen, and so says nothing."""
    watch: watches.Watch | None = None
    """The one that looks at it; None where `card` is set."""


@dataclass(frozen=True, slots=True)
class View:
    """What a model makes of the first problem that a fresh look shows."""

    problem: model.Problem
    opinion: diagnoses.Opinion | None
    why: str = ""
    """Why there is no opinion, as a sentence."""
    reused: bool = False
    """It was given before, on the same evidence."""
