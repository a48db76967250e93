"""What is found in that which a real API server gave, for every case of tests/likeness: no more and no less."""

from dataclasses import dataclass

import pytest

from k8s import detection, model, objects
from tests.k8s.detectors import recorded
from tests.likeness import cases


@dataclass(frozen=True)
class Expected:
    """A finding by its kind, what it is about, and words of its sentence or, where they have none, of its cause."""

    kind: str
    owner: str
    """`Deployment/api`: the top owner."""
    words: str
    severity: model.Severity = "P2"

    def fits(self, finding: model.Finding) -> bool:
        about = f"{finding.owner.kind}/{finding.owner.name}"
        named = (finding.kind, about, finding.severity) == (self.kind, self.owner, self.severity)
        return named and self.words in f"{finding.message} {finding.cause}"


def _cannot_pull(owner: str, words: str) -> Expected:
    return Expected("ImagePull", owner, words)


def _cannot_start(owner: str, words: str) -> Expected:
    return Expected("ConfigError", owner, f"cannot start: {words} does not exist")


def _cannot_create(owner: str, words: str) -> Expected:
    return Expected("StuckCreating", owner, f"cannot be created on its node: {words}")


def _unscheduled(name: str, words: str, severity: model.Severity = "P2") -> Expected:
    return Expected("Unschedulable", f"Deployment/{name}", words, severity)


NO_ANSWER = "the registry registry.invalid cannot be reached or does not answer"
_NO_FILE = " with \"cat: can't open '/tmp/healthy': No such file or directory\"."
NOT_READY = f"its readiness probe fails{_NO_FILE}"
NO_COMMAND = "its command does not exist in the image"

FOUND: dict[str, tuple[Expected, ...]] = {
    "crash-loop": (
        Expected(
            "CrashLoopBackOff", "Deployment/api", "keeps crashing: exit code 3 (Error) after 0 s, 2 restarts", "P1"
        ),
    ),
    "crash-loop-running": (
        Expected("CrashLoopBackOff", "Deployment/api", "exit code 3 (Error) after 4 s, 2 restarts"),
    ),
    "out-of-memory": (
        Expected("OOMKilled", "Deployment/index", "was OOM-killed when it reached its memory limit of 32Mi"),
        Expected("CrashLoopBackOff", "Deployment/index", "exit code 137 (OOMKilled)", "P1"),
        Expected("ReplicasMissing", "Deployment/index", "0 of 1 replicas ready", "P1"),
    ),
    "image-back-off": (_cannot_pull("Deployment/api", NO_ANSWER),),
    "image-error": (_cannot_pull("Deployment/api", NO_ANSWER),),
    "image-wrong": (
        _cannot_pull("Deployment/invalid", "registry.invalid/Shop/API:v1: the name is not a valid image reference"),
        _cannot_pull("Deployment/never", "it is not on the node and the pull policy is Never"),
    ),
    "configuration-missing": (
        _cannot_start("Deployment/no-config", "ConfigMap nowhere"),
        _cannot_start("Deployment/no-env-from", "ConfigMap nowhere"),
        _cannot_start("Deployment/no-key", "key url of ConfigMap there"),
        _cannot_start("Deployment/no-secret", "Secret nowhere"),
        _cannot_start("Deployment/no-secret-key", "key url of Secret there"),
    ),
    "command-missing": (
        Expected("ConfigError", "Deployment/api", NO_COMMAND),
        Expected("CrashLoopBackOff", "Deployment/api", "exit code 128 (StartError), 2 restarts", "P1"),
    ),
    "command-missing-back-off": (
        Expected("ConfigError", "Deployment/api", NO_COMMAND),
        Expected("CrashLoopBackOff", "Deployment/api", "exit code 128 (StartError), 1 restart", "P1"),
    ),
    "init-failing": (Expected("InitFailing", "Deployment/api", "Init container migrate of pod api-"),),
    "init-failed": (Expected("InitFailing", "Pod/once", "exit code 2 (Error) after 0 s, 0 restarts"),),
    "liveness": (
        Expected(
            "LivenessRestarts", "Deployment/exec", f"again and again (2 restarts): its liveness probe fails{_NO_FILE}"
        ),
        Expected("LivenessRestarts", "Deployment/http", "again and again (2 restarts): its liveness probe fails with"),
        Expected("CrashLoopBackOff", "Deployment/exec", "its liveness probe fails", "P1"),
        Expected("CrashLoopBackOff", "Deployment/http", "connect: connection refused", "P1"),
        Expected("ReplicasMissing", "Deployment/exec", "0 of 1 replicas ready", "P1"),
        Expected("ReplicasMissing", "Deployment/http", "0 of 1 replicas ready", "P1"),
    ),
    "startup": (
        Expected(
            "LivenessRestarts", "Deployment/api", f"again and again (2 restarts): its startup probe fails{_NO_FILE}"
        ),
        Expected("CrashLoopBackOff", "Deployment/api", "its startup probe fails", "P1"),
    ),
    "unschedulable": (
        _unscheduled(
            "affinity", "says: \"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector\"."
        ),
        _unscheduled("claim", "its volume is not available"),
        _unscheduled("cpu", "not enough CPU is free. It asks for 1000 CPU"),
        _unscheduled("gated", "is held back by scheduling gates: watchkeeper.test/wait", "P3"),
        _unscheduled("gpu", "not enough GPUs are free. It asks for 1 nvidia.com/gpu"),
        _unscheduled("memory", "not enough memory is free. It asks for 10m CPU, 9000Gi memory"),
        _unscheduled("selector", "no node matches its selector"),
    ),
    "port-taken": (_unscheduled("proxy", "its host port is taken on every node"),),
    "claim-pending": (
        Expected(
            "PVCPending", "Deployment/store", "PersistentVolumeClaim data has no volume: it names no StorageClass"
        ),
        Expected(
            "PVCPending", "PersistentVolumeClaim/classy", "has no volume: its StorageClass nowhere does not exist."
        ),
        _unscheduled("store", "its volume is not available"),
    ),
    "volume-missing": (
        _cannot_create("Deployment/no-config", "ConfigMap nowhere, which its volume settings needs, does not exist."),
        _cannot_create("Deployment/no-key", "key url of a ConfigMap, which its volume settings needs, does not exist."),
        _cannot_create("Deployment/no-secret", "Secret nowhere, which its volume settings needs, does not exist."),
    ),
    "logs": (_cannot_create("Pod/creating", "ConfigMap nowhere, which its volume x needs, does not exist."),),
    "held": (Expected("StuckTerminating", "Pod/held", "still there: the finalizer watchkeeper.test/held holds", "P3"),),
    "rollout-stuck": (
        _cannot_pull("Deployment/api", NO_ANSWER),
        Expected("RolloutStuck", "Deployment/api", "revision 2 is stuck: 0 of its new pods are ready, 2 of 2 replicas"),
    ),
    "quota": (
        Expected(
            "QuotaExhausted",
            "ResourceQuota/few",
            "refuses new pods (pods 1 of 1): Deployment api cannot have all of theirs.",
        ),
        Expected("ReplicasMissing", "Deployment/api", "1 of 2 replicas ready: a quota or limit refuses new pods"),
    ),
    "account-missing": (
        Expected(
            "ReplicasMissing", "Deployment/api", "0 of 1 replicas ready: its service account does not exist", "P1"
        ),
    ),
    "jobs": (
        Expected("JobFailed", "Job/failing", "its last pod ended with exit code 1"),
        Expected("JobFailed", "Job/slow", "it ran longer than its deadline"),
    ),
    "cron-jobs": (Expected("JobFailed", "CronJob/broken", "its last pod ended with exit code 1"),),
    "stateful-set-stuck": (
        Expected("StatefulSetStuck", "StatefulSet/store", "The Service store that StatefulSet store names as its own"),
        Expected("StatefulSetStuck", "StatefulSet/store", "is held by its pod store-0, which is not ready"),
        Expected("NotReady", "StatefulSet/store", NOT_READY),
        Expected("ReplicasMissing", "StatefulSet/store", "0 of 2 replicas ready", "P1"),
    ),
    "daemon-sets": (
        Expected("NotReady", "DaemonSet/lame", NOT_READY),
        Expected("DaemonSetIncomplete", "DaemonSet/lame", "DaemonSet lame is not available on 1 of 1 nodes."),
    ),
    "autoscalers": (
        Expected("HPABroken", "Deployment/api", "does not scale: it has no metrics of its target Deployment api."),
        Expected(
            "HPABroken", "HorizontalPodAutoscaler/lost", "does not scale: its target Deployment lost does not exist."
        ),
    ),
    "services": (
        Expected("ServiceNoEndpoints", "Deployment/lame", "the one pod of Deployment lame is not ready.", "P1"),
        Expected(
            "ServiceNoEndpoints", "Service/typo", "its selector app=wbe matches no pod; app=web would match 1 pod."
        ),
    ),
}
"""Case → all that is found in it at any age."""

