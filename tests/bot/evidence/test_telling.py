"""What a person is told of raw objects: the suspect, its states, its events, the nodes. No object is too odd."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence import telling
from k8s import model
from tests.bot.evidence import examples

# --- the suspect ----------------------------------------------------------------------------------------------------


def test_the_pod_of_the_finding_is_the_suspect_with_its_failing_container() -> None:
    found = telling.suspect(
        examples.problem(), examples.target(examples.pod(examples.status("proxy"), examples.crashed()))
    )
    assert found is not None
    assert (found.pod, found.container, found.restarted, found.ran) == (examples.POD, "app", True, True)


def test_the_primary_findings_pod_is_taken_before_that_of_a_symptom() -> None:
    other = examples.finding("NotReady", resource=model.ResourceRef("Pod", "payments", "api-5d-y", "uid-y"))
    found = telling.suspect(examples.problem(other, examples.finding()), None)
    assert found is not None
    assert found.pod.name == "api-5d-y"


def test_without_a_pod_in_the_findings_the_one_that_restarted_most_is_suspected() -> None:
    stuck = examples.problem(examples.finding("RolloutStuck", resource=examples.API, container=""))
    pods = [
        examples.pod(examples.status(), name="api-well", uid="1"),
        examples.pod(examples.crashed(restarts=2), name="api-bad", uid="2"),
        examples.pod(examples.status("proxy"), examples.crashed(restarts=9), name="api-worst", uid="3"),
    ]
    found = telling.suspect(stuck, examples.target(*pods))
    assert found is not None
    assert (found.pod.name, found.container) == ("api-worst", "app")


def test_where_every_pod_is_well_or_none_is_known_nobody_is_suspected() -> None:
    stuck = examples.problem(examples.finding("RolloutStuck", resource=examples.API))
    assert telling.suspect(stuck, examples.target(examples.pod(examples.status()))) is None
    assert telling.suspect(stuck, None) is None


@pytest.mark.parametrize(
    ("finding", "restarted", "ran"),
    [
        (examples.finding(facts={"restarts": "3", "exit_code": "1"}), True, True),
        (examples.finding("NotReady"), False, True),
        (examples.finding("ImagePull"), False, False),
        (examples.finding("ConfigError", facts={"exit_code": "1"}), False, True),
    ],
)
def test_of_a_pod_that_was_not_read_the_finding_itself_tells_whether_there_is_a_log(
    finding: model.Finding, restarted: bool, ran: bool
) -> None:
    found = telling.suspect(examples.problem(finding), None)
    assert found is not None
    assert (found.restarted, found.ran, found.status) == (restarted, ran, {})


def test_a_container_that_was_never_created_has_no_log() -> None:
    waiting = examples.status(ready=False, state={"waiting": {"reason": "ImagePullBackOff"}})
    found = telling.suspect(examples.problem(examples.finding("ImagePull")), examples.target(examples.pod(waiting)))
    assert found is not None
    assert (found.restarted, found.ran) == (False, False)


def test_of_a_failed_job_the_pod_made_last_and_the_container_that_failed_are_suspected() -> None:
    failed = examples.status("export", ready=False, state={"terminated": {"exitCode": 3}})
    old = examples.pod(failed, name="old", uid="1")
    new = examples.pod(examples.status("proxy"), failed, name="new", uid="2")
    new["metadata"]["creationTimestamp"] = "2026-11-21T02:30:00Z"
    found = telling.newest([old, new, examples.pod(failed, name="older", uid="3", metadata={"name": "older"})])
    assert found is not None
    assert (found.pod.name, found.container, found.ran) == ("new", "export", True)
    assert telling.newest([]) is None


def test_an_init_container_that_fails_is_found_too() -> None:
    sick = examples.pod(examples.status(ready=False, state={}), name="api", uid="9")
    sick["status"]["initContainerStatuses"] = [examples.crashed("migrate")]
    found = telling.suspect(
        examples.problem(examples.finding("InitFailing", resource=examples.API, container="")), examples.target(sick)
    )
    assert found is not None
    assert found.container == "migrate"


# --- its state ------------------------------------------------------------------------------------------------------


def test_the_state_says_what_was_found_how_many_are_ready_and_how_the_container_ended() -> None:
    deployment = {"spec": {"replicas": 3}, "status": {"readyReplicas": 1, "updatedReplicas": 2}}
    target = examples.target(examples.pod(examples.crashed()), obj=deployment)
    found = telling.suspect(examples.problem(), target)
    ended = "ended with exit code 1 (Error) at 2026-11-21T02:58:00Z"
    assert telling.status(examples.problem(), target, found).splitlines() == [
        "CrashLoopBackOff: Container app shows CrashLoopBackOff.",
        "Deployment/payments/api: 1 of 3 ready, 2 updated",
        f"container app of pod api-5d-x: waiting, CrashLoopBackOff; before that {ended}; 4 restarts",
    ]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"running": {"startedAt": "2026-11-21T02:00:00Z"}}, "running since 2026-11-21T02:00:00Z"),
        ({"running": {}}, "running since an unknown time"),
        ({"waiting": {}}, "waiting, no reason given"),
        ({"terminated": {"exitCode": 0}}, "ended with exit code 0 (no reason given) at None"),
        ({"waiting": "odd"}, "in no known state"),
        ({}, "in no known state"),
    ],
)
def test_every_state_is_told_in_words(state: model.Json, told: str) -> None:
    container = examples.status(ready=False, state=state)
    found = telling.suspect(examples.problem(), examples.target(examples.pod(container)))
    assert f"container app of pod api-5d-x: {told}; 0 restarts" in telling.status(examples.problem(), None, found)


def test_many_findings_are_cut_and_counted() -> None:
    told = telling.status(examples.problem(*(examples.finding() for _ in range(9))), None, None)
    assert told.splitlines()[-1] == "… and 3 more findings"
    assert len(told.splitlines()) == 7


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_are_told_newest_first_warnings_before_the_rest() -> None:
    found = [
        examples.event("Pulled", "already present", type="Normal", lastTimestamp="2026-11-21T02:59:59Z"),
        examples.event("Old", "a", lastTimestamp="2026-11-21T02:00:00Z"),
        examples.event("New", "b", count=7),
    ]
    assert telling.events(found, examples.NOW).splitlines() == [
        "New ×7, 2 min ago: b",
        "Old, 60 min ago: a",
        "Pulled, 1 s ago: already present",
    ]


def test_an_event_that_two_sources_tell_is_told_once() -> None:
    assert len(telling.events([examples.event(), examples.event()], examples.NOW).splitlines()) == 1


def test_a_series_counts_and_dates_an_event() -> None:
    series = {"count": 40, "lastObservedTime": "2026-11-21T02:59:00Z"}
    told = telling.events([examples.event(series=series, lastTimestamp=None)], examples.NOW)
    assert told.startswith("BackOff ×40, 1 min ago: ")


def test_an_event_without_any_time_says_so_and_long_ones_are_cut_to_one_line() -> None:
    told = telling.events([examples.event(message="x\n" * 999, lastTimestamp=None)], examples.NOW)
    assert told.startswith("BackOff, at an unknown time: x x")
    assert len(told) < 450


def test_no_more_events_than_a_person_reads() -> None:
    found = [examples.event(message=str(number)) for number in range(20)]
    lines = telling.events(found, examples.NOW).splitlines()
    assert (len(lines), lines[-1]) == (telling.EVENT_LINES + 1, "… and 8 more")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (119 * 60, "119 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_spans_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert telling.duration(seconds) == said


def scaled(*messages: str) -> dict[str, str]:
    return telling.scaling([examples.event("ScalingReplicaSet", message) for message in messages])


@pytest.mark.parametrize("said", ["from 3 to 9", "to 9 from 3"])
def test_a_lone_step_up_tells_from_how_many_to_how_many(said: str) -> None:
    assert scaled(f"Scaled up replica set api-5d {said}") == {"scaled_from": "3", "scaled_to": "9"}


def test_the_newest_of_several_steps_up_is_told() -> None:
    first, last = "Scaled up replica set api-5d from 0 to 3", "Scaled up replica set api-5d from 3 to 9"
    assert scaled(last, first) == {"scaled_from": "3", "scaled_to": "9"}


def test_of_two_steps_in_one_second_the_one_that_went_furthest_is_the_last() -> None:
    first, last = "Scaled up replica set api-5d from 0 to 3", "Scaled up replica set api-5d from 3 to 9"
    assert scaled(first, last) == {"scaled_from": "3", "scaled_to": "9"}


@pytest.mark.parametrize(
    "messages",
    [
        (),
        ("Scaled up replica set api-5d from 0 to 3",),
        ("Scaled up replica set api-5d to 3 from 0",),
        ("Scaled up replica set api-5d to 3",),
        ("Scaled up",),
        ("Scaled up replica set api-5d from ² to ³",),
        (f"Scaled up replica set api-5d to {'9' * 5000} from 3",),
        ("Scaled up replica set api-5d to many from few",),
        ("Scaled up replica set api-6e from 1 to 2", "Scaled down replica set api-5d from 2 to 1"),
    ],
)
def test_what_is_no_lone_step_up_by_numbers_tells_nothing(messages: tuple[str, ...]) -> None:
    assert scaled(*messages) == {}


# --- nodes ----------------------------------------------------------------------------------------------------------


def test_a_nodes_own_problem_shows_its_conditions_and_taints() -> None:
    node = examples.node(taints=[{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}])
    assert telling.node(node).splitlines() == [
        "Ready=True since an unknown time: KubeletReady kubelet is posting",
        "taint node.kubernetes.io/unreachable:NoExecute",
    ]


# --- odd objects ----------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    ["metadata", "name", "uid", "creationTimestamp", "status", "spec", "conditions", "type", "reason", "message",
     "containerStatuses", "initContainerStatuses", "state", "lastState", "terminated", "waiting", "running", "exitCode",
     "restartCount", "ready", "series", "count", "lastObservedTime", "lastTimestamp", "eventTime", "allocatable", "cpu",
     "taints", "unschedulable", "replicas", "annotations", "startedAt", "labels", "ownerReferences"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.sampled_from(["ScalingReplicaSet", "Scaled up replica set x from ² to ٣", "True", "Warning", "uid-pod"])
    | st.sampled_from(["Scaled up replica set x to 2 from 1", "yesterday", "9999-99-99", "2026-11-21T02:00:00Z"])
    | st.text(max_size=6)
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, ANYTHING, max_size=6)


@given(st.lists(OBJECTS, max_size=4), OBJECTS, st.booleans())
def test_no_object_is_too_odd_to_be_told(found: list[model.Json], obj: model.Json, own: bool) -> None:
    shown = examples.problem(examples.finding(resource=examples.API if own else examples.POD))
    target = examples.target(*found, obj=obj)
    for suspect in (telling.suspect(shown, target), telling.newest(found)):
        assert telling.status(shown, target, suspect).startswith("CrashLoopBackOff: ")
    assert len(telling.events(found, examples.NOW).splitlines()) <= len(found)
    assert all(value.isdecimal() for value in telling.scaling(found).values())
    for one in found:
        telling.node(one)


@given(st.floats(-1e9, 1e9))
def test_a_span_is_never_told_without_a_unit(seconds: float) -> None:
    amount, unit = telling.duration(seconds).split()
    assert int(amount) >= 0
    assert unit in ("s", "min", "h", "d")
    assert timedelta(seconds=max(0.0, seconds)) >= timedelta(**{_SPANS[unit]: int(amount)})


_SPANS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
