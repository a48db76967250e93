"""A drain's loop, whatever the cluster answers and in whatever order: no pod but those approved, and none twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, stepping
from tests.k8s import raw

NODE = model.ResourceRef("Node", "", "node-a", "node-1")
ANSWERS = ("done", "held", "later", "gone", "refused", "lost")
Answer = Literal["done", "held", "later", "gone", "refused", "lost"]


def ref(number: int) -> model.ResourceRef:
    return model.ResourceRef("Pod", "payments", f"pod-{number}", f"uid-{number}")


def pod(number: int, *, protected: bool = False) -> model.Json:
    found = raw.pod(f"pod-{number}", uid=f"uid-{number}")
    if protected:
        found["metadata"]["annotations"] = {"watchkeeper.io/protected": "true"}
    return found


@dataclass
class Node:
    """A node as the loop meets it: each answer and each event is used once, then all goes well."""

    there: set[int]
    answers: list[Answer] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    asked: list[model.ResourceRef] = field(default_factory=list)
    done: list[model.ResourceRef] = field(default_factory=list)
    told: list[model.Progress] = field(default_factory=list)
    waits: int = 0
    marked: set[int] = field(default_factory=set)
    why: str = ""
    lost: str = ""

    async def pods(self) -> Sequence[model.Json] | str:
        if self.events:
            what, number = self.events.pop(0)
            match what:
                case "away":
                    return "the server does not answer"
                case "ends":
                    self.there.discard(number)
                case "comes":
                    self.there.add(number)
                case "stop":
                    self.why = "A person stopped it."
                case _:
                    self.lost = "This execution was taken over while it waited."
        return [pod(number, protected=number in self.marked) for number in sorted(self.there)]

    async def evict(self, wanted: model.ResourceRef) -> stepping.Sent:
        assert self.why + self.lost == "", "nothing is written after it was asked to stop"
        self.asked.append(wanted)
        end: Answer = self.answers.pop(0) if self.answers else "done"
        if end == "done":
            self.done.append(wanted)
            self.there.discard(int(wanted.name.removeprefix("pod-")))
        return stepping.Sent(end, "PodDisruptionBudget payments/api" if end == "held" else "")

    async def shut(self) -> str:
        return self.lost

    async def stop(self) -> str:
        return self.why

    async def pause(self, _seconds: float) -> None:
        self.waits += 1

    async def progress(self, made: model.Progress) -> None:
        self.told.append(made)

    def oversight(self) -> stepping.Oversight:
        return stepping.Oversight(self.progress, self.stop, timedelta(minutes=5), self.pause)

    def hands(self) -> stepping.Hands:
        return stepping.Hands(self.pods, self.evict, self.shut, lambda: raw.NOW + timedelta(seconds=10 * self.waits))


async def drained(node: Node, numbers: Sequence[int]) -> model.Outcome:
    action = model.Drain(NODE, tuple(ref(number) for number in numbers))
    return await stepping.drain(action, node.hands(), node.oversight(), begun=True)


_events = st.tuples(st.sampled_from(("away", "ends", "comes", "stop", "taken")), st.integers(0, 6))


@settings(max_examples=150, deadline=None)
@given(
    numbers=st.sets(st.integers(0, 6), min_size=1).map(sorted),
    there=st.sets(st.integers(0, 9)),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=12),
    events=st.lists(_events, max_size=8),
)
async def test_whatever_is_answered_no_pod_beside_the_approved_is_evicted_and_none_twice(
    numbers: list[int], there: set[int], answers: list[Answer], events: list[tuple[str, int]]
) -> None:
    node = Node(set(there), list(answers), list(events))
    outcome = await drained(node, numbers)
    approved = {ref(number) for number in numbers}
    assert set(node.asked) <= approved
    assert len(node.done) == len(set(node.done))
    if outcome.status == "succeeded":
        assert not {ref(number) for number in node.there} & approved
    else:
        assert outcome.status in ("stopped", "unknown")
    assert all(0 <= made.done <= made.total == len(numbers) for made in node.told)


async def test_what_a_budget_holds_is_told_and_asked_for_again_until_it_lets_go() -> None:
    node = Node({1, 2}, ["held", "done", "held", "done"])
    outcome = await drained(node, (1, 2))
    assert outcome.status == "succeeded"
    assert node.told[0] == model.Progress(0, 2, "PodDisruptionBudget payments/api")
    assert node.told[-1] == model.Progress(2, 2)
    assert node.asked == [ref(1), ref(2), ref(1), ref(1)]


async def test_at_the_limit_it_ends_and_says_what_it_waited_for() -> None:
    held: list[Answer] = ["held"] * 100
    node = Node({1, 2}, ["done", *held])
    outcome = await drained(node, (1, 2))
    assert (outcome.status, outcome.written) == ("stopped", True)
    assert outcome.detail == (
        "It was not done within 5 min, waiting for PodDisruptionBudget payments/api. "
        "The node is cordoned, and 1 of 2 pods are gone. Still there: Pod payments/pod-2."
    )


async def test_a_stop_is_heard_before_the_next_write() -> None:
    node = Node({1, 2, 3}, ["done", "held", "held"], [("comes", 9), ("stop", 0)])
    outcome = await drained(node, (1, 2, 3))
    assert outcome.status == "stopped"
    assert outcome.detail == (
        "A person stopped it. The node is cordoned, and 1 of 3 pods are gone. "
        "Still there: Pods payments/pod-2, payments/pod-3. Left alone, as it came later: 1 pod."
    )


async def test_the_servers_own_no_ends_it_with_its_words_and_a_lost_answer_is_unknown() -> None:
    refused = await drained(Node({1, 2}, ["refused"]), (1, 2))
    assert refused.status == "stopped"
    assert refused.detail.startswith("Pod payments/pod-1 cannot be evicted: ")
    lost = Node({1, 2}, ["lost"])
    assert (await drained(lost, (1, 2))).status == "unknown"
    assert lost.asked == [ref(1)]


async def test_a_pod_that_ends_by_itself_counts_as_moved_and_is_not_asked_for() -> None:
    node = Node({1}, ["held"], [("away", 0), ("comes", 1), ("ends", 1)])
    outcome = await drained(node, (1, 2))
    assert (outcome.status, node.done) == ("succeeded", [])
    assert node.told[0] == model.Progress(0, 2, "the cluster: the server does not answer")


async def test_a_pod_that_is_protected_meanwhile_is_not_evicted() -> None:
    node = Node({1, 2}, marked={2})
    outcome = await drained(node, (1, 2))
    assert node.asked == [ref(1)]
    assert outcome.status == "stopped"
    assert outcome.detail.startswith("Pod payments/pod-2 is marked watchkeeper.io/protected. ")
