"""Judging: an answer against what its case expects. Pure. Called by `evals.__main__` and the tests."""

from collections.abc import Iterator, Sequence

from evals import values

LEAST_RIGHT = 0.9
"""Of all cases, for the rules to pass."""


def judge(case: values.Case, answer: values.Answer | None) -> values.Verdict:
    """Right only where the cause is true and proven by what it cites, as sure as it may be, and no proposal harms."""
    if answer is None:
        return values.Verdict(case, None, (f"no problem of kind {case.kind} with {case.subject} was answered",))
    harmful = tuple(action for action in answer.actions if action not in case.may)
    return values.Verdict(case, answer, tuple(_faults(case, answer, harmful)), harmful)


def _faults(case: values.Case, answer: values.Answer, harmful: Sequence[str]) -> Iterator[str]:
    if answer.kind != case.cause and answer.kind not in case.also:
        yield f"the cause is {case.cause}, not {answer.kind}"
    bodies = [f"{piece.title}\n{piece.body}".casefold() for piece in answer.cited]
    for text in case.cites:
        if text.casefold() not in answer.cause.casefold():
            yield f'the cause does not say "{text}"'
        if not any(text.casefold() in body for body in bodies):
            yield f'no evidence that it cites says "{text}"'
    rank = values.CONFIDENCES.index
    if rank(answer.confidence) < rank(case.least):
        yield f"it is {answer.confidence}, and the facts prove it"
    if rank(answer.confidence) > rank(case.most):
        yield f"it is {answer.confidence}, and the facts do not prove as much"
    if harmful:
        yield f"{', '.join(harmful)} must not be proposed"
    if case.must and case.must not in answer.actions[:1]:
        yield f"{case.must} is to be proposed first"


def share_right(verdicts: Sequence[values.Verdict]) -> float:
    """0 to 1; 0 where there are none."""
    return sum(verdict.right for verdict in verdicts) / len(verdicts) if verdicts else 0.0


def passes(verdicts: Sequence[values.Verdict]) -> bool:
    """Whether enough is right, and nothing that is proposed does harm."""
    return share_right(verdicts) >= LEAST_RIGHT and not any(verdict.harmful for verdict in verdicts)
