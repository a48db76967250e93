"""No model: what is wired where none is configured. The rules' diagnosis stands, and the card says by whom it is."""

from bot.domain import diagnoses
from k8s import model


class NoAdvisor:
    """Implements `ports.Advisor`."""

    async def advise(
        self, _problem: model.Problem, _dossier: diagnoses.Dossier, _rules: diagnoses.Diagnosis
    ) -> diagnoses.Diagnosis | None:
        return None
