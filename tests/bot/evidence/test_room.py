"""What the nodes have free for a pod that waits, and what keeps it off them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence import room
from k8s import fields, model
from tests.bot.evidence import examples

CPU = {"class": "cpu", "classes": "cpu", "short": "cpu", "asked_cpu": "1500m"}


def waiting(**facts: str) -> model.Problem:
    return examples.problem(examples.finding("Unschedulable", facts=facts))


def asking(cpu: str = "", memory: str = "", **spec: object) -> model.Json:
    requests = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"resources": {"requests": requests}}], **spec}}


def labelled(name: str, **labels: str) -> model.Json:
    found = examples.node(name)
    found["metadata"]["labels"] = labels
    return found


DEDICATED = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
SOFT = {"key": "slow", "effect": "PreferNoSchedule"}


def test_each_node_is_told_with_what_is_free_or_else_with_what_it_can_hold() -> None:
    found = [
        examples.node(),
        examples.node("worker-2", "Unknown", unschedulable=True),
        examples.node("worker-3", taints=[DEDICATED, SOFT]),
        {"metadata": {"name": "odd"}},
    ]
    pods = {"worker-1": [asking("500m", "2Gi"), asking("1", "1Gi")], "worker-2": []}
    assert room.lines(found, pods, waiting(**CPU)).splitlines() == [
        "worker-1: ready; free cpu 2500m of 4, memory 5Gi of 8Gi",
        "worker-2: not ready, cordoned; free cpu 4 of 4, memory 8Gi of 8Gi",
        "worker-3: ready; can hold cpu 4, memory 8Gi; taints dedicated=batch:NoSchedule",
        "odd: not ready; can hold cpu ?, memory ?",
    ]
    assert room.lines([], {}, waiting()) == ""


def test_of_many_nodes_the_open_and_large_ones_are_looked_at() -> None:
    small = [examples.node(f"small-{number:02}") for number in range(20)]
    large = examples.node("zz-large")
    large["status"]["allocatable"]["cpu"] = "64"
    closed = examples.node("aa-closed", unschedulable=True)
    names = [node["metadata"]["name"] for node in room.looked([closed, *small, large], waiting(**CPU))]
    assert (names[0], len(names)) == ("zz-large", room.LOOKED)
    assert "aa-closed" not in names
    told = room.lines([closed, *small, large], {}, waiting(**CPU)).splitlines()
    assert told[-1] == "… and 12 more nodes"


def test_the_node_with_most_free_is_named() -> None:
    nodes = [examples.node(), examples.node("worker-2")]
    pods = {"worker-1": [asking("3")], "worker-2": [asking("3500m")]}
    assert room.facts(nodes, pods, waiting(**CPU), {}) == {"room": "worker-1 has most free: 1 of its 4 CPU"}
    assert room.facts(nodes[:1], pods, waiting(**CPU), {}) == {
        "room": "The only node, worker-1, has 1 of its 4 CPU free"
    }
    many = [*nodes, *(examples.node(f"x-{number}") for number in range(20))]
    assert room.facts(many, pods, waiting(**CPU), {})["room"].startswith("Of the 10 largest nodes, worker-1 has")


def test_where_all_is_taken_it_is_said_so() -> None:
    nodes = [examples.node(), examples.node("worker-2")]
    pods = {"worker-1": [asking("4")], "worker-2": [asking("9")]}
    assert room.facts(nodes, pods, waiting(**CPU), {}) == {"room": "All of it is taken, on worker-1 4 CPU"}


def test_where_no_pods_may_be_read_nothing_is_said_of_what_is_free() -> None:
    assert room.facts([examples.node()], {}, waiting(**CPU), {}) == {}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"short": "cpu", "asked_cpu": "64"}, "The only node, worker-1, holds 4 CPU in all, 3 of it free"),
        ({"short": "memory", "asked_memory": "1Ti"}, "The only node, worker-1, holds 8Gi in all, 7Gi of it free"),
        (
            {"short": "nvidia.com/gpu", "asked_nvidia.com/gpu": "1"},
            "The only node, worker-1, has no nvidia.com/gpu at all",
        ),
    ],
)
def test_what_is_larger_than_any_node_can_never_be_placed(facts: dict[str, str], told: str) -> None:
    pods = {"worker-1": [asking("1", "1Gi")]}
    assert room.facts([examples.node()], pods, waiting(**facts), {}) == {"room": told, "room_never": "true"}


def test_pods_are_counted_where_a_node_may_hold_no_more_of_them() -> None:
    node = examples.node()
    node["status"]["allocatable"]["pods"] = "2"
    found = room.facts([node], {"worker-1": [asking(), asking()]}, waiting(short="pods"), {})
    assert found == {"room": "The only node, worker-1, has none of its 2 pod slots free"}


def test_where_no_node_is_open_there_is_no_largest_one() -> None:
    assert room.facts([examples.node(taints=[DEDICATED])], {"worker-1": []}, waiting(**CPU), {}) == {}


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ((), "no node has"),
        (("ssd",), "1 of 2 nodes has"),
        (("ssd", "ssd"), "2 of 2 nodes have"),
    ],
)
def test_a_selector_is_told_with_how_many_nodes_match_it(labels: tuple[str, ...], told: str) -> None:
    disks = [*labels, "hdd", "hdd"][:2]
    nodes = [labelled(f"worker-{number}", disk=disk) for number, disk in enumerate(disks)]
    found = room.facts(nodes, {}, waiting(classes="affinity"), asking(nodeSelector={"disk": "ssd"}))
    assert found == {"kept_off": f"It may only run on nodes with disk=ssd, which {told}."}
    assert room.facts(nodes, {}, waiting(classes="affinity"), {}) == {}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "value": "batch"}, True),
        ({"key": "dedicated", "value": "batch", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "batch", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_taint_is_named_unless_it_is_tolerated(toleration: model.Json, tolerated: bool) -> None:
    nodes = [examples.node(taints=[DEDICATED]), examples.node("worker-2", taints=[DEDICATED, SOFT])]
    found = room.facts(nodes, {}, waiting(classes="taint"), asking(tolerations=[toleration]))
    said = {"kept_off": "It does not tolerate dedicated=batch:NoSchedule (node worker-1 and 1 more)."}
    assert found == ({} if tolerated else said)


KEYS = st.sampled_from(
    ["metadata", "name", "spec", "status", "allocatable", "cpu", "taints", "effect", "key", "containers", "resources",
     "requests", "tolerations", "nodeSelector", "labels"]
)  # fmt: skip
TREES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["cpu", "4", "1e9", "True", "NoSchedule", "²"]) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), TREES, max_size=3)


@given(nodes=st.lists(OBJECTS, max_size=3), pod=OBJECTS, short=st.sampled_from(["cpu", "memory", "pods", "x/y"]))
def test_no_object_is_too_odd_to_be_told(nodes: list[model.Json], pod: model.Json, short: str) -> None:
    shown = waiting(short=short, classes="cpu,affinity,taint", asked_cpu="odd")
    pods = {fields.text(node, "metadata", "name"): [pod] for node in nodes}
    room.lines(nodes, pods, shown)
    room.facts(nodes, pods, shown, pod)
