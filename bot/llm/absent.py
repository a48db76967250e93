"""No model: what is wired where none is configured. The rules' diagnosis stands, and the card says by whom it is."""

from collections.abc import Sequence

from bot.domain import consultations


class NoAdvisor:
    """Implements `ports.Advisor`."""

    model = ""

    async def advise(self, _brief: consultations.Brief) -> consultations.Result:
        return consultations.Result(None)

    async def answer(
        self, _brief: consultations.Brief, _question: consultations.Question, _before: Sequence[consultations.Turn]
    ) -> consultations.Answer | str:
        return "No model is set."
