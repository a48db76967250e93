"""Runbooks as evidence: kept in step with a folder and a ConfigMap, and matched to a problem.

`Library.refresh` is run by `bot.main` at the start and every minute; `Shelf` is plugged into `collecting`. What a
runbook says is text like a log's: redacted before it is stored, capped, and no order to anybody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import structlog

from bot import runbooks
from bot.domain import consultations, ports
from bot.evidence import gathering
from k8s import fields, model, redact
from k8s.client import errors as cluster_errors
from k8s.client import reader

_LOG = structlog.get_logger(__name__)

ENDINGS = (".md", ".markdown")
FILES = 500
"""Of a folder, in the order of their names."""
FILE_BYTES = 200_000
"""What is larger is no runbook, and is left out."""
MATCHED = 2
"""Runbooks that one problem shows."""
SHOWN = 2_400
"""Characters of a runbook in the evidence."""
Readers = Callable[[str], Awaitable[reader.Reader]]


class Library:
    """The runbooks of a folder and of a ConfigMap (`namespace/name`, in each cluster that has it), as rows."""

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        *,
        folder: Path | None = None,
        configmap: str = "",
        clusters: Sequence[str] = (),
        readers: Readers | None = None,
        own: Collection[str] = (),
    ) -> None:
        """`own`: failure kinds beside those of the catalogue."""
        self._store = store
        self._clock = clock
        self._folder = folder
        self._configmap = configmap
        self._clusters = clusters if configmap else ()
        self._readers = readers
        self._own = own
        self._said: dict[str, str] = {}
        """What could not be read, as it was logged last."""

    async def refresh(self) -> None:
        """What cannot be read now stays as it was. What is gone from its place is gone. Raises StoreUnavailable."""
        try:
            found = await asyncio.to_thread(_files, self._folder)
        except OSError as error:
            self._noted("folder", f"{type(error).__name__} {error.strerror}")
        else:
            self._noted("folder", "")
            await self._kept("folder", "", {_name(path): text for path, text in found.items()})
        for cluster in self._clusters:
            await self._of_cluster(cluster)

    async def _of_cluster(self, cluster: str) -> None:
        namespace, _, name = self._configmap.partition("/")
        if self._readers is None:
            return
        try:
            source = await self._readers(cluster)
            held = await source.get(model.ResourceRef("ConfigMap", namespace, name))
        except cluster_errors.NotFound:
            held = {}
        except cluster_errors.ClusterError as error:
            self._noted(cluster, error.message)
            return
        self._noted(cluster, "")
        data = fields.mapping(held, "data")
        entries = {_name(key): str(text) for key, text in sorted(data.items()) if len(str(text)) <= FILE_BYTES}
        await self._kept("configmap", cluster, entries)

    async def _kept(self, source: Literal["folder", "configmap"], cluster: str, texts: Mapping[str, str]) -> None:
        books = []
        for name, text in texts.items():
            if runbooks.NAME.fullmatch(name) is None or not text.strip():
                continue
            read = runbooks.read(name, text, source, self._own, cluster)
            books.append(replace(read, title=redact.redact(read.title), body=redact.redact(read.body)))
        now = self._clock()
        async with self._store.begin() as tx:
            for book in books:
                await tx.runbooks.put(book, now)
            await tx.runbooks.keep_only(source, cluster, [book.name for book in books])

    def _noted(self, place: str, why: str) -> None:
        """Once for each change: not every minute."""
        if self._said.get(place, "") != why:
            self._said[place] = why
            _LOG.warning("runbooks.not_read", place=place, why=why) if why else _LOG.info("runbooks.read", place=place)


def _files(folder: Path | None) -> dict[Path, str]:
    """Markdown files of the folder itself; nothing where none is set. Raises OSError."""
    if folder is None:
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    return {
        path: path.read_text(encoding="utf-8", errors="replace")
        for path in paths[:FILES]
        if path.stat().st_size <= FILE_BYTES
    }


def _name(path: Path | str) -> str:
    """Of a file or of a key, as a command can say it."""
    text = path.name if isinstance(path, Path) else path
    for ending in ENDINGS:
        text = text[: -len(ending)] if text.lower().endswith(ending) else text
    return "-".join(text.lower().split())


class Shelf:
    """Implements `gathering.Source`: the runbooks that fit a problem."""

    name = "the runbooks"

    def __init__(self, store: ports.Store) -> None:
        self._store = store

    async def collect(
        self, cluster: str, problem: model.Problem, target: model.Target | None
    ) -> Sequence[gathering.Piece]:
        """See `gathering.Source`. Raises StoreUnavailable."""
        labels = {} if target is None or target.object is None else _labels(target.object)
        async with self._store.begin() as tx:
            found = await tx.runbooks.matching(cluster, problem.kinds, labels, _said(problem), MATCHED)
        return [_piece(one) for one in found]


def _labels(obj: model.Json) -> dict[str, str]:
    """Of the workload and of its pods: people write either."""
    template = fields.mapping(obj, "spec", "template", "metadata", "labels")
    return {str(key): str(value) for key, value in {**template, **fields.labels(obj)}.items()}


def _said(problem: model.Problem) -> str:
    """All words by which a problem is known: names, messages, causes."""
    parts = [problem.subject.name, problem.subject.namespace]
    for finding in problem.findings[:6]:
        parts += [finding.kind, finding.container, finding.message, finding.cause, *finding.facts.values()]
    return " ".join(part for part in parts if part)[:4_000]


def _piece(one: consultations.Runbook) -> gathering.Piece:
    cut = len(one.body) > SHOWN
    body = one.body[:SHOWN].rpartition("\n")[0] or one.body[:SHOWN] if cut else one.body
    return gathering.Piece("runbook", f"Runbook: {one.title}", body, cut)
