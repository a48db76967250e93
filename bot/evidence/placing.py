"""Placing: the nodes, where it matters what they have and hold. Called by `collecting`.

Facts for the rules: `room`, `room_never`, `kept_off`, and those of `proving` about nodes.
"""

import asyncio
from collections.abc import Sequence

from bot.evidence import gathering, proving, room, telling
from k8s import fields, model
from k8s.client import errors, reader


async def read(source: reader.Reader, problem: model.Problem, told: gathering.Gathering) -> Sequence[model.Json] | None:
    """None where nodes do not matter, or could not be read."""
    if not (_placing(problem) or problem.primary.kind == "Unschedulable" or problem.subject.kind == "Node"):
        return None
    if problem.subject.kind == "Node":
        node = await told.ask("the node", source.get(problem.subject))
        others = await _beside(source, problem, told)
        return None if node is None else [node, *others]
    needless = () if problem.primary.kind == "Unschedulable" else (errors.Forbidden,)
    return await told.ask("the nodes", source.list_json("nodes", None), needless)


async def _beside(source: reader.Reader, problem: model.Problem, told: gathering.Gathering) -> Sequence[model.Json]:
    """The nodes besides the one that lacks something: whether they can take its pods."""
    if problem.primary.kind != "NodePressure":
        return ()
    found = await told.ask("the other nodes", source.list_json("nodes", None), (errors.Forbidden,))
    return [node for node in found or () if fields.text(node, "metadata", "name") != problem.subject.name]


async def placed(
    source: reader.Reader,
    problem: model.Problem,
    nodes: Sequence[model.Json],
    told: gathering.Gathering,
) -> dict[str, Sequence[model.Json]]:
    """Node name → the pods on it, of the nodes that are worth a look. Who may not list them knows no more than
    what a node can hold: that is no gap."""
    if problem.primary.kind == "NodePressure":
        names = [problem.subject.name]
    elif _placing(problem):
        names = [fields.text(node, "metadata", "name") for node in room.looked(nodes, problem)]
    else:
        return {}
    readings = (source.list_json("pods", None, field_selector=room.RUNNING.format(name=name)) for name in names)
    asked = [told.ask("the pods on the nodes", reading, (errors.Forbidden,)) for reading in readings]
    found = await asyncio.gather(*asked)
    return {name: pods for name, pods in zip(names, found, strict=True) if pods is not None}


def own(problem: model.Problem, nodes: Sequence[model.Json]) -> Sequence[model.Json]:
    """Nodes that may have brought the problem: the node itself, which comes first; all of them where none has room."""
    if problem.subject.kind == "Node":
        return nodes[:1]
    return nodes if problem.primary.kind == "Unschedulable" else ()


def _placing(problem: model.Problem) -> bool:
    """Whether it matters what the nodes have free."""
    facts = problem.primary.facts
    more = problem.primary.kind == "HPABroken" and facts.get("class") == "at-maximum"
    return more or (problem.primary.kind == "Unschedulable" and bool(facts.get("short")))


def tell(
    told: gathering.Gathering,
    problem: model.Problem,
    nodes: Sequence[model.Json],
    pods: room.Pods,
    target: model.Target | None,
) -> None:
    """`pods`: those that `placed` has found."""
    if problem.subject.kind == "Node":
        proof = proving.of_node(problem, nodes, pods)
        told.facts.update(proof.facts)
        body = [telling.node(nodes[0]), *proof.lines] if nodes else []
        told.add("scheduling", "Nodes and what they have", "\n".join(body))
        return
    told.add("scheduling", "Nodes and what they have", room.lines(nodes, pods, problem))
    if problem.primary.kind == "HPABroken":
        told.prove(proving.of_room(nodes, pods, target))
    elif nodes:
        told.prove(proving.Proof(room.facts(nodes, pods, problem, telling.raw_pod(problem, target))))
