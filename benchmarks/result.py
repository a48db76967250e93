"""What every benchmark returns: one measured figure beside its limit. `benchmarks.__main__` prints them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `limit` is the largest good value; None where a figure only informs."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def ok(self) -> bool:
        return self.limit is None or self.value <= self.limit
