"""What one sweep adds to what is known of the workloads. Pure; `bot.remembering` calls it, and stores it."""

from collections.abc import Collection
from dataclasses import dataclass

from k8s import history, indexing, log_rates, memory_curves, model, restart_rates


@dataclass(frozen=True, slots=True)
class Learnt:
    changes: history.History
    """The states to be stored: those that this sweep changed."""
    listening: tuple[log_rates.Listening, ...]
    """The logs that are to be read now."""


def learn(
    snapshot: model.Snapshot, known: history.History, families: Collection[history.Family], *, listen: bool
) -> Learnt:
    """`families`: what is to be learnt of; `listen`: whether logs may be read."""
    index = indexing.Index(snapshot)
    changes = history.History(
        restarts=restart_rates.observed(snapshot, index, known.restarts) if "restarts" in families else {},
        memory=memory_curves.observed(snapshot, index, known.memory) if "memory" in families else {},
    )
    due = log_rates.due(snapshot, index, known.logs) if listen and "logs" in families else []
    return Learnt(changes, tuple(due))
