"""Judging what was touched: what is mature is told once, what is too young is looked at again when it is old enough."""

from datetime import timedelta

from k8s import detection, indexing, judging, live, model
from tests.k8s import pictures
from tests.k8s.detectors import builders as b

WEB = ("owner", "uid-web")
SECOND = timedelta(seconds=1)


class Bench:
    """A judge with its picture, and the time."""

    def __init__(self, *items: tuple[str, b.Json], scope: model.Scope | None = None, **graces: timedelta) -> None:
        self.picture = live.Picture("test")
        self.judge = judging.Judge(self.picture, scope or model.Scope(), detection.Options(graces=graces))
        self.now = b.NOW
        for name, item in items:
            self.change(name, item)
        self.picture.take(1000)

    def change(self, name: str, item: b.Json) -> None:
        self.picture.changed(name, pictures.decoded(name, item))

    def look(self, *keys: live.Key, after: timedelta = timedelta(0)) -> list[str]:
        """Judges these, or what was touched and what is due; the subjects that are told."""
        return [str(problem.subject) for problem in self.problems(*keys, after=after)]

    def problems(self, *keys: live.Key, after: timedelta = timedelta(0)) -> tuple[model.Problem, ...]:
        self.now += after
        wanted = [*keys] or [*self.picture.take(1000), *self.judge.due(self.now)]
        asked = judged = self.judge.question(wanted, self.now, {})
        found = self.judge.ask(asked)
        wider = self.judge.wider(asked, found)
        if wider is not None:
            judged, found = wider, self.judge.ask(wider)
        told = self.judge.conclude(asked, judged, found)
        self.judge.told(told, self.now)
        return told


def web(*pods: b.Json) -> tuple[tuple[str, b.Json], ...]:
    lists = (("deployments", b.deployment()), ("replicasets", b.replicaset()))
    return *lists, *(("pods", pod) for pod in pods)


def pulling(name: str = "a", *, since: float, owner: str = "") -> b.Json:
    said = 'failed to pull image "registry.example/app:1": dial tcp 10.0.0.1:443: i/o timeout'
    owners = b.controlled("ReplicaSet", owner) if owner else None
    return b.pod(name, [b.waiting("ImagePullBackOff", said)], phase="Pending", since=since, owner=owners)


def test_a_crash_is_told_at_once_and_not_again_for_a_while() -> None:
    bench = Bench(*web())
    bench.change("pods", b.pod("a", [b.crashed()]))
    (problem,) = bench.problems()
    assert str(problem.subject) == "Deployment/shop/web"
    assert problem.primary.kind == "CrashLoopBackOff"
    bench.change("pods", b.pod("a", [b.crashed() | {"restartCount": 13}]))
    assert bench.look(after=SECOND) == []
    assert bench.judge.next_look is None
    bench.change("pods", b.pod("a", [b.crashed() | {"restartCount": 14}]))
    assert bench.look(after=judging.REMIND) == ["Deployment/shop/web"]


def test_another_cause_of_the_same_subject_is_told_at_once() -> None:
    bench = Bench(*web())
    bench.change("pods", b.pod("a", [b.crashed()]))
    assert bench.look() == ["Deployment/shop/web"]
    bench.change("pods", b.pod("a", [b.crashed(exit_code=137, reason="OOMKilled")]))
    assert bench.look(after=SECOND) == ["Deployment/shop/web"]


def test_what_is_too_young_is_looked_at_again_when_its_grace_ends_with_nothing_having_changed() -> None:
    bench = Bench(*web(), ImagePull=timedelta(seconds=30))
    bench.change("pods", pulling(since=10))
    assert bench.look() == []
    at = bench.judge.next_look
    assert at is not None
    assert b.NOW < at <= b.NOW + timedelta(seconds=30)
    assert bench.look(after=at - b.NOW - SECOND / 10) == []
    assert bench.look(after=SECOND / 10) == ["Deployment/shop/web"]
    assert bench.judge.next_look is None


def test_what_is_well_again_before_its_grace_ends_is_never_told() -> None:
    bench = Bench(*web(), ImagePull=timedelta(seconds=30))
    bench.change("pods", pulling(since=10))
    assert bench.look() == []
    bench.change("pods", b.pod("a"))
    assert bench.look(after=timedelta(minutes=1)) == []
    assert bench.judge.next_look is None


def test_a_state_whose_time_nobody_knows_is_mature_when_it_was_seen_for_its_grace() -> None:
    unknown = b.pod("a", [b.waiting("CreateContainerConfigError", 'secret "x" not found')], phase="Pending")
    for place in ("startTime",):
        del unknown["status"][place]
    unknown["status"]["conditions"] = []
    del unknown["metadata"]["creationTimestamp"]
    bench = Bench(*web())
    bench.change("pods", unknown)
    assert bench.look() == []
    assert bench.look(WEB, after=timedelta(seconds=20)) == []
    assert bench.look(after=timedelta(seconds=11)) == ["Deployment/shop/web"]


def test_the_same_state_after_a_gap_begins_anew() -> None:
    unknown = b.pod("a", [b.waiting("CreateContainerConfigError", 'secret "x" not found')], phase="Pending")
    del unknown["status"]["startTime"], unknown["metadata"]["creationTimestamp"]
    unknown["status"]["conditions"] = []
    bench = Bench(*web())
    bench.change("pods", unknown)
    assert bench.look() == []
    bench.change("pods", b.pod("a"))
    assert bench.look(WEB, after=timedelta(seconds=20)) == []
    bench.change("pods", unknown)
    assert bench.look(after=timedelta(seconds=20)) == []


