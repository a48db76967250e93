"""What changed before a failure began, and which of it is the likeliest to have brought it.

Pure. `changes_seen` makes the changes, `bot.evidence` tells them, `bot.causes.blaming` names the likeliest. The
decision: docs/decisions/0020-what-changed-before.md.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from k8s import model, phrases

WINDOW = timedelta(hours=24)
"""How long before the first symptom a change may lie: once round the clock, so that the nightly job, the daily peak and
the restart that first took up a changed ConfigMap are in it. What ran longer with a change was not hurt by it alone."""
SKEW = timedelta(seconds=2)
"""The API server's clock and a node's differ, and both write whole seconds."""
TOLD = 5
"""Changes that are listed at most."""

Kind = Literal["creation", "rollout", "restart", "config", "secret", "replicas", "autoscaler", "node"]
"""In the order in which changes of the same second are told."""
Aspect = Literal[
    "image", "configuration", "credentials", "resources", "probe", "placement", "replicas", "room", "node", "autoscaler"
]


@dataclass(frozen=True, slots=True)
class Change:
    """One change to an object of the cluster."""

    kind: Kind
    ref: model.ResourceRef
    at: datetime
    what: str
    """Subject and predicate of one plain sentence, without its time, author and full stop."""
    detail: str = ""
    """What of it, as far as that is known: names and what `templates.diff` says, never a value from an environment, a
    ConfigMap or a Secret."""
    by: str = ""
    """The tool or controller that made it, as it called itself; empty where that is not recorded."""
    aspects: frozenset[Aspect] = frozenset()
    containers: frozenset[str] = frozenset()
    """Those that it concerns; empty for all, or where it is not known."""
    direct: bool = True
    """It touches the workload itself, not only what is around it (its node, its autoscaler)."""
    before: timedelta = timedelta(0)
    """How long before the first symptom it was made. Set by `likeliest`."""
    reached: timedelta = timedelta(0)
    """How long before the first symptom the failing pod could have it first: a ConfigMap is taken up at the next start.
    At most `before`. Set by `likeliest`."""
    fits: bool = False
    """Whether such a change brings such a symptom. Set by `likeliest`."""

    @property
    def sentence(self) -> str:
        """`ConfigMap shop/app was changed 3 min before the first failure, by kubectl-edit: LOG_LEVEL.`"""
        return f"{self.what} {distance(self.before)} before the first failure{self._rest}."

    @property
    def line(self) -> str:
        """For a list of them: when, what, who, and what of it."""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC, {distance(self.before)} before: {self.what}{self._rest}"

    @property
    def _rest(self) -> str:
        return (f", by {self.by}" if self.by else "") + (f": {self.detail}" if self.detail else "")


def distance(span: timedelta) -> str:
    """`3 min`; `just`, where it is no more than two clocks may differ."""
    return "just" if span <= SKEW else phrases.duration(span)


# --- what fits --------------------------------------------------------------------------------------------------------

_RUNS: frozenset[Aspect] = frozenset({"image", "configuration", "credentials"})
POD: frozenset[Aspect] = _RUNS | {"resources", "probe", "placement"}
"""All that a pod template can change."""
_FITS: Mapping[str, frozenset[Aspect]] = {
    "CrashLoopBackOff": _RUNS | {"resources"},
    "InitFailing": _RUNS | {"resources"},
    "JobFailed": _RUNS | {"resources"},
    "LogErrors": _RUNS,
    "RestartGrowth": _RUNS | {"resources", "probe"},
    "OOMKilled": frozenset({"resources", "image", "configuration"}),
    "MemoryGrowth": frozenset({"resources", "image", "configuration"}),
    "ImagePull": frozenset({"image", "credentials", "node"}),
    "ConfigError": frozenset({"configuration", "credentials"}),
    "StuckCreating": frozenset({"configuration", "credentials", "placement", "node"}),
    "Unschedulable": frozenset({"resources", "placement", "replicas", "room", "autoscaler"}),
    "NotReady": _RUNS | {"probe", "resources", "node"},
    "LivenessRestarts": _RUNS | {"probe", "resources"},
    "RolloutStuck": POD,
    "ReplicasMissing": POD | {"replicas", "autoscaler"},
    "StatefulSetStuck": POD | {"room", "node"},
    "DaemonSetIncomplete": POD | {"room", "node"},
    "QuotaExhausted": frozenset({"resources", "replicas", "autoscaler"}),
    "HPABroken": frozenset({"autoscaler", "resources"}),
    "Evicted": frozenset({"resources", "node", "room"}),
    "StuckTerminating": frozenset({"node", "room"}),
    "NodeNotReady": frozenset({"node"}),
    "NodePressure": frozenset({"node"}),
    "PDBBlocking": frozenset({"replicas", "autoscaler", "room"}),
    "ServiceNoEndpoints": POD | {"replicas"},
}
"""Failure kind → what brings it. A kind that is not named is fitted by nothing: then nothing is blamed."""

_LINES: tuple[tuple[Aspect, re.Pattern[str]], ...] = (
    ("image", re.compile(r"(?:image: |imagePullPolicy |container \S+ (?:added|changed|removed)$)")),
    ("configuration", re.compile(r"(?:env |command |arguments |mount |volume |service account: |workingDir )")),
    ("credentials", re.compile(r"(?:imagePullSecrets |service account: )|.*\bSecret ")),
    ("resources", re.compile(r"\S+ (?:request|limit) \S+ → ")),
    ("probe", re.compile(r"(?:liveness|readiness|startup) probe |port \S+ (?:added|changed|removed)$")),
    (
        "placement",
        re.compile(r"(?:nodeSelector|affinity|tolerations|topologySpreadConstraints|nodeName|volume|label) "),
    ),
)
"""What the lines of `templates.diff` speak of, without the container that they may name first."""
_CONTAINER = re.compile(r"(?:init )?[a-z0-9-]+: (?!\S+ → )")


def aspects(lines: Iterable[str]) -> frozenset[Aspect]:
    """What the changes of a pod template are about; nothing where they are annotations alone."""
    found: set[Aspect] = set()
    for line in lines:
        for told_ in {line, _CONTAINER.sub("", line, count=1), line.removeprefix("init ")}:
            found.update(aspect for aspect, pattern in _LINES if pattern.match(told_))
    return frozenset(found)


# --- the ranking ------------------------------------------------------------------------------------------------------


def likeliest(
    changes: Iterable[Change],
    problem: model.Problem,
    *,
    started: datetime | None = None,
    window: timedelta = WINDOW,
) -> tuple[Change, ...]:
    """The changes before the problem began, the likeliest first, with their distances set.

    What fits the symptom comes before what does not, what touches the workload itself before what is around it, and
    then the nearest. `started` is when the failing pod was made. Changes after the begin are no causes and are left
    out, as are those before the window. The order of `changes` does not matter.
    """
    fitting = _FITS.get(problem.primary.kind, frozenset())
    began, container = problem.since, problem.primary.container
    found: set[Change] = set()
    for change in changes:
        before = began - change.at
        if not -SKEW <= before <= window:
            continue
        reached = before
        if change.kind in ("config", "secret") and started is not None and change.at <= started <= began:
            reached = began - started
        concerned = not change.containers or not container or container in change.containers
        fits = concerned and bool(change.aspects & fitting)
        found.add(replace(change, before=max(before, timedelta(0)), reached=max(reached, timedelta(0)), fits=fits))
    return tuple(sorted(found, key=_rank))


def _rank(change: Change) -> tuple[object, ...]:
    order = get_args(Kind).index(change.kind)
    same = (change.ref, change.what, change.detail, change.by, change.at, change.reached)
    # None of the last says anything: they make the order the same every time.
    return (
        not change.fits,
        not change.direct,
        change.before,
        order,
        *same,
        *map(sorted, (change.aspects, change.containers)),
    )


def told(changes: Sequence[Change], limit: int = TOLD) -> str:
    """One line each, the likeliest first, for people."""
    lines = [change.line for change in changes[:limit]]
    if len(changes) > limit:
        lines.append(f"… and {phrases.counted(len(changes) - limit, 'less likely change')}")
    return "\n".join(lines)
