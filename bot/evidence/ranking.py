"""Ranking: which pieces of evidence a prompt may hold, and how much of each. Pure; for the prompts of `bot.llm`.

Best first by what a piece proves for this kind of failure. Nothing is renumbered: `[E4]` is the same piece in a prompt,
on the card and in the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

from bot.domain import diagnoses

CHARACTERS = 3.5
"""Characters of a token, by estimate: less than English text has, as logs are full of numbers and names."""
_FRAME = 40
"""Characters around a piece: its number, its source, its fence."""
_LEAST = 300
"""A piece that would be cut to less than this tells nothing."""
_SHARE = 0.4
"""Of the budget, for one piece: one long log must not take the place of all others."""
_HEAD = 0.35
"""Of what is kept of a cut piece, from its beginning: the end of a log and of a list of revisions tells more."""

_ORDER: tuple[diagnoses.Source, ...] = (
    "status",
    "previous-log",
    "log",
    "rollout",
    "events",
    "changes",
    "dependencies",
    "scheduling",
    "node",
    "tool",
    "limits",
    "network",
    "usage",
    "owner",
    "runbook",
    "past",
    "loki",
    "prometheus",
    "sibling-log",
)
_FIRST: Mapping[str, tuple[diagnoses.Source, ...]] = {
    "OOMKilled": ("usage", "prometheus"),
    "MemoryGrowth": ("usage", "prometheus"),
    "ImagePull": ("events",),
    "ConfigError": ("events", "changes"),
    "StuckCreating": ("events",),
    "Unschedulable": ("scheduling", "events", "limits"),
    "NotReady": ("events", "network", "dependencies"),
    "LivenessRestarts": ("events", "usage"),
    "ReplicasMissing": ("events", "limits", "owner"),
    "QuotaExhausted": ("limits", "events"),
    "HPABroken": ("limits", "events", "scheduling"),
    "PDBBlocking": ("limits",),
    "ServiceNoEndpoints": ("network",),
    "IngressBroken": ("network",),
    "NodeNotReady": ("scheduling", "node"),
    "NodePressure": ("scheduling", "node"),
    "LogErrors": ("log", "loki", "dependencies"),
}
"""Failure kind → what comes right after the state of the subject. The others go by `_ORDER` alone."""


def ranked(pieces: Sequence[diagnoses.Evidence], kind: str) -> tuple[diagnoses.Evidence, ...]:
    """The pieces, best first; of one source, the lower number first."""
    order = dict.fromkeys(("status", *_FIRST.get(kind, ()), *_ORDER, *get_args(diagnoses.Source)))
    places = {source: place for place, source in enumerate(order)}
    return tuple(sorted(pieces, key=lambda piece: (places[piece.source], piece.number)))


def fit(
    pieces: Sequence[diagnoses.Evidence], budget_tokens: int, kind: str
) -> tuple[tuple[diagnoses.Evidence, ...], tuple[int, ...]]:
    """What fits into so many tokens by `estimate`, in the order of the numbers, and the numbers of what does not.

    A piece that is too long is cut in its middle, with a mark that says so, and its `cut` is set.
    """
    room = int(budget_tokens * CHARACTERS)
    most = max(_LEAST, int(room * _SHARE))
    best = ranked(pieces, kind)
    granted: dict[int, int] = {}
    for piece in best:
        wanted = _size(piece)
        size = min(wanted, room, most + len(piece.title) + _FRAME)
        if size == wanted or size >= _LEAST + len(piece.title) + _FRAME:
            granted[piece.number] = size
            room -= size
    # What is left over goes to those that were cut, best first.
    for piece in best:
        if piece.number in granted:
            more = min(room, _size(piece) - granted[piece.number])
            granted[piece.number] += more
            room -= more
    kept = [_cut(piece, granted[piece.number]) for piece in pieces if piece.number in granted]
    return tuple(sorted(kept, key=lambda piece: piece.number)), tuple(
        sorted(piece.number for piece in pieces if piece.number not in granted)
    )


def estimate(text: str) -> int:
    """Tokens of a text, by the same estimate."""
    return -int(-len(text) // CHARACTERS)


def _size(piece: diagnoses.Evidence) -> int:
    return len(piece.title) + len(piece.body) + _FRAME


def _cut(piece: diagnoses.Evidence, size: int) -> diagnoses.Evidence:
    room = size - len(piece.title) - _FRAME
    if len(piece.body) <= room:
        return piece
    mark = f"\n… {len(piece.body) - room:,} characters left out here …\n"
    kept = max(0, room - len(mark))
    head = int(kept * _HEAD)
    return replace(piece, body=f"{piece.body[:head]}{mark}{piece.body[len(piece.body) - (kept - head) :]}", cut=True)
