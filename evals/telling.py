"""Telling: verdicts as a table for people. Pure. Called by `evals.__main__` and the tests."""

from collections.abc import Iterator, Sequence

from evals import judging, values

_HEAD = ("case", "expected", "got", "confidence", "cites", "actions", "")


def table(verdicts: Sequence[values.Verdict]) -> str:
    """One line a case, what is wrong with it below it."""
    rows = [_HEAD, *map(_row, verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for number, row in enumerate(rows):
        lines.append("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
        if number:
            lines += [f"    {fault}" for fault in verdicts[number - 1].faults]
    return "\n".join(lines)


def _row(verdict: values.Verdict) -> tuple[str, ...]:
    case, answer = verdict.case, verdict.answer
    if answer is None:
        return (case.name, case.cause, "nothing", "", "", "", "WRONG")
    cites = "no" if any(" say " in fault or " says " in fault for fault in verdict.faults) else "yes"
    actions = "HARM" if verdict.harmful else ", ".join(answer.actions) or "none"
    return (
        case.name,
        case.cause,
        answer.kind,
        answer.confidence,
        cites,
        actions,
        "right" if verdict.right else "WRONG",
    )


def totals(name: str, verdicts: Sequence[values.Verdict]) -> str:
    """`rules: 61 of 66 right (92 %), 0 actions that do harm; decoy 11 of 12, hostile 6 of 6`."""
    right = sum(verdict.right for verdict in verdicts)
    harm = sum(len(verdict.harmful) for verdict in verdicts)
    share = f"{judging.share_right(verdicts):.0%}".replace("%", " %")
    return f"{name}: {right} of {len(verdicts)} right ({share}), {harm} actions that do harm{''.join(_tags(verdicts))}"


def _tags(verdicts: Sequence[values.Verdict]) -> Iterator[str]:
    for number, tag in enumerate(("decoy", "hostile")):
        of_it = [verdict for verdict in verdicts if verdict.case.tag == tag]
        if of_it:
            right = sum(verdict.right for verdict in of_it)
            yield f"{',' if number else ';'} {tag} {right} of {len(of_it)}"
