"""What waits for a slow consumer: the newest of each object, in bounded memory, and nothing that it need not know."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import objects
from k8s.client import changes
from tests.k8s.client import following


def pod(name: str, version: int = 1, uid: str | None = None) -> objects.Pod:
    metadata = objects.Meta(
        name=name, namespace="payments", uid=f"uid-{name}" if uid is None else uid, resource_version=str(version)
    )
    return objects.Pod(metadata=metadata)


def listed(*pods: objects.Pod) -> changes.Relisted[objects.Pod]:
    return changes.Relisted(list(pods), "9")


def relist(waiting: changes.Waiting[objects.Pod], *pods: objects.Pod) -> list[object]:
    return waiting.relist(listed(*pods), {changes.identity(each.metadata) for each in pods})


def taken(waiting: changes.Waiting[objects.Pod]) -> list[Any]:
    found = []
    while (change := waiting.take()) is not None:
        found.append(change)
    return found


def test_of_one_object_the_newest_state_waits() -> None:
    waiting = changes.Waiting[objects.Pod]()
    for version in (1, 2, 3):
        waiting.change(pod("a", version))
    assert taken(waiting) == [changes.Changed(pod("a", 3))]


def test_an_object_that_the_consumer_never_heard_of_goes_without_a_word() -> None:
    waiting = changes.Waiting[objects.Pod]()
    for number in range(1000):
        waiting.change(pod(f"job-{number}"))
        waiting.remove(pod(f"job-{number}", 2))
    assert len(waiting) == 0
    assert taken(waiting) == []


def test_a_removal_of_what_the_consumer_has_is_kept() -> None:
    waiting = changes.Waiting[objects.Pod]()
    waiting.change(pod("a"))
    assert len(taken(waiting)) == 1
    waiting.change(pod("a", 2))
    waiting.remove(pod("a", 3))
    assert taken(waiting) == [changes.Removed(pod("a", 3))]
    waiting.remove(pod("a", 4))
    assert taken(waiting) == []


def test_an_object_that_is_selected_again_is_a_change() -> None:
    waiting = changes.Waiting[objects.Pod]()
    relist(waiting, pod("a"))
    assert len(taken(waiting)) == 1
    waiting.remove(pod("a", 2))
    waiting.change(pod("a", 3))
    assert taken(waiting) == [changes.Changed(pod("a", 3))]


def test_a_relist_takes_the_place_of_all_that_waits_and_what_comes_after_it_stays_after_it() -> None:
    waiting = changes.Waiting[objects.Pod]()
    assert relist(waiting, pod("old")) == []
    waiting.change(pod("new"))
    replaced = relist(waiting, pod("a"), pod("b"))
    assert replaced == [changes.Changed(pod("new")), pod("old")]
    waiting.remove(pod("a", 2))
    waiting.remove(pod("old", 2))
    assert taken(waiting) == [listed(pod("a"), pod("b")), changes.Removed(pod("a", 2))]


def test_an_object_of_the_same_name_is_another_one() -> None:
    waiting = changes.Waiting[objects.Pod]()
    relist(waiting, pod("db-0", uid="first"))
    waiting.remove(pod("db-0", 2, uid="first"))
    waiting.change(pod("db-0", 3, uid="second"))
    picture = following.Picture()
    for change in taken(waiting):
        picture.take(change)
    assert list(picture.objects) == ["second"]


def test_an_object_without_a_uid_goes_by_its_name() -> None:
    assert changes.identity(pod("a", uid="").metadata) == "payments/a"


OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["change", "remove"]), st.integers(0, 4)),
    st.tuples(st.just("relist"), st.sets(st.integers(0, 4))),
    st.tuples(st.just("take"), st.integers(1, 3)),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(OPERATIONS, max_size=40))
def test_whatever_happens_the_picture_is_the_truth_in_the_end_and_memory_is_bounded(steps: list[Any]) -> None:
    waiting, picture, truth = changes.Waiting[objects.Pod](), following.Picture(), dict[str, objects.Pod]()
    for version, (step, what) in enumerate(steps):
        match step:
            case "change":
                found = pod(f"p{what}", version)
                truth[f"uid-p{what}"] = found
                waiting.change(found)
            case "remove" if f"uid-p{what}" in truth:
                waiting.remove(truth.pop(f"uid-p{what}"))
            case "relist":
                truth = {f"uid-p{number}": pod(f"p{number}", version) for number in what}
                relist(waiting, *truth.values())
            case "take":
                for _ in range(what):
                    if (change := waiting.take()) is not None:
                        picture.take(change)
        assert len(waiting) <= 1 + 5
    for change in taken(waiting):
        picture.take(change)
    assert picture.objects == truth
