"""The live picture: whatever changes in whatever order, it is what a fresh list would make it, and as small."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection, indexing, judging, live, model, objects
from tests.k8s import pictures
from tests.k8s.detectors import builders as b

EVERYWHERE = model.Scope()
WEB = ("owner", "uid-web")


def changed(picture: live.Picture, name: str, item: b.Json) -> list[live.Key]:
    """What one change touches."""
    picture.changed(name, pictures.decoded(name, item))
    return picture.take(100)


def of_web(*pods: b.Json) -> live.Picture:
    found = [("deployments", b.deployment()), ("replicasets", b.replicaset()), *(("pods", pod) for pod in pods)]
    lists: pictures.Objects = {}
    for name, item in found:
        lists.setdefault(name, {})[item["metadata"]["uid"]] = item
    return pictures.listed(lists)


# --- what it knows

Step = tuple[str, str, b.Json]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(("change", "change", "change", "remove", "list")), pictures.items())))
def test_after_any_sequence_of_changes_it_is_what_a_fresh_list_makes(
    steps: list[tuple[str, tuple[str, b.Json]]],
) -> None:
    picture = live.Picture("test")
    truth: pictures.Objects = {name: {} for name in live.KINDS}
    for what, (name, item) in steps:
        uid = item["metadata"]["uid"]
        match what:
            case "change":
                truth[name][uid] = item
                picture.changed(name, pictures.decoded(name, item))
            case "remove":
                truth[name].pop(uid, None)
                picture.removed(name, pictures.decoded(name, item))
            case _:
                truth[name] = {uid: item}
                pictures.take(picture, name, truth[name])
    fresh = pictures.listed(truth)
    assert pictures.content(picture) == pictures.content(fresh)
    for part in ("_children", "_on_node", "_about", "_suspects"):
        mine, theirs = getattr(picture, part), getattr(fresh, part)
        assert mine == theirs
    now, keys = b.NOW, pictures.keys(fresh)
    assert _sorted(picture.part(keys, now, EVERYWHERE, {})) == _sorted(fresh.part(keys, now, EVERYWHERE, {}))


@settings(deadline=None, max_examples=100)
@given(st.lists(pictures.items(), max_size=5, unique_by=lambda item: item[1]["metadata"]["uid"]), st.randoms())
def test_the_order_in_which_objects_come_makes_no_difference(
    items: list[tuple[str, b.Json]], chance: random.Random
) -> None:
    shuffled = list(items)
    chance.shuffle(shuffled)
    one, other = live.Picture("test"), live.Picture("test")
    for picture, order in ((one, items), (other, shuffled)):
        for name, item in order:
            picture.changed(name, pictures.decoded(name, item))
    assert pictures.content(one) == pictures.content(other)
    assert {one.settled(key) for key in one.take(100)} == {other.settled(key) for key in other.take(100)}


def _sorted(found: model.Snapshot) -> list[list[bytes]]:
    lists = ([msgspec.json.encode(each) for each in getattr(found, name)] for name in live.KINDS)
    return [sorted(each) for each in lists]


@settings(deadline=None, max_examples=300)
@given(st.lists(pictures.items(), max_size=14))
def test_the_detectors_find_in_it_what_they_find_in_a_sweep(items: list[tuple[str, b.Json]]) -> None:
    """Of every family that it knows whole: what a pod that is slim lacks, nobody asks for."""
    truth: pictures.Objects = {name: {} for name in live.KINDS}
    for name, item in items:
        truth[name][item["metadata"]["uid"]] = item
    picture = pictures.listed(truth)
    swept = detection.detect(pictures.whole(truth), detectors=judging.DETECTORS)
    part = picture.part(pictures.keys(picture), b.NOW, EVERYWHERE, {})
    seen = detection.detect(part, detectors=judging.DETECTORS)
    every = [each for name in (*live.OWNERS, "pods") for each in picture.all(name).values()]
    if all(picture.root(each.metadata) is not None for each in every):
        assert (seen.findings, seen.muted) == (swept.findings, swept.muted)
        assert seen.problems == swept.problems


# --- what it keeps


def test_of_a_pod_that_simply_runs_its_name_and_owner_are_kept_and_shared() -> None:
    slimming = live.Slimming()
    found = [msgspec.convert(b.pod(name, labels={"app": "web"}), type=objects.Pod) for name in ("a", "b")]
    one, other = (slimming.pod(each) for each in found)
    assert (one.metadata.name, other.metadata.name) == ("a", "b")
    assert one.metadata.owner_references is other.metadata.owner_references
    assert one.status is other.status
    assert one.spec is other.spec
    assert one.spec.containers is None
    assert one.metadata.labels is None
    assert live.plain(one), "it is as well as the whole one"


@pytest.mark.parametrize(
    "pod",
    [
        b.pod(statuses=[b.crashed()]),
        b.pod(statuses=[b.running(ready=False)]),
        b.pod(statuses=[b.running(restarts=1)]),
        b.pod(statuses=[b.running(lastState=b.ended())]),
        b.pod(phase="Pending"),
        b.pod(phase="Succeeded", statuses=[b.running() | {"state": b.ended(1)}]),
        b.pod(deletionTimestamp=b.ago(5)),
        b.pod(annotations={indexing.IGNORE: "true"}),
        b.pod(labels={indexing.IGNORE: "true"}),
        b.pod(ephemerals=[b.running("debugger")]),
        b.pod(ready=False),
    ],
)
def test_of_a_pod_that_shows_anything_all_is_kept(pod: b.Json) -> None:
    whole = msgspec.convert(pod, type=objects.Pod)
    assert live.Slimming().pod(whole) is whole


def test_events_are_bounded_and_the_newest_stay() -> None:
    picture = live.Picture("test")
    for number in range(live.EVENTS + 5):
        meta = objects.Meta(name=f"e{number}", uid=f"e{number}")
        about = objects.ObjectReference(kind="Pod", name=f"p{number}", namespace="shop")
        picture.changed("events", objects.Event(metadata=meta, involved_object=about))
    assert len(picture.all("events")) == live.EVENTS
    assert "e0" not in picture.all("events")
    assert f"e{live.EVENTS + 4}" in picture.all("events")
    assert len(picture._about) == live.EVENTS


def test_what_is_touched_is_bounded_and_the_rest_is_left_to_the_sweeps() -> None:
    picture = live.Picture("test")
    for number in range(live.MARKS + 3):
        picture.touch(("owner", str(number)))
    assert (picture.touched, picture.left) == (live.MARKS, 3)
    picture.touch(("owner", "1"))
    assert picture.left == 3, "it is touched already"


def test_a_list_of_one_namespace_takes_nothing_from_another() -> None:
    picture = of_web(b.pod("a"), b.pod("b", namespace="web"))
    pictures.take(picture, "pods", {"uid-c": b.pod("c", namespace="web")}, "web")
    assert sorted(picture.all("pods")) == ["uid-a", "uid-c"]


# --- what a change touches


def test_a_list_touches_nothing() -> None:
    picture = of_web(b.pod(statuses=[b.crashed()]))
    pictures.take(picture, "pods", {"uid-x": b.pod("x", statuses=[b.crashed()])})
    assert picture.touched == 0


@pytest.mark.parametrize(
    ("name", "item", "touched"),
    [
        ("pods", b.pod(statuses=[b.crashed()]), [WEB]),
        ("pods", b.pod(statuses=[b.waiting("ImagePullBackOff")]), [WEB]),
        ("pods", b.pod(phase="Failed"), [WEB]),
        ("pods", b.pod(phase="Pending", statuses=[], conditions=[{"type": "PodScheduled", "status": "False"}]), [WEB]),
        ("pods", b.pod(inits=[b.crashed("migrate")], statuses=[b.waiting("PodInitializing")]), [WEB]),
        ("pods", b.pod(), []),
        ("pods", b.pod(statuses=[b.waiting("ContainerCreating")], phase="Pending"), []),
        ("pods", b.pod(statuses=[b.running(ready=False)]), []),
        ("pods", b.pod("bare", [b.crashed()], owner=[]), [("owner", "uid-bare")]),
        ("nodes", b.node("n", b.node_condition("Ready", "False")), [("node", "n")]),
        ("nodes", b.node("n", b.node_condition("DiskPressure", "True")), [("node", "n")]),
        ("nodes", b.node("n"), []),
        ("deployments", b.deployment(conditions=[b.progressing("False", "ProgressDeadlineExceeded")]), [WEB]),
        ("deployments", b.deployment(ready=0), []),
        ("jobs", b.job(conditions=[b.job_failed()]), [("owner", "uid-report-1")]),
        ("jobs", b.job(), []),
        ("events", b.event(b.pod(), "Pod", "Unhealthy", "probe failed"), []),
        ("events", b.event(b.deployment(), "Deployment", "FailedCreate", "quota"), [WEB]),
        ("events", b.event(b.node("n"), "Node", "Rebooted", "boot"), []),
        ("namespaces", {"metadata": {"name": "shop", "uid": "uid-shop"}}, []),
    ],
)
def test_a_change_touches_whom_it_concerns(name: str, item: b.Json, touched: list[live.Key]) -> None:
    assert changed(of_web(b.pod("other")), name, item) == touched


def test_a_change_that_says_nothing_new_touches_nothing() -> None:
    crash = b.pod(statuses=[b.crashed()])
    picture = of_web(crash)
    assert changed(picture, "pods", crash) == []
    worse = b.pod(statuses=[b.crashed() | {"restartCount": 13}])
    assert changed(picture, "pods", worse) == [WEB]
    picture.removed("pods", pictures.decoded("pods", worse))
    assert picture.touched == 0


def test_a_pod_whose_owners_come_later_is_judged_with_them() -> None:
    picture = live.Picture("test")
    (key,) = changed(picture, "pods", b.pod(statuses=[b.crashed()]))
    assert picture.settled(key) is None
    picture.changed("replicasets", pictures.decoded("replicasets", b.replicaset()))
    assert picture.settled(key) is None
    picture.changed("deployments", pictures.decoded("deployments", b.deployment()))
    assert picture.settled(key) == WEB


def test_an_owner_of_a_kind_that_is_not_followed_is_taken_by_its_word() -> None:
    (key,) = changed(live.Picture("test"), "pods", b.pod("x", [b.crashed()], owner=b.controlled("Rollout", "canary")))
    assert key == ("owner", "uid-canary")


# --- a part of it


def test_a_part_holds_the_whole_family_and_nothing_else() -> None:
    picture = of_web(b.pod("a", [b.crashed()]), b.pod("b"), b.pod("else", owner=[]))
    for number, name in enumerate(("node-a", "node-b")):
        picture.changed("nodes", pictures.decoded("nodes", b.node(name, b.node_condition("Ready", "False"))))
        event = b.event(b.pod(("a", "else")[number]), "Pod", "BackOff", "back-off")
        event["metadata"]["uid"] = f"event-{number}"
        picture.changed("events", pictures.decoded("events", event))
    part = picture.part([WEB], b.NOW, EVERYWHERE, {"services": "left"})
    assert sorted(pod.metadata.name for pod in part.pods) == ["a", "b"]
    assert [each.metadata.name for each in (*part.deployments, *part.replicasets)] == ["web", "web-7d9f"]
    assert [node.metadata.name for node in part.nodes] == ["node-a"]
    assert [event.involved_object.name for event in part.events] == ["a"]
    assert part.taken_at == b.NOW
    assert not part.saw(["services"])


def test_a_part_keeps_to_the_scope() -> None:
    picture = of_web(b.pod("a", [b.crashed()]))
    assert picture.part([WEB], b.NOW, model.Scope(("elsewhere",)), {}).pods == []
    assert len(picture.part([WEB], b.NOW, model.Scope(("sh*",)), {}).pods) == 1


def test_a_node_comes_with_all_its_pods_and_with_the_families_of_those_that_show_something() -> None:
    picture = of_web(b.pod("a", [b.crashed()]), b.pod("b", node="node-b"), b.pod("c", owner=[]))
    picture.changed("nodes", pictures.decoded("nodes", b.node("node-a", b.node_condition("Ready", "False"))))
    part = picture.part([("node", "node-a")], b.NOW, EVERYWHERE, {})
    assert sorted(pod.metadata.name for pod in part.pods) == ["a", "b", "c"]
    assert [each.metadata.name for each in part.deployments] == ["web"]


def test_suspects_are_told_once_each_and_bounded() -> None:
    pods = [b.pod(f"p{number}", [b.crashed()], owner=[]) for number in range(5)]
    picture = of_web(b.pod("a", [b.crashed()]), b.pod("b", [b.crashed()]), *pods)
    assert len(picture.suspects(100)) == 6
    assert len(picture.suspects(3)) == 3
    assert all(len(set(pair)) == 2 for pair in itertools.combinations(picture.suspects(100), 2))
