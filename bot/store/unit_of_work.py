"""One transaction with all repositories on it: state and its audit events commit together. Made by `engine.Database`."""

from bot.store import (
    cards,
    diagnoses,
    executions,
    findings,
    incidents,
    proposals,
    querying,
    reports,
    sweeps,
    trail,
    verifications,
    views,
    watches,
)


class UnitOfWork:
    """Behind `ports.Tx`."""

    def __init__(self, queries: querying.Queries) -> None:
        self.watches = watches.Watches(queries)
        self.sweeps = sweeps.Sweeps(queries)
        self.findings = findings.Findings(queries)
        self.incidents = incidents.Incidents(queries)
        self.diagnoses = diagnoses.Diagnoses(queries)
        self.proposals = proposals.Proposals(queries)
        self.executions = executions.Executions(queries)
        self.verifications = verifications.Verifications(queries)
        self.trail = trail.Trail(queries)
        self.views = views.Views(queries)
        self.reports = reports.Reports(queries)
        self.cards = cards.Cards(queries)
