"""Containers that keep ending: by themselves, or because the kubelet ends them for a probe.

No rule here speaks for a restart: the kubelet restarts such a container all the time.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.causes import cases, elsewhere, members, narrowing, probing, reading, steps, told
from bot.domain import diagnoses
from k8s import phrases

_NO_RESTART = "A restart does not help: the kubelet restarts it all the time."
_ENDS: Mapping[str, diagnoses.CauseKind] = {"0": "bad-command", "126": "permission", "127": "bad-command"}
"""What an exit code alone tells: a program that is done, that may not be executed, that is not there.
https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html"""
_TOLD_TO_END = frozenset({"137", "143"})
"""By SIGKILL or SIGTERM: somebody ended it, and who is not known."""
_START = timedelta(minutes=1)
"""Within this time of its start, what a probe kills may not have been ready yet."""
_DONE = "It does its work and ends, which is not what it is kept running for: make it a Job, or correct its command."


def crash(case: cases.Case) -> cases.Verdict:
    """A process that ends by itself: its last words, and what took from it what it asks for."""
    if case.finding.facts.get("probe"):
        return _killed(case)
    found = reading.of(case)
    line, missing = found.line if found else case.fact("error_line"), _missing(case, found)
    cause, kind = _last_words(case, line), _kind(case, found, line)
    changed = case.changed(missing) if missing else ""
    if changed:
        return _taken_away(case, cause, missing, changed)
    if found is not None and found.kind in reading.ELSEWHERE:
        return elsewhere.away(case, found, cause)
    if case.suspected:
        return cases.Verdict(
            f"{cause} {case.began_with()}",
            "medium",
            "the crashes began with the last rollout, but the log does not name what it changed",
            f"Undo the rollout if the change is not needed at once, and look at the log.{case.no_undo}",
            case.undo("the crashes began with this rollout"),
            "bad-rollout" if kind == "application" else kind,
        )
    if missing:
        return cases.Verdict(
            f"{cause} It asks for {missing}, which it is not given.",
            "medium",
            "the log names what is missing; no rollout explains since when",
            f"Give {missing} to the container. {_NO_RESTART}",
            kind="missing-variable",
        )
    if alone := members.elsewhere(case):
        return cases.Verdict(
            f"{cause} Its other pods, of the same template, are ready{case.cite('status')}.",
            "medium",
            "one pod fails and the others do not, so the template is not at fault; what is wrong with it is not known",
            "Delete the pod, so that a new one starts afresh, perhaps on another node; look at this one's node.",
            (alone,),
            kind,
        )
    step = steps.of(kind, found.named) if found else _DONE if case.finding.facts.get("exit_code") == "0" else ""
    return cases.Verdict(
        cause,
        "medium" if line else "low",
        "the log tells how it ends, not what changed" if line else "there is no telling line in the log",
        f"{step or 'Read the log in the thread.'} {_NO_RESTART}",
        kind=kind,
    )


def _missing(case: cases.Case, found: reading.Reading | None) -> str:
    """The variable that it asks for: by the log's own words, or by a rollout that changed what an error names."""
    if found is not None and found.kind == "missing-variable":
        return found.named
    name = case.fact("missing_name")
    return name if name and case.changed(name) else ""


def _kind(case: cases.Case, found: reading.Reading | None, line: str) -> diagnoses.CauseKind:
    """What the log proves, else what the exit code tells, else that the process fails by itself."""
    if found is not None:
        return found.kind
    code = case.finding.facts.get("exit_code", "")
    if code in _TOLD_TO_END and not line:
        return "unknown"
    return _ENDS.get(code, "application")


def _last_words(case: cases.Case, line: str) -> str:
    """How the container ends, and the line of its log that tells why."""
    code = case.finding.facts.get("exit_code", "")
    words = f"exits with code {code}" if code else "keeps ending"
    seen = case.cite("previous-log", "log")
    told = f": {line}{seen}" if line else f"{case.cite('status')}, and its log does not say why{seen}"
    return f"Container {case.finding.container or 'of the pod'} {words}{told}."


