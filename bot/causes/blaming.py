"""Blaming: what else was changed shortly before, where no rollout is certain to be the cause.

After the rule of a kind, and for all kinds alike: a rule knows the last rollout only, while a ConfigMap, a Secret, the
number of replicas or a node may have changed as well (`k8s.changes_before` ranks them).
"""

from dataclasses import replace
from datetime import timedelta

from bot.causes import cases
from bot.domain import diagnoses
from k8s import changes_before

_ONE_DEPLOYMENT = timedelta(minutes=2)
"""Changes this near to each other most likely came together: a chart or a kustomization changes several objects."""
_OF_TEMPLATE: frozenset[changes_before.Kind] = frozenset({"creation", "rollout", "restart"})
_OPEN: frozenset[diagnoses.CauseKind] = frozenset({"application", "unknown", "bad-rollout"})
"""What a changed ConfigMap or Secret explains better than that."""
_CONFIGURED: frozenset[changes_before.Kind] = frozenset({"config", "secret"})


def with_change(case: cases.Case, verdict: cases.Verdict) -> cases.Verdict:
    """The verdict with the likeliest other change named; as it was where there is none, or a rollout is certain."""
    change, rollout = _blamed(case), case.cite("rollout")
    rolled = bool(rollout) and rollout in verdict.cause
    if change is None or (rolled and verdict.confidence == "high"):
        return verdict
    cause = f"{verdict.cause} The {cases.unlabelled(change.sentence).rstrip('.')}{case.cite('changes')}."
    if change.before - change.reached >= timedelta(minutes=1):
        started = changes_before.distance(change.reached)
        cause += f" The failing pod started {started} before the first failure, and took it up then."
    if change.kind not in _CONFIGURED:
        return replace(verdict, cause=cause)
    told = f"{change.ref.kind} {change.ref.short}"
    if rolled and _rollout_nearer(case, change):
        return replace(verdict, cause=cause, next_step=f"{verdict.next_step} An undo does not put {told} back.")
    # Nothing is proposed: new pods would only take the same change up.
    reason = verdict.reason if verdict.confidence == "high" else f"{told} was changed shortly before; {verdict.reason}"
    confidence: diagnoses.Confidence = "medium" if verdict.confidence == "low" else verdict.confidence
    step = f"Look at what was changed in {told} and mend it where it is kept: pods take it up when they start anew."
    kind = "bad-configuration" if verdict.kind in _OPEN else verdict.kind
    return cases.Verdict(cause, confidence, reason, f"{step} Otherwise: {verdict.next_step}", kind=kind)


def _blamed(case: cases.Case) -> changes_before.Change | None:
    """The likeliest change besides the rollout, which the rules weigh by themselves: one that fits, and that the pods
    had only shortly before the failure."""
    likely = (change for change in case.dossier.changes if change.kind not in _OF_TEMPLATE and change.fits)
    change = next(likely, None)
    return change if change is not None and change.reached <= cases.RECENT and _bears(case, change) else None


def _bears(case: cases.Case, change: changes_before.Change) -> bool:
    """Whether nothing that is known of the failure speaks against it: the kubelet may have named another object, and a
    pull that was not refused has nothing to do with its secret."""
    facts = case.finding.facts
    if change.kind not in _CONFIGURED:
        return True
    if case.finding.kind == "ImagePull":
        return facts.get("class") == "unauthorised"
    kind, name = facts.get("missing_kind", ""), facts.get("missing_name", "")
    return kind in ("", change.ref.kind) and name in ("", change.ref.name)


def _rollout_nearer(case: cases.Case, change: changes_before.Change) -> bool:
    """Whether the rollout came after this change, or together with it."""
    rolled = next((other for other in case.dossier.changes if other.kind == "rollout"), None)
    return rolled is not None and rolled.before <= change.before + _ONE_DEPLOYMENT
