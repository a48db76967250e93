"""Images that cannot be pulled: what the registry answered, and whether the last rollout brought the image.

A registry that is away is not mended by an undo, unless the earlier image came from another one.
"""

import re
from collections.abc import Mapping

from bot.causes import cases, narrowing
from bot.domain import diagnoses
from k8s import phrases

_CHANGE = re.compile(r"image: (?P<was>\S+) → (?P<now>\S+)")
"""A line of `k8s.templates` on what a rollout changed."""
_KINDS: Mapping[str, diagnoses.CauseKind] = {
    "not-found": "bad-image",
    "bad-name": "bad-image",
    "never-pull": "bad-image",
    "unauthorised": "pull-secret",
    "unreachable": "registry",
    "rate-limited": "registry",
}
_ELSEWHERE = frozenset({"unreachable", "rate-limited"})
"""The registry's trouble, not the image's."""
_CAUSES: Mapping[str, tuple[str, str]] = {
    "not-found": ("the registry has no such image", "Push the image, or correct its name or tag."),
    "unauthorised": (
        "the registry refuses access to it",
        "Check the pull secret of the pod's service account and whether its credentials still hold.",
    ),
    "unreachable": (
        "the registry cannot be reached",
        "Check the registry and the way to it from the nodes (DNS, proxy, firewall).",
    ),
    "rate-limited": ("the registry limits the rate of pulls", "Authenticate the pulls, or use a mirror."),
    "bad-name": ("its name is not a valid image name", "Correct the image name."),
    "never-pull": (
        "it is not on the node, and the pull policy forbids pulling it",
        "Load the image on the node, or change imagePullPolicy.",
    ),
}
"""By the class of the finding: why it cannot be pulled, and what a person should do."""


def pull(case: cases.Case) -> cases.Verdict:
    """An image that the kubelet cannot pull."""
    image = case.finding.facts.get("image", "")
    kind = case.finding.facts.get("class", "")
    why, step = _CAUSES.get(kind, ("the pull fails", "Read the registry's answer in the events."))
    cause = f"Image {image or 'its image'} cannot be pulled: {why}{case.cite('events', 'status')}."
    changed = next((line for line in case.changes if _brings(line, image)), "")
    sort = _KINDS.get(kind, "unknown")
    if changed and kind in _ELSEWHERE and _moved(changed):
        return cases.Verdict(
            f"{cause} {case.last_rollout('moved it to this registry', changed)}",
            "high",
            "the node's answer is clear, and the earlier image comes from another registry",
            f"Undo the rollout, or mend the way to the registry. {step}{case.no_undo}",
            case.undo("it puts the image back that comes from another registry"),
            sort,
        )
    if changed and kind not in _ELSEWHERE:
        return cases.Verdict(
            f"{cause} {case.last_rollout('brought it', changed)}",
            "high",
            "the registry's answer is clear, and the last rollout changed this image",
            f"Undo the rollout. {step}{case.no_undo}",
            _back(case, changed),
            sort,
        )
    return cases.Verdict(
        cause,
        "high" if kind in _CAUSES else "low",
        "the registry's answer is clear" if kind in _CAUSES else "the registry's answer is not a known one",
        step,
        kind=sort,
    )


def _brings(line: str, image: str) -> bool:
    """Whether a change leads to this image. One that leads away from it is not what asks for it: then a pod of the
    revision before is made anew, and an undo would make more of these."""
    found = _CHANGE.search(line)
    return (image or "image") in (line if found is None or not image else found["now"])


def _back(case: cases.Case, changed: str) -> tuple[diagnoses.Candidate, ...]:
    """An undo is what ran before, as a whole. Where more was rolled out, the image alone comes before it only if the
    rest of its container is as it was: an old image beside new settings never ran."""
    undo = case.undo("it puts the image back that was pulled before")
    if not case.more_than(changed):
        return undo
    narrow = narrowing.image(case)
    return (*narrow, *undo) if narrowing.only_image(case) else (*undo, *narrow)


def _moved(change: str) -> bool:
    """Whether a line on a changed image names another registry than the one before."""
    found = _CHANGE.search(change)
    if found is None or found["was"] == "none":
        return False
    return phrases.registry(found["was"]) != phrases.registry(found["now"])
