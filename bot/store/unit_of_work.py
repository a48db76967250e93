"""One transaction with all repositories on it: state and its audit events commit together. Made by `engine`."""

from bot.domain import ports
from bot.store import (
    autonomy,
    baselines,
    cards,
    consultations,
    diagnoses,
    executions,
    findings,
    incidents,
    leases,
    proposals,
    querying,
    questions,
    reports,
    runbooks,
    sweeps,
    trail,
    verifications,
    views,
    watches,
)


class UnitOfWork:
    """Behind `ports.Tx`."""

    def __init__(self, queries: querying.Queries) -> None:
        self.watches: ports.Watches = watches.Watches(queries)
        self.sweeps: ports.Sweeps = sweeps.Sweeps(queries)
        self.findings: ports.Findings = findings.Findings(queries)
        self.baselines: ports.Baselines = baselines.Baselines(queries)
        self.incidents: ports.Incidents = incidents.Incidents(queries)
        self.diagnoses: ports.Diagnoses = diagnoses.Diagnoses(queries)
        self.proposals: ports.Proposals = proposals.Proposals(queries)
        self.executions: ports.Executions = executions.Executions(queries)
        self.verifications: ports.Verifications = verifications.Verifications(queries)
        self._trail = trail.Trail(queries)
        self.trail: ports.Trail = self._trail
        self.views: ports.Views = views.Views(queries)
        self.reports: ports.Reports = reports.Reports(queries)
        self.leases: ports.Leases = leases.Leases(queries)
        self.alone: ports.Alone = autonomy.Alone(queries)
        self.advice: ports.Advising = consultations.Advising(queries)
        self.calls: ports.Calls = consultations.Calls(queries)
        self.cards: ports.Cards = cards.Cards(queries)
        self.questions: ports.Questions = questions.Questions(queries)
        self.runbooks: ports.Runbooks = runbooks.Runbooks(queries)

    async def complete(self) -> None:
        """The last step before the commit."""
        await self._trail.flush()