def test_what_is_mature_much_later_is_left_to_the_sweeps() -> None:
    bench = Bench(*web(), ImagePull=timedelta(hours=1))
    bench.change("pods", pulling(since=10))
    assert bench.look() == []
    assert bench.judge.next_look is None


def test_a_node_takes_its_pods_only_when_it_is_lost() -> None:
    bench = Bench(*web(b.pod("b")))
    bench.change("nodes", b.node("node-a", b.node_condition("Ready", "Unknown", since=10)))
    bench.change("pods", b.pod("a", [b.crashed()]))
    assert bench.look() == ["Deployment/shop/web"]
    assert bench.look(after=timedelta(seconds=51)) == ["Node/node-a"]


def test_the_pods_of_a_node_are_all_counted() -> None:
    bench = Bench(*web(b.pod("a"), b.pod("b"), b.pod("c", owner=[])))
    bench.change("nodes", b.node("node-a", b.node_condition("Ready", "False", since=90)))
    (problem,) = bench.problems()
    assert problem.primary.facts["pods"] == "3"


def test_workloads_that_share_a_cause_are_one_problem_also_where_one_was_known_before() -> None:
    other = (("deployments", b.deployment("api")), ("replicasets", b.replicaset("api-1", deployment="api")))
    bench = Bench(*web(), *other, ("pods", pulling("b", since=300, owner="api-1")))
    bench.change("pods", pulling("a", since=300))
    assert bench.look() == ["Registry/registry.example"]


def test_what_was_not_asked_for_is_not_told_though_it_was_looked_at_beside() -> None:
    other = (("deployments", b.deployment("api")), ("replicasets", b.replicaset("api-1", deployment="api")))
    bench = Bench(*web(), *other, ("pods", b.pod("b", [b.crashed()], owner=b.controlled("ReplicaSet", "api-1"))))
    bench.change("pods", pulling("a", since=300))
    assert bench.look() == ["Deployment/shop/web"]


def test_an_eviction_alone_is_left_to_the_sweeps_and_goes_along_with_what_is_more() -> None:
    evicted = b.pod("a", [], phase="Failed")
    evicted["status"]["reason"] = "Evicted"
    bench = Bench(*web())
    bench.change("deployments", b.deployment(ready=1))
    bench.change("pods", evicted)
    assert bench.look() == []
    bench.change("pods", b.pod("b", [b.crashed()]))
    (problem,) = bench.problems(after=SECOND)
    assert {"Evicted", "CrashLoopBackOff"} <= set(problem.kinds)


def test_a_pod_waits_a_moment_for_its_owner_to_be_heard_of() -> None:
    bench = Bench()
    bench.change("pods", b.pod("a", [b.crashed()]))
    assert bench.look() == []
    assert bench.judge.next_look == b.NOW + judging.SOON
    for name, item in web():
        bench.change(name, item)
    assert bench.look(after=SECOND) == ["Deployment/shop/web"]


def test_a_pod_whose_owner_is_never_heard_of_is_left_to_the_sweeps() -> None:
    bench = Bench()
    bench.change("pods", b.pod("a", [b.crashed()]))
    for _ in range(20):
        assert bench.look(after=SECOND) == []
    assert bench.judge.next_look is None


def test_what_is_out_of_scope_or_muted_is_not_told() -> None:
    crash = b.pod("a", [b.crashed()])
    bench = Bench(*web(), scope=model.Scope(exclude=("shop",)))
    bench.change("pods", crash)
    assert bench.look() == []
    muted = {"metadata": {"name": "shop", "uid": "uid-shop", "annotations": {indexing.IGNORE: "CrashLoopBackOff"}}}
    bench = Bench(*web(), ("namespaces", muted), ("pods", b.pod("b")))
    bench.change("deployments", b.deployment())
    bench.change("pods", crash)
    assert all("CrashLoopBackOff" not in problem.kinds for problem in bench.problems())


def test_what_is_remembered_is_bounded() -> None:
    bench = Bench(*web())
    for number in range(judging.MOST + 50):
        bench.judge._later([("owner", str(number))], bench.now + SECOND, bench.now)
    assert len(bench.judge._agenda) == judging.MOST


def test_only_lists_that_are_followed_are_rested_on() -> None:
    assert not set(judging.UNREAD) & set(live.KINDS)
    assert {"services", "secrets", "resourcequotas"} <= set(judging.UNREAD)
    fast = {kind for detector in judging.DETECTORS for kind in detector.kinds}
    short = {kind for kind, info in detection.KINDS.items() if info.grace <= timedelta(seconds=60)}
    left = {kind for kind in short - fast if not detection.report_only(kind)}
    assert {kind for kind in left if set(detection.reads(kind)) <= set(live.KINDS)} == set()
    assert {"CrashLoopBackOff", "OOMKilled", "ImagePull", "ConfigError", "InitFailing", "JobFailed"} <= fast
    assert {"NodeNotReady", "NodePressure", "RolloutStuck", "LivenessRestarts"} <= fast