SILENT = frozenset(
    {
        "healthy",
        "init-running",
        "readiness",  # these Deployments are still within the deadline of their rollout
        "paused",
        "scaled-to-zero",
        "job-retrying",
        "nodes",
        "restarted",
        "scale",
        "refusals",
        "forbidden",
        "dry-runs",
        "pages",
        "budget-full",  # nobody drains the node
    }
)


def test_every_case_is_in_the_table() -> None:
    assert FOUND.keys() | SILENT == cases.BY_NAME.keys()
    assert not FOUND.keys() & SILENT


@pytest.mark.parametrize("case", sorted(cases.BY_NAME))
def test_a_real_cluster_is_read_whole(case: str) -> None:
    seen = recorded.look(case)
    assert (seen.degraded, seen.odd) == ({}, 0)


@pytest.mark.parametrize("case", sorted(cases.BY_NAME))
def test_what_is_found_in_a_real_cluster(case: str) -> None:
    found = detection.detect(recorded.look(case))
    assert not found.errors
    expected = FOUND.get(case, ())
    missed = [each for each in expected if not any(each.fits(finding) for finding in found.findings)]
    surplus = [finding for finding in found.findings if not any(each.fits(finding) for each in expected)]
    assert (missed, surplus) == ([], [])


@pytest.mark.parametrize("case", sorted(FOUND))
def test_nothing_has_been_wrong_for_longer_than_its_namespace_exists(case: str) -> None:
    """A container that could not be started has ended in 1970: what no runtime knows must not be taken for a time."""
    seen = recorded.look(case)
    made = objects.moment(seen.namespaces[0].metadata.creation_timestamp)
    assert made is not None
    for finding in detection.detect(seen).findings:
        assert made <= finding.since <= seen.taken_at
        assert " d, " not in finding.message


@pytest.mark.parametrize("case", sorted(FOUND))
def test_a_sentence_holds_no_line_break(case: str) -> None:
    """What a probe's command printed ends in one."""
    found = detection.detect(recorded.look(case))
    assert [finding.message for finding in found.findings if "\n" in finding.message] == []
