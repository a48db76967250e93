"""From findings to problems: symptoms of one cause share one subject."""

import random

import pytest

from k8s import detection, indexing, model
from tests.k8s.detectors import builders as b

WEB = model.ResourceRef("Deployment", "shop", "web", "uid-web")
LOST = b.node("node-a", b.node_condition("Ready", "Unknown"))


def _problems(**lists: list[b.Json]) -> tuple[model.Problem, ...]:
    found = detection.detect(b.snapshot(**lists))
    assert not found.errors
    return found.problems


def test_a_crash_and_what_it_does_to_the_workload_are_one_problem() -> None:
    (problem,) = _problems(**b.whole(b.pod(statuses=[b.crashed()]), b.pod("ok")))
    assert problem.subject == WEB
    assert problem.kinds == ("CrashLoopBackOff", "ReplicasMissing")
    assert (problem.ready, problem.desired, problem.severity) == (1, 2, "P2")


def test_the_worst_finding_gives_the_severity() -> None:
    pulling = b.pod(statuses=[b.waiting("ErrImagePull")], phase="Pending")
    (problem,) = _problems(**b.whole(pulling, ready=0))
    assert (problem.primary.kind, problem.primary.severity, problem.severity) == ("ImagePull", "P2", "P1")


def test_forty_crashing_pods_make_one_line() -> None:
    pods = [b.pod(f"web-7d9f-{n:02}", [b.crashed()], node=f"node-{n % 3}") for n in range(40)]
    pods[7]["status"]["containerStatuses"][0]["lastState"] = b.ended(started=900, finished=890)
    problem = _problems(**b.whole(*pods, ready=0))[0]
    crash, missing = problem.findings
    assert crash.facts["pods"] == "40"
    assert crash.message.endswith(" The same holds for 39 more.")
    assert (crash.resource.name, crash.since) == ("web-7d9f-07", b.moment(900))
    assert missing.kind == "ReplicasMissing"
    assert "pods" not in missing.facts


def test_other_containers_and_other_causes_stay_apart() -> None:
    pods = [
        b.pod("one", [b.crashed(exit_code=1), b.crashed("log")]),
        b.pod("two", [b.crashed(exit_code=2), b.running("log")]),
    ]
    (problem,) = _problems(pods=pods)
    assert [(finding.container, finding.cause) for finding in problem.findings] == [
        ("app", "app exit 1"),
        ("app", "app exit 2"),
        ("log", "log exit 1"),
    ]


def test_the_worst_severity_of_equal_findings_counts() -> None:
    (finding,) = detection.detect(b.snapshot(pods=[b.pod("one", [b.crashed()])])).findings
    worse = model.Finding(
        "CrashLoopBackOff", "P1", finding.resource, finding.owner, "", b.NOW, finding.cause, container="app"
    )
    (problem,) = detection.fold([finding, worse], indexing.Index(b.snapshot()))
    assert problem.severity == problem.primary.severity == "P1"
    assert problem.primary.message.endswith(" The same holds for one more.")


def test_what_sits_on_a_lost_node_folds_into_the_node() -> None:
    crashed = b.pod("a", [b.crashed()], node="node-a")
    elsewhere = b.pod("b", [b.crashed()], node="node-b", owner=b.controlled("ReplicaSet", "api-1"))
    node, other = _problems(
        nodes=[LOST, b.node("node-b")],
        **b.whole(crashed, b.pod("c")) | {"pods": [crashed, b.pod("c", node="node-b"), elsewhere]},
    )
    assert node.subject == model.ResourceRef("Node", "", "node-a", "uid-node-a")
    assert node.kinds == ("NodeNotReady", "CrashLoopBackOff", "ReplicasMissing")
    assert (node.ready, node.desired) == (None, None)
    assert other.subject.name == "api-1"


def test_a_node_that_is_not_ready_for_a_moment_takes_nothing_yet() -> None:
    young = b.node("node-a", b.node_condition("Ready", "Unknown", since=59))
    old = b.node("node-a", b.node_condition("Ready", "Unknown", since=60))
    crashed = b.pod("a", [b.crashed()])
    node, other = _problems(nodes=[young], pods=[crashed])
    assert (node.subject.kind, node.mature(b.NOW)) == ("Node", False)
    assert (other.subject.kind, other.mature(b.NOW)) == ("ReplicaSet", True)
    assert len(_problems(nodes=[old], pods=[crashed])) == 1


