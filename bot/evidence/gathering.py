"""Gathering: what has come in about one problem, how a source is asked, and what a source of one's own is.

Used by `collecting` and by the sources. All text is redacted here, before it goes anywhere.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bot import errors as faults
from bot.domain import diagnoses
from bot.evidence import proving
from k8s import model, redact
from k8s.client import errors, reader

T = TypeVar("T")

BODY_CHARACTERS = 6000


class Unanswered(Exception):
    """A source did not answer; its text says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a source tells, before it is redacted, capped and numbered. `cut`: there was more of it."""

    source: diagnoses.Source
    title: str
    body: str
    cut: bool = False


class Source(Protocol):
    """A source beside the cluster itself: metrics, a log store, the record, runbooks. Plugged in as `more`."""

    @property
    def name(self) -> str:
        """What is said not to have answered: `Prometheus`, `the runbooks`."""
        ...

    async def collect(self, cluster: str, problem: model.Problem, target: model.Target | None) -> Sequence[Piece]:
        """Nothing where it has nothing to say. Raises Unanswered, ClusterError or errors.StoreUnavailable where it did
        not answer; it is stopped when its time is over."""
        ...


@dataclass(slots=True)
class Gathering:
    """What has come in so far."""

    seconds: float
    facts: dict[str, str] = field(default_factory=dict)
    pieces: list[diagnoses.Evidence] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Of the sources that rules rest on."""
    notes: list[str] = field(default_factory=list)
    """Lines that are told with the state of the subject."""

    def prove(self, proof: proving.Proof) -> None:
        self.facts.update({name: redact.redact(text) for name, text in proof.facts.items()})
        self.notes += proof.lines

    def add(self, source: diagnoses.Source, title: str, body: str, *, cut: bool = False) -> None:
        if not body.strip():
            return
        text = redact.redact(body)
        cut = cut or len(text) > BODY_CHARACTERS
        self.pieces.append(
            diagnoses.Evidence(len(self.pieces) + 1, source, redact.redact(title), text[:BODY_CHARACTERS], cut)
        )

    async def ask(
        self, what: str, reading: Awaitable[T], expected: tuple[type[errors.ClusterError], ...] = ()
    ) -> T | None:
        """What the cluster answers; None where it does not, which is named, or where that is `expected`."""
        try:
            async with asyncio.timeout(self.seconds):
                return await reading
        except expected:
            return None
        except errors.ClusterError as error:
            self.missing.append(f"{what}: {redact.redact(error.message)}")
        except TimeoutError:
            self.missing.append(f"{what}: no answer within {self.seconds:g} s")
        return None


@dataclass(slots=True)
class Aside:
    """Asks for what no rule rests on: where it is not to be had, that is told, and no confidence suffers.

    Each right may be left out; what may not be read is told in one line.
    """

    seconds: float
    unread: set[str] = field(default_factory=set)
    """What may not be read (`Services`)."""
    silent: list[str] = field(default_factory=list)
    """What did not answer, one sentence each."""

    async def ask(
        self, what: str, plural: str, reading: Awaitable[T], expected: tuple[type[errors.ClusterError], ...] = ()
    ) -> T | None:
        """None where there is no such thing, where it may not be read, or where no answer came. What is `expected` is
        not told."""
        plain: tuple[type[errors.ClusterError], ...] = (errors.NotFound, errors.Rejected, *expected)
        try:
            async with asyncio.timeout(self.seconds):
                return await reading
        except plain:
            return None
        except errors.Forbidden:
            self.unread.add(plural)
        except errors.ClusterError as error:
            self.silent.append(f"{what}: {redact.redact(error.message)}")
        except faults.StoreUnavailable as error:
            self.silent.append(f"{what}: {redact.redact(str(error))}")
        except TimeoutError:
            self.silent.append(f"{what}: no answer within {self.seconds:g} s")
        return None

    async def collect(
        self, source: Source, cluster: str, problem: model.Problem, target: model.Target | None
    ) -> Sequence[Piece]:
        """What one more source tells; nothing where it does not answer."""
        try:
            async with asyncio.timeout(self.seconds):
                return await source.collect(cluster, problem, target)
        except (Unanswered, faults.StoreUnavailable) as error:
            self.silent.append(f"{source.name}: {redact.redact(str(error))}")
        except errors.ClusterError as error:
            self.silent.append(f"{source.name}: {redact.redact(error.message)}")
        except TimeoutError:
            self.silent.append(f"{source.name}: no answer within {self.seconds:g} s")
        return ()

    @property
    def told(self) -> tuple[str, ...]:
        """What is missing, one sentence each."""
        unread = ", ".join(sorted(self.unread))
        return (*([f"{unread}: the bot may not read them"] if unread else ()), *self.silent)


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster that is asked about one problem."""

    source: reader.Reader
    aside: Aside
    problem: model.Problem
    target: model.Target | None

    async def listed(self, kind: str, namespace: str, label_selector: str = "") -> list[model.Json] | None:
        """A list of one namespace; None where it may not be read or did not answer, empty where there is none."""
        reading = self.source.list_json(kind, namespace, label_selector)
        plural = kind if kind.endswith("s") else f"{kind}s"
        return await self.aside.ask(f"{plural} in {namespace}", plural, reading)

    async def got(self, ref: model.ResourceRef) -> model.Json | None:
        return await self.aside.ask(f"{ref.kind} {ref.short}", f"{ref.kind}s", self.source.get(ref))
