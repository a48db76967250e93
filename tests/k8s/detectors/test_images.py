"""ImagePull: a container cannot have its image, and what the registry answered."""

from datetime import timedelta

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b

IMAGE = "registry.example/app:1"


def _pull(reason: str, message: str = "", *, image: str = IMAGE, since: float = 600) -> model.Finding:
    status = b.waiting(reason, message, image=image)
    return b.only("ImagePull", pods=[b.pod(statuses=[status], phase="Pending", since=since)])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (f'rpc error: code = NotFound desc = failed to pull "{IMAGE}": {IMAGE}: not found', "not-found"),
        (f"manifest for {IMAGE} not found: manifest unknown", "not-found"),
        ("no match for platform in manifest sha256:abc", "not-found"),
        ("pull access denied, repository does not exist or may require authorization", "unauthorised"),
        ("failed to authorize: 401 Unauthorized", "unauthorised"),
        ("unexpected status from HEAD request: 403 Forbidden", "unauthorised"),
        ("dial tcp: lookup registry.example on 10.96.0.10:53: no such host", "unreachable"),
        ("dial tcp 10.0.0.9:443: i/o timeout", "unreachable"),
        ("dial tcp 10.0.0.9:443: connect: connection refused", "unreachable"),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "unreachable"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "unreachable"),
        ("unexpected status: 503 Service Unavailable", "unreachable"),
        ("toomanyrequests: You have reached your pull rate limit", "rate-limited"),
        ("invalid reference format: repository name must be lowercase", "bad-name"),
        ("something new", "unknown"),
    ],
)
def test_the_answer_of_the_registry_is_classified(message: str, kind: str) -> None:
    facts = _pull("ErrImagePull", message).facts
    assert facts["class"] == kind
    assert facts["answer"] == message


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("InvalidImageName", "bad-name"),
        ("ErrImageNeverPull", "never-pull"),
        ("ImageInspectError", "unknown"),
        ("ImagePullBackOff", "unknown"),
        ("RegistryUnavailable", "unreachable"),
        ("SignatureValidationFailed", "unknown"),
    ],
)
def test_a_reason_without_a_message_is_found_too(reason: str, kind: str) -> None:
    finding = _pull(reason)
    assert finding.facts["class"] == kind
    assert "answer" not in finding.facts
    assert finding.message.startswith(f"Container app of pod web-7d9f-abcde cannot pull {IMAGE}: ")


def test_the_name_of_the_image_does_not_decide() -> None:
    image = "registry.example/denied:unauthorized"
    assert _pull("ErrImagePull", f"{image}: manifest unknown", image=image).facts["class"] == "not-found"


def test_while_it_backs_off_the_answer_comes_from_the_events_and_so_does_the_beginning() -> None:
    pulling = b.pod(statuses=[b.waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')], phase="Pending")
    told = [
        b.event(pulling, "Pod", "Failed", "Error: ImagePullBackOff", container="app", firstTimestamp=b.ago(70)),
        b.event(
            pulling,
            "Pod",
            "Failed",
            "manifest unknown",
            container="app",
            firstTimestamp=b.ago(90),
            lastTimestamp=b.ago(60),
        ),
        b.event(pulling, "Pod", "Failed", "401 unauthorized", container="other", firstTimestamp=b.ago(300)),
    ]
    finding = b.only("ImagePull", pods=[pulling], events=told)
    assert (finding.facts["class"], finding.facts["answer"]) == ("not-found", "manifest unknown")
    assert finding.since == b.moment(90)
    assert finding.cause == IMAGE


def test_without_events_it_began_when_the_pod_stopped_being_ready() -> None:
    assert _pull("ErrImagePull", since=45).since == b.moment(45)


@pytest.mark.parametrize(("since", "mature"), [(29, False), (30, True)])
def test_its_grace_is_thirty_seconds(since: float, mature: bool) -> None:
    status = b.waiting("ErrImagePull")
    found = detection.detect(b.snapshot(pods=[b.pod(statuses=[status], phase="Pending", since=since)]))
    assert found.findings[0].grace == timedelta(seconds=30)
    assert found.problems[0].mature(b.NOW) is mature


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("library/nginx:1", "docker.io"),
        ("ghcr.io/acme/api:1", "ghcr.io"),
        ("localhost/api", "localhost"),
        ("registry:5000/api", "registry:5000"),
        ("nginx:1.27", "docker.io"),
    ],
)
def test_the_registry_is_named(image: str, registry: str) -> None:
    assert _pull("ErrImagePull", image=image).facts["registry"] == registry


def test_an_image_name_that_is_a_text_of_several_lines_stays_on_one() -> None:
    assert (
        "cannot pull app:1 RUN rm: the name is not a valid" in _pull("InvalidImageName", image="app:1\nRUN rm").message
    )


def test_no_image_name_at_all_is_no_error() -> None:
    assert "cannot pull its image" in _pull("ErrImagePull", image="").message


def test_init_and_debug_containers_are_seen_too_and_a_debug_container_is_p3() -> None:
    broken = b.pod(
        inits=[b.waiting("ErrImagePull", name="migrate")], ephemerals=[b.waiting("ErrImagePull", name="dbg")]
    )
    found = b.findings("ImagePull", pods=[broken])
    assert [(finding.container, finding.severity) for finding in found] == [("migrate", "P2"), ("dbg", "P3")]
    assert found[1].message.startswith("Ephemeral container dbg of pod")


def test_a_pod_that_has_failed_for_good_does_not_pull_any_more() -> None:
    assert b.findings("ImagePull", pods=[b.pod(statuses=[b.waiting("ErrImagePull")], phase="Failed")]) == []
