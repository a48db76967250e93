"""Owners: who is above the failing pod, what they say of themselves, and which tool keeps them as they are. Pure.

Called by `collecting`. What a tool keeps from a repository is put back by it: a person should know before they change
it by hand.
"""

from collections.abc import Iterator, Sequence

from bot.evidence import gathering
from k8s import fields, model, phrases

_GOOD = {"Available": "True", "Progressing": "True", "ReplicaFailure": "False", "Complete": "True"}
"""What a condition of a workload reads where all is well; others are told as they are where they are not `False`."""
_KEEPERS = (
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux, Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "Flux, HelmRelease"),
    ("meta.helm.sh/release-name", "Helm, release"),
)
"""Labels or annotations that name who keeps an object, those that put it back by themselves first."""
_ARGO_LABEL = "argocd.argoproj.io/instance"


def tell(chain: Sequence[model.Json]) -> gathering.Piece | None:
    """`chain`: from the failing object up to the last owner that is known, whole where they could be read. None where
    it tells nothing that is not plain."""
    lines = [line for one in chain for line in _of(one)]
    top = chain[-1] if chain else {}
    above = fields.controller(top)
    if above is not None:
        lines.append(f"{_named(top)} belongs to {above.kind} {above.name}, which decides what it looks like")
    if not lines:
        return None
    names = " → ".join(_named(one) for one in chain)
    return gathering.Piece("owner", f"Owners: {names}", "\n".join(lines))


def _of(one: model.Json) -> Iterator[str]:
    for condition in fields.items(one, "status", "conditions"):
        kind, status = fields.text(condition, "type"), fields.text(condition, "status")
        if one.get("kind") != "Pod" and status != _GOOD.get(kind, "False"):
            since = fields.text(condition, "lastTransitionTime") or "an unknown time"
            message = phrases.clip(fields.text(condition, "message"), 300)
            reason = fields.text(condition, "reason")
            yield f"{_named(one)}: {kind}={status} since {since}, {reason}: {message}"
    observed = fields.number(one, "status", "observedGeneration")
    if observed is not None and observed < fields.count(one, "metadata", "generation"):
        yield f"{_named(one)}: its controller has not seen its last change yet"
    if fields.value(one, "spec", "paused") is True:
        yield f"{_named(one)}: its rollout is paused"
    if kept := keeper(one):
        yield f"{_named(one)} is kept by {kept}: what is changed by hand may be put back"


def keeper(one: model.Json) -> str:
    """The tool that keeps an object, with the name that it goes by there; empty where none is known."""
    marks = {**fields.annotations(one), **fields.labels(one)}
    for key, tool in _KEEPERS:
        if marks.get(key):
            return f"{tool} {phrases.clip(marks[key].partition(':')[0], 80)}"
    if _ARGO_LABEL in marks:
        return f"Argo CD {phrases.clip(marks[_ARGO_LABEL], 80)}"
    return ""


def _named(one: model.Json) -> str:
    return f"{one.get('kind', 'object')} {fields.text(one, 'metadata', 'name')}"