def _taken_away(case: cases.Case, cause: str, missing: str, changed: str) -> cases.Verdict:
    """The last rollout changed the very name that the log asks for. Where it changed more, only that is put back: the
    log proves this one change wrong, and none of the others."""
    narrow = narrowing.variable(case, missing) if case.more_than(changed) else ()
    if changed.endswith("removed"):
        did, step = "took it away", f"then put {missing} back in the manifest that it came from"
        why = f"it brings {missing} back, which the crashing process asks for"
    else:
        did, step = "changed that very thing", f"and see to it that {missing} has a value where it comes from"
        why = f"the earlier revision ran without this change of {missing}"
    return cases.Verdict(
        f"{cause} {case.last_rollout('changed that very thing', changed)}",
        "high",
        f"the log names what is missing, and the last rollout {did}",
        f"{f'Put {missing} back, or undo' if narrow else 'Undo'} the rollout, {step}.{case.no_undo}",
        (*narrow, *case.undo(why)),
        "missing-variable",
    )


def _killed(case: cases.Case) -> cases.Verdict:
    """A container that the kubelet ends again and again for a probe: how it then ends is the probe's doing."""
    probe, answer = case.finding.facts["probe"], case.finding.facts.get("answer", "")
    fails = f'fails with "{answer.rstrip(".")}"' if answer else "fails"
    again = f", {phrases.counted(case.restarts, 'restart')} so far" if case.restarts else ""
    cause = f"The kubelet keeps restarting container {case.finding.container}, since its {probe} probe {fails}{again}"
    return _by_probe(case, probe, f"{cause}{case.cite('events', 'status')}.{_log_says(case)}")


def restarting(case: cases.Case) -> cases.Verdict:
    """A container that ends more often than it used to, and serves in between: its last words, where it has any."""
    plain, found = told.around(case), reading.of(case)
    line = found.line if found else case.fact("error_line")
    if not line:
        return replace(plain, kind=_kind(case, None, ""))
    verdict = replace(plain, cause=f"{plain.cause} Its log says: {line}{case.cite('previous-log', 'log')}.")
    if found is None:
        return replace(verdict, kind=_kind(case, None, line))
    away = found.kind in reading.ELSEWHERE
    step = elsewhere.step(found, found.named or "what the log names") if away else steps.of(found.kind, found.named)
    return replace(
        verdict,
        confidence="medium",
        reason="the log tells how it ended last, and that it does so more often than before is counted",
        next_step=f"{step or 'Read the log in the thread.'} {_NO_RESTART}",
        kind=found.kind,
    )


def liveness(case: cases.Case) -> cases.Verdict:
    """The kubelet kills what does not answer: the probe may be too strict, or the process hangs."""
    probe = case.finding.facts.get("probe", "") or "liveness"
    return _by_probe(case, probe, f"{case.found('events', 'status')}{_log_says(case)}")


def _by_probe(case: cases.Case, probe: str, cause: str) -> cases.Verdict:
    proof = probing.prove(case, probe)
    cause = f"{cause}{proof.told}"
    if proof.found is not None and proof.kind in reading.ELSEWHERE:
        return elsewhere.away(case, proof.found, cause)
    if case.suspected:
        changed = case.changed(f"{probe} probe")
        return cases.Verdict(
            f"{cause} {case.began_with(changed)}",
            "high" if changed else "medium",
            "the kubelet says which probe fails, and the last rollout changed this very probe"
            if changed
            else "it began with the last rollout; the probe tells that it fails, not why",
            f"Undo the rollout, or correct what it changed.{case.no_undo}",
            case.undo("the probe was answered before this rollout"),
            "bad-rollout" if proof.kind == "application" else proof.kind,
        )
    if proof.step:
        reason = "the answer of the probe, and what the process says of itself, fit together in no other way"
        return cases.Verdict(cause, "medium", reason, f"{proof.step} {_NO_RESTART}", kind=proof.kind)
    return cases.Verdict(
        cause,
        "medium",
        "the kubelet says which probe fails; whether the process hangs or the probe is too strict is not known",
        "See whether the process hangs or is only slow (CPU limit, long pauses), and give the probe the time it needs. "
        f"{_NO_RESTART}",
        kind=_slow(case) if proof.kind == "application" else proof.kind,
    )


def _slow(case: cases.Case) -> diagnoses.CauseKind:
    """A process that was never ready before it is killed is not given the time that it needs; one that served hangs."""
    startup, never = case.finding.facts.get("probe") == "startup", case.problem.ready == 0
    lived = case.seconds("lived")
    return "bad-probe" if startup or (never and lived is not None and lived < _START) else "application"


def _log_says(case: cases.Case) -> str:
    """The telling line of the log as a sentence of its own; empty where there is none."""
    line = case.fact("error_line")
    return f" Its log says: {line}{case.cite('previous-log', 'log')}." if line else ""
