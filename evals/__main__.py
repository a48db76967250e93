"""`make eval` (= `python -m evals`): judges the rules by every case, and with `--model` a model beside them.

Exits with 1 where fewer than nine of ten are right, an action is proposed that does harm, or the median prompt is too
large, and with 2 where a model is asked for and none is set, or a case is named that is not there.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bot import errors, settings
from bot.flow import diagnosing
from evals import cases, judging, running, sizing, telling, values


def main(arguments: Sequence[str], known: Sequence[values.Case] = cases.ALL) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Judges diagnoses by cases with known causes.")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name holds this; may be repeated")
    parser.add_argument("--model", action="store_true", help="ask the model of the settings as well; this costs money")
    chosen = parser.parse_args(arguments)
    picked = [case for case in known if not chosen.case or any(text in case.name for text in chosen.case)]
    if not picked:
        names = ", ".join(case.name for case in known)
        print(f"there is no case {', '.join(chosen.case)}; there are: {names}", file=sys.stderr)
        return 2
    return asyncio.run(_with_model(picked) if chosen.model else _rules(picked))


async def _rules(picked: Sequence[values.Case]) -> int:
    verdicts: list[values.Verdict] = []
    sizes: list[int] = []
    for case in picked:
        _progress(len(verdicts), len(picked))
        examined = await running.examined(case)
        verdicts.append(judging.judge(case, running.by_rules(examined)))
        if examined.problem is not None:
            now = running.now()
            said = diagnosing.diagnose(examined.problem, examined.dossier, now)
            sizes.append(sizing.first_prompt(examined, said, now))
    _progress(0, 0)
    code = _told("rules", verdicts)
    print(sizing.told(sizes))
    return code if sizing.median(sizes) < sizing.MEDIAN else 1


def _told(name: str, verdicts: Sequence[values.Verdict]) -> int:
    print(telling.table(verdicts))
    print(telling.totals(name, verdicts))
    return 0 if judging.passes(verdicts) else 1


async def _with_model(picked: Sequence[values.Case]) -> int:
    try:
        found = settings.load()
    except errors.ConfigurationError as error:
        print(f"the settings cannot be read: {error}", file=sys.stderr)
        return 2
    if found.anthropic_api_key is None:
        print("no model is set: give WATCHKEEPER_ANTHROPIC_API_KEY", file=sys.stderr)
        return 2
    from evals import asking  # the library of the API weighs more than all cases

    asked = await asking.ask(picked, found, lambda done: _progress(done, len(picked)))
    _progress(0, 0)
    code = _told("rules", asked.rules)
    print()
    print(telling.table(asked.model))
    print(telling.totals(found.model, asked.model))
    print(asked.bill)
    return code


def _progress(done: int, of: int) -> None:
    """On a terminal only, in one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r{done} of {of} cases" if of else "\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
