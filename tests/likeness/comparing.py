"""What tells the simulated cluster from the real one, case by case, and what of it is meant. For test_likeness."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.likeness.views import View

NOTHING = "(nothing)"


@dataclass(frozen=True)
class Difference:
    """One path of the views that is not the same on both sides."""

    case: str
    path: str
    real: Any
    shown: Any

    def __str__(self) -> str:
        return f"{self.case}: {self.path}\n    real: {self.real!r}\n    here: {self.shown!r}"


@dataclass(frozen=True)
class Meant:
    """Differences that are there on purpose: in cases and under paths that match, as a whole."""

    cases: str
    paths: str
    why: str

    def covers(self, difference: Difference) -> bool:
        return bool(re.fullmatch(self.cases, difference.case) and re.fullmatch(self.paths, difference.path, re.DOTALL))


def differences(case: str, real: View, shown: View) -> list[Difference]:
    return [
        Difference(case, path, real.get(path, NOTHING), shown.get(path, NOTHING))
        for path in sorted(real.keys() | shown.keys())
        if real.get(path, NOTHING) != shown.get(path, NOTHING)
    ]


def unmeant(found: Iterable[Difference], table: Iterable[Meant]) -> list[Difference]:
    known = tuple(table)
    return [each for each in found if not any(meant.covers(each) for meant in known)]
