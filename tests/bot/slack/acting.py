"""Cards for the tests of Slack's messages: what is done in steps, what is run in a container, what has no way back."""

from dataclasses import replace
from typing import Any

from bot.domain import cards, incidents, proposals
from k8s import model
from tests.bot.slack import building

DRAINED = model.ResourceRef("Node", "", "worker-3", "n3")
LOST = "The pods that it replaces are gone; nothing else changes that could be put back."
RELOAD = model.ExecCommand(
    model.ResourceRef("Pod", "payments", "api-7d9f8-x2x4z", "p1"),
    building.API,
    "app",
    "reload-nginx",
    ("nginx", "-s", "reload"),
    10,
)


def draining(state: proposals.State, *, stop_by: str = "") -> cards.ProposalCard:
    """A node that is drained in steps, by two people."""
    row = building.proposal(
        state,
        action=model.Drain(DRAINED, tuple(model.ResourceRef("Pod", "shop", f"store-{n}", f"p{n}") for n in range(3))),
        kubectl="kubectl --context=prod-eu drain worker-3 --ignore-daemonsets --delete-emptydir-data",
        summary="Cordons node worker-3 and evicts 3 pods from it, one after the other.",
        inverse=model.Uncordon(DRAINED),
        risk="high",
        approvals=2,
        diff=("- spec.unschedulable: false", "+ spec.unschedulable: true"),
    )
    first, last = building.decision(), building.decision(user=building.BEN, at=building.minutes(2.05))
    if state == "executing":
        begun = replace(
            building.execution(None, "executing"),
            progress=model.Progress(1, 3, "PodDisruptionBudget shop/store"),
            stop_by=stop_by,
        )
        return cards.ProposalCard(row, last, begun, earlier=(first,))
    told = "A person stopped it. The node is cordoned, and 1 of 3 pods are moved."
    ended = replace(building.execution(model.Outcome("stopped", told, written=True)), stop_by=stop_by)
    return cards.ProposalCard(row, last, ended, earlier=(first,))


def ran(state: proposals.State, outcome: model.Outcome) -> cards.ProposalCard:
    """A command of the policy's list that was run in a container."""
    row = building.proposal(
        state,
        action=RELOAD,
        kubectl="kubectl --context=prod-eu -n payments exec api-7d9f8-x2x4z -c app -- nginx -s reload",
        summary="Runs nginx -s reload in container app of pod api-7d9f8-x2x4z.",
        inverse=None,
        irreversible="What a command did cannot be taken back.",
        risk="high",
        diff=("The API server cannot try a command out; this is exactly what will run.",),
    )
    return replace(building.card_of("failed"), proposal=row, execution=building.execution(outcome))


def final() -> cards.ProposalCard:
    """A restart that helped: there is no way back from it."""
    made = building.card_of("verified")
    row = replace(made.proposal, action=model.RolloutRestart(building.API), inverse=None, irreversible=LOST)
    return replace(made, proposal=row)


def node(**changes: Any) -> incidents.Incident:
    told = {"kinds": ("NodePressure",), "headline": "the kubelet has MemoryPressure", "ready": None, "desired": None}
    return building.incident(**{"subject": DRAINED, **told, **changes})


def way_back() -> cards.ProposalCard:
    """Uncordons the node that was half drained."""
    made = building.undo()
    row = replace(
        made.proposal,
        action=model.Uncordon(DRAINED),
        kubectl="kubectl --context=prod-eu uncordon worker-3",
        summary="Uncordons node worker-3.",
    )
    return replace(made, proposal=row)


def every() -> dict[str, cards.IncidentCard]:
    """Name of the golden file → the incident in that state."""
    printed = "reading & checking\n" * 40 + "--- error output\nnginx: [alert] <!channel> ```kill``` *failed*"
    return {
        "drain-executing": building.card(draining("executing"), incident=node()),
        "drain-stopping": building.card(draining("executing", stop_by=building.ANA), incident=node()),
        "drain-stopped": building.card(draining("stopped", stop_by=building.ANA), incident=node(), undo=way_back()),
        "command-failed": building.card(
            ran(
                "failed",
                model.Outcome(
                    "failed",
                    "The command ended with exit code 1.",
                    written=True,
                    output=printed,
                ),
            )
        ),
        "command-unknown": building.card(
            ran(
                "unknown",
                model.Outcome("unknown", "The command was sent and its end never came. Whether it ran cannot be seen."),
            )
        ),
        "resolved-irreversible": building.card(final(), incident=building.resolved()),
    }
