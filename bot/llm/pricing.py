"""What a request may cost at most, and what it did cost. Pure."""

from collections.abc import Mapping, Sequence

from bot.domain import consultations

CHARACTERS = 3
"""Of a token, at least: English has more than four, JSON, logs and Korean fewer. For what is set aside."""


class Prices:
    """By the name of the model. One that is not in the table counts as the dearest of each."""

    def __init__(self, table: Mapping[str, Sequence[float]]) -> None:
        self._table = {name: consultations.Price(*amounts) for name, amounts in table.items()}

    def of(self, model: str) -> consultations.Price:
        known = self._table.get(model)
        if known is not None:
            return known
        all_of = tuple(self._table.values()) or (consultations.Price(10, 50, 12.5, 1),)
        return consultations.Price(
            max(each.input for each in all_of),
            max(each.output for each in all_of),
            max(each.written for each in all_of),
            max(each.read for each in all_of),
        )

    def most(self, model: str, request: str, max_tokens: int) -> int:
        """Micro-dollars that it may cost at most: all of it new to the cache, the answer as long as may be."""
        price = self.of(model)
        dearest = consultations.Price(max(price.input, price.written), price.output, price.written, price.read)
        return dearest.of(consultations.Usage(input=len(request) // CHARACTERS + 1, output=max_tokens))
