"""StuckCreating: what keeps a pod that has its node from being created, by the events of the kubelet."""

from datetime import timedelta
from typing import Any

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b

SETUP = 'MountVolume.SetUp failed for volume "settings" : '


def _pod(*statuses: b.Json, since: float = 600, **more: Any) -> b.Json:
    return b.pod(statuses=list(statuses) or [b.waiting("ContainerCreating")], phase="Pending", since=since, **more)


def _event(pod: b.Json, message: str, reason: str = "FailedMount", **times: Any) -> b.Json:
    return b.event(pod, "Pod", reason, message, **times)


def _facts(message: str, reason: str = "FailedMount") -> dict[str, str]:
    pod = _pod()
    return dict(b.only("StuckCreating", pods=[pod], events=[_event(pod, message, reason)]).facts)


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        (SETUP + 'configmap "web" not found', "ConfigMap web"),
        (SETUP + 'secret "web-tls" not found', "Secret web-tls"),
        (SETUP + "configmap references non-existent config key: url", "key url of a ConfigMap"),
        (SETUP + "references non-existent secret key: token", "key token of a Secret"),
        (
            'MountVolume.SetUp failed for volume "x" : failed to fetch token: serviceaccounts "web" not found',
            "ServiceAccount web",
        ),
        (
            'Unable to attach: unmounted volumes=[data]: failed to fetch PVC: persistentvolumeclaim "data" not found',
            "PersistentVolumeClaim data",
        ),
    ],
)
def test_what_is_missing_is_named_and_is_the_cause(message: str, missing: str) -> None:
    pod = _pod()
    finding = b.only("StuckCreating", pods=[pod], events=[_event(pod, message)])
    assert (finding.cause, finding.facts["missing"], finding.facts["class"]) == (missing, missing, "missing")
    assert finding.facts.get("missing_name", "") == ("" if missing.startswith("key") else missing.split()[1])


def test_the_sentence_names_the_volume_that_needs_it() -> None:
    pod = _pod()
    finding = b.only("StuckCreating", pods=[pod], events=[_event(pod, SETUP + 'configmap "web" not found')])
    assert finding.message == (
        "Pod web-7d9f-abcde cannot be created on its node: ConfigMap web, which its volume settings needs, "
        "does not exist."
    )
    assert (finding.severity, finding.node, finding.since) == ("P2", "node-a", b.moment(600))


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) db-0', "in-use"),
        ("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal', "attach"),
        (
            "FailedAttachVolume",
            'AttachVolume.Attach failed for volume "pvc-1" : CSINode node-a does not contain driver ebs.csi.aws.com',
            "driver",
        ),
        (
            "FailedMount",
            'MountVolume.MountDevice failed for volume "pvc-1" : driver name nfs.csi.k8s.io not found in the list',
            "driver",
        ),
        ("FailedMount", 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32', "mount"),
        ("FailedMapVolume", "MapVolume.SetUpDevice failed", "mount"),
        ("FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: plugin type="calico" (cni)', "network"),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: failed to setup network for sandbox: no IP addresses available in range",
            "addresses",
        ),
        (
            "FailedCreatePodSandBox",
            'Failed to create pod sandbox: no runtime for "gvisor" is configured',
            "runtime-class",
        ),
        ("FailedCreatePodSandBox", "Failed to create pod sandbox: failed to reserve sandbox name", "sandbox"),
        ("NetworkNotReady", "network is not ready: container runtime network not ready: NetworkReady=false", "network"),
    ],
)
def test_what_fails_is_classified(reason: str, message: str, kind: str) -> None:
    facts = _facts(message, reason)
    assert (facts["class"], facts["reason"]) == (kind, reason)
    assert facts.get("volume", "") == ("pvc-1" if "pvc-1" in message else "nfs" if '"nfs"' in message else "")


def test_what_is_missing_counts_more_than_what_failed_in_passing() -> None:
    pod = _pod()
    passing = _event(pod, 'MountVolume.SetUp failed for volume "kube-api-access-x" : failed to fetch token: forbidden')
    told = _event(pod, SETUP + 'secret "web" not found', lastTimestamp=b.ago(90))
    assert b.only("StuckCreating", pods=[pod], events=[passing, told]).cause == "Secret web"


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes(since: float, mature: bool) -> None:
    pod = _pod(since=since)
    told = _event(pod, SETUP + 'secret "web" not found', firstTimestamp=b.ago(since - 1))
    found = detection.detect(b.snapshot(pods=[pod], events=[told]))
    assert found.findings[0].grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


@pytest.mark.parametrize(("seconds", "found"), [(900, True), (901, False)])
def test_a_failure_that_is_not_told_any_more_is_over(seconds: float, found: bool) -> None:
    pod = _pod()
    told = _event(pod, SETUP + "timed out", lastTimestamp=b.ago(seconds), firstTimestamp=b.ago(2000))
    assert bool(b.findings("StuckCreating", pods=[pod], events=[told])) is found


@pytest.mark.parametrize(
    "pod",
    [
        _pod(conditions=[b.node_condition("PodReadyToStartContainers", "True")]),
        _pod(b.waiting("ImagePullBackOff")),
        _pod(b.running(), b.waiting("ContainerCreating", name="side")),
        _pod(node=""),
        b.pod(statuses=[b.waiting("ContainerCreating")]),
        _pod(deletionTimestamp=b.ago(1)),
    ],
    ids=["its sandbox stands", "it waits for an image", "something runs", "no node", "it ran before", "deleted"],
)
def test_what_is_not_being_created_is_silent(pod: b.Json) -> None:
    told = _event(pod, SETUP + 'secret "web" not found')
    assert b.findings("StuckCreating", pods=[pod], events=[told]) == []


def test_a_pod_whose_containers_have_no_status_yet_is_found_too() -> None:
    pod = _pod() | {"status": {"phase": "Pending", "startTime": b.ago(600)}}
    told = _event(pod, SETUP + 'secret "web" not found')
    assert b.only("StuckCreating", pods=[pod], events=[told]).cause == "Secret web"


def test_an_event_without_words_or_time_breaks_nothing() -> None:
    pod = _pod()
    nothing = _event(pod, "", firstTimestamp=None, lastTimestamp=None)
    assert b.findings("StuckCreating", pods=[pod], events=[nothing]) == []
    silent = _event(pod, "") | {"message": None}
    assert b.only("StuckCreating", pods=[pod], events=[silent]).facts["class"] == "mount"
