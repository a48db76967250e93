"""What every benchmark returns: one measured figure beside its limit. `benchmarks.__main__` prints them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `limit` is the largest good value, or the smallest; None where a figure only informs."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    """Whether more is better."""

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence below the table: what was not measured here, and why."""

    text: str
