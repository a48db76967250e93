"""What a pod refers to and does not get: before its first container (volumes), or at the start of one (environment).

Either way the kubelet names what is missing, and tries again by itself; the question is whether the last rollout was
the first to ask for it.
"""

from collections.abc import Mapping

from bot.causes import cases, told
from bot.domain import diagnoses

_FIRST = "refers to it first"
_ASKED = "what is missing is named by the kubelet, and the last rollout began to ask for it"
_WITHOUT = "the earlier revision does not ask for it"
_KINDS: Mapping[str, diagnoses.CauseKind] = {
    "missing": "missing-object",
    "command-not-found": "bad-command",
    "not-executable": "bad-command",
    "run-as-non-root": "permission",
    "name-taken": "node",
}
"""By the class of the finding; a hook, or a configuration that cannot be put together, is the pod's own."""


def container(case: cases.Case) -> cases.Verdict:
    """A container that cannot be made for what its environment asks for."""
    missing = case.finding.facts.get("missing", "")
    said = case.finding.facts.get("said", "") or case.finding.message
    why = f"{missing} does not exist" if missing else said
    cause = f"Container {case.finding.container} cannot start: {why}{case.cite('events', 'status')}."
    names = [part for part in missing.replace('"', " ").replace("'", " ").split() if len(part) > 3]
    changed = case.changed(*(name for name in names if name not in {"ConfigMap", "Secret", "key"}))
    kind = _kind(case, missing)
    if changed or (case.suspected and not missing):
        return cases.Verdict(
            f"{cause} {case.last_rollout(_FIRST, changed or case.some_changes)}",
            "high" if changed else "medium",
            _ASKED if changed else "it began with the last rollout",
            f"{f'Create {missing}' if missing else 'Correct the pod template'}, or undo the rollout.{case.no_undo}",
            case.undo(_WITHOUT),
            kind,
        )
    if missing:
        step = f"Create {missing}; the kubelet tries again by itself."
        return cases.Verdict(cause, "high", "the kubelet names what is missing", step, kind=kind)
    return cases.Verdict(
        cause,
        "medium",
        "the kubelet tells that it fails, not what to mend",
        "Read the kubelet's words in the events, and correct the pod template.",
        kind=kind,
    )


def _kind(case: cases.Case, missing: str) -> diagnoses.CauseKind:
    if missing:
        return "missing-object"
    if "permission denied" in case.finding.facts.get("said", "").lower():
        return "permission"
    return _KINDS.get(case.finding.facts.get("class", ""), "bad-configuration")


def pod(case: cases.Case) -> cases.Verdict:
    """What a pod waits for before its first container."""
    plain = told.around(case)
    changed = case.changed(case.finding.facts.get("missing_name", ""), case.finding.facts.get("missing_key", ""))
    if not changed:
        return plain
    return cases.Verdict(
        f"{plain.cause} {case.last_rollout(_FIRST, changed)}",
        "high",
        _ASKED,
        f"{plain.next_step} Or undo the rollout.{case.no_undo}",
        case.undo(_WITHOUT),
        plain.kind,
    )
