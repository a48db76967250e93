"""How large the first prompt of a case is, by estimate: as `bot.llm.advisor` would send it, with all tools there are.

Nothing is asked and nothing is counted by a provider: tokens are characters by `ranking.CHARACTERS` (docs/model.md says
why that errs on the safe side). Pure. Called by `evals.__main__`.
"""

import statistics
from collections.abc import Sequence
from datetime import datetime

from bot.domain import choices, consultations, diagnoses, picks
from bot.evidence import ranking
from bot.llm import answers, messages, prompts, tools
from evals import values

MEDIAN = 6_000
"""Tokens that the median prompt stays under."""
_NONCE = "0" * 16


def first_prompt(examined: values.Examined, rules: diagnoses.Diagnosis, now: datetime) -> int:
    """Tokens of the whole first request: instructions, tools, the shape of the answer, and the data of this case."""
    problem, dossier = examined.problem, examined.dossier
    if problem is None:
        raise ValueError(f"nothing was found in {examined.case.name}")
    brief = consultations.Brief(1, 1, "eval", problem, dossier, rules, "en")
    offers: tuple[prompts.Offer, ...] = ()
    if dossier.target is not None and dossier.target.object is not None:
        sight = picks.Sight(dossier.target, problem.kinds, now, "eval")
        offers = tuple(prompts.Offer(one, choices.fields_of(one.name, sight)) for one in choices.options(sight))
    opening = prompts.opening(brief, _NONCE, ranking.fit, offers)
    request = messages.Request(
        "model",
        prompts.system("diagnosis"),
        tools.schemas(("prometheus", "loki")),
        answers.schema("diagnosis"),
        ({"role": "user", "content": [{"type": "text", "text": opening}]},),
    )
    return ranking.estimate(request.text)


def median(sizes: Sequence[int]) -> float:
    return statistics.median(sizes) if sizes else 0.0


def told(sizes: Sequence[int]) -> str:
    """`first prompt: median 4,870 tokens, 95 of 100 at most 5,560 (estimated)`."""
    if not sizes:
        return "first prompt: none"
    ordered = sorted(sizes)
    most = ordered[-(-len(ordered) * 95 // 100) - 1]
    return f"first prompt: median {median(sizes):,.0f} tokens, 95 of 100 at most {most:,} (estimated)"