@pytest.mark.parametrize(("before", "problems"), [(300, 1), (301, 2)])
def test_what_began_long_before_its_node_was_lost_has_a_cause_of_its_own(before: float, problems: int) -> None:
    node = b.node("node-a", b.node_condition("Ready", "Unknown", since=120))
    crashed = b.pod("a", [b.crashed() | {"lastState": b.ended(started=120 + before, finished=100)}])
    assert len(_problems(nodes=[node], pods=[crashed])) == problems


def test_pressure_on_a_node_that_is_ready_takes_no_pods() -> None:
    pressed = b.node("node-a", b.node_condition("DiskPressure", "True"))
    problems = _problems(nodes=[pressed], pods=[b.pod(statuses=[b.crashed()])])
    assert {problem.subject.kind for problem in problems} == {"Node", "ReplicaSet"}


def test_pressure_on_a_lost_node_is_the_nodes() -> None:
    node = b.node("node-a", b.node_condition("DiskPressure", "True"), b.node_condition("Ready", "False"))
    (problem,) = _problems(nodes=[node])
    assert problem.kinds == ("NodeNotReady", "NodePressure")
    node["status"]["conditions"][0]["lastTransitionTime"] = b.ago(9000)
    assert _problems(nodes=[node])[0].kinds == ("NodeNotReady", "NodePressure")


def test_the_jobs_of_a_cron_job_fold_into_it() -> None:
    jobs = [b.job(name, conditions=[b.job_failed()], cronjob="report") for name in ("report-1", "report-2")]
    crashing = b.pod("report-3-x", [b.crashed()], owner=b.controlled("Job", "report-3"))
    (problem,) = _problems(jobs=[*jobs, b.job("report-3", cronjob="report")], pods=[crashing])
    assert (problem.subject.kind, problem.subject.name) == ("CronJob", "report")
    assert problem.kinds == ("CrashLoopBackOff", "JobFailed")
    assert problem.findings[1].facts["count"] == "2"


def test_a_rollout_within_its_deadline_whose_new_pods_cannot_pull_is_one_problem() -> None:
    (problem,) = _problems(
        deployments=[b.deployment(ready=2, updated=1, conditions=[b.progressing("True", "ReplicaSetUpdated")])],
        replicasets=[b.replicaset("web-new", revision=2, replicas=1, ready=0), b.replicaset("web-old", revision=1)],
        pods=[
            b.pod("new", [b.waiting("ErrImagePull")], phase="Pending", owner=b.controlled("ReplicaSet", "web-new")),
            b.pod("old", owner=b.controlled("ReplicaSet", "web-old")),
        ],
    )
    assert problem.subject == WEB
    assert problem.kinds == ("ImagePull",)


def test_a_stuck_rollout_and_the_cause_in_its_pods_are_one_problem() -> None:
    (problem,) = _problems(
        deployments=[b.deployment(ready=2, updated=1, conditions=[b.progressing("False", "ProgressDeadlineExceeded")])],
        replicasets=[b.replicaset("web-new", revision=2, replicas=1, ready=0)],
        pods=[b.pod("new", [b.waiting("ErrImagePull")], phase="Pending", owner=b.controlled("ReplicaSet", "web-new"))],
    )
    assert problem.kinds == ("ImagePull", "RolloutStuck")


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_the_findings_does_not_matter(seed: int) -> None:
    pods = [b.pod(f"p{n}", [b.crashed(exit_code=n % 2)], node=f"node-{'ab'[n % 2]}") for n in range(12)]
    pods += [b.pod(f"i{n}", [b.waiting("ErrImagePull")], phase="Pending", node="node-b") for n in range(3)]
    snapshot = b.snapshot(nodes=[LOST], jobs=[b.job(conditions=[b.job_failed()])], **b.whole(*pods, ready=0))
    found = detection.detect(snapshot)
    shuffled = list(found.findings)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    assert detection.fold(shuffled, indexing.Index(snapshot)) == found.problems


def test_the_worst_problem_comes_first() -> None:
    problems = _problems(
        jobs=[b.job("a", conditions=[b.job_failed()])],
        deployments=[b.deployment("z", ready=0), b.deployment("b", ready=0)],
    )
    assert [(problem.severity, problem.subject.name) for problem in problems] == [("P1", "b"), ("P1", "z"), ("P2", "a")]
