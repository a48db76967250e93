"""Detectors of somebody's own: what they find, and that a sweep comes to its end whatever they do."""

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import custom, detection, indexing, model, objects, ruling, symptoms

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
CERTIFICATES = "cert-manager.io/v1/Certificate"
RULE = """\
- kind: CertificateNotReady
  resource: {apiVersion: cert-manager.io/v1, kind: Certificate}
  when: object.?status.?conditions.orValue([]).exists(c, c.type == "Ready" && c.status != "True")
  message: '"Certificate " + object.metadata.name + " is not ready"'
"""


def rules(*more: str, text: str = RULE) -> tuple[ruling.Rule, ...]:
    found, faults = ruling.parse(text + "".join(f"  {line}\n" for line in more), "rules.yaml", tuple(detection.KINDS))
    assert faults == ()
    return found


def certificate(name: str = "web", ready: str = "False", **meta: Any) -> model.Json:
    metadata = {"name": name, "namespace": "payments", "uid": f"uid-{name}", **meta}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def snapshot(*found: model.Json, **fields: Any) -> model.Snapshot:
    rests = {"CertificateNotReady": (CERTIFICATES,)}
    return dataclasses.replace(model.Snapshot("prod", NOW, custom={CERTIFICATES: found}, rests=rests), **fields)


def options(own: custom.Custom, **more: Any) -> detection.Options:
    return detection.Options(own=own, **more)


def detected(seen: model.Snapshot, *given_: ruling.Rule, **more: Any) -> detection.Detection:
    own = custom.of(given_, (), time.monotonic)
    return detection.detect(dataclasses.replace(seen, rests=own.rests), options(own, **more))


# --- rules


def test_a_rule_finds_what_it_describes_and_nothing_else() -> None:
    found = detected(snapshot(certificate(), certificate("api", "True"), {"metadata": {"name": "bare"}}), *rules())
    (finding,) = found.findings
    assert (finding.kind, finding.severity, finding.message) == (
        "CertificateNotReady",
        "P2",
        "Certificate web is not ready",
    )
    assert finding.resource == finding.owner == model.ResourceRef("Certificate", "payments", "web", "uid-web")
    assert (finding.since, finding.cause, finding.facts) == (NOW, "", {"rule": "rules.yaml:1"})
    assert found.errors == {}
    assert [problem.subject for problem in found.problems] == [finding.resource]


def test_a_rule_says_its_severity_grace_time_and_cause() -> None:
    given_ = rules(
        "severity: P1",
        "grace: 5m",
        "since: object.metadata.creationTimestamp",
        "cause: object.metadata.namespace",
        "doc: https://example.org/x",
        "next_step: Look at the Order.",
    )
    (finding,) = detected(snapshot(certificate(creationTimestamp="2026-11-21T03:00:00Z")), *given_).findings
    assert (finding.severity, finding.grace, finding.cause) == ("P1", timedelta(minutes=5), "payments")
    assert finding.since == NOW - timedelta(hours=1)
    assert finding.facts["doc"] == "https://example.org/x"
    assert finding.facts["next_step"] == "Look at the Order."


@pytest.mark.parametrize("told", ["2126-11-21T03:00:00Z", "yesterday", "2026-11-21", ""])
def test_a_time_that_is_none_or_to_come_is_the_time_of_the_sweep(told: str) -> None:
    given_ = rules("since: object.metadata.creationTimestamp")
    (finding,) = detected(snapshot(certificate(creationTimestamp=told)), *given_).findings
    assert finding.since <= NOW
    (finding,) = detected(snapshot(certificate()), *given_).findings
    assert finding.since == NOW


def test_an_object_folds_into_its_controller_unless_the_rule_says_that_it_stands_for_itself() -> None:
    owner = {
        "kind": "Ingress",
        "name": "shop",
        "uid": "uid-shop",
        "controller": True,
        "apiVersion": "networking.k8s.io/v1",
    }
    seen = snapshot(certificate(ownerReferences=[owner]))
    (finding,) = detected(seen, *rules()).findings
    assert finding.owner == model.ResourceRef("Ingress", "payments", "shop", "uid-shop")
    (finding,) = detected(seen, *rules("owner: self")).findings
    assert finding.owner == finding.resource


def test_a_foreign_kind_of_a_known_name_keeps_its_group() -> None:
    assert custom.name_of(ruling.Wanted("serving.knative.dev/v1", "Service")) == "Service.serving.knative.dev"
    assert custom.name_of(ruling.Wanted("v1", "Service")) == "Service"
    assert custom.name_of(ruling.Wanted("networking.k8s.io/v1", "Ingress")) == "Ingress"
    assert custom.name_of(ruling.Wanted("cert-manager.io/v1", "Certificate")) == "Certificate"


def test_a_look_that_was_not_made_for_a_rule_is_not_asked() -> None:
    own = custom.of(rules(), (guarded(FOUND),), time.monotonic)
    found = detection.detect(snapshot(certificate(), rests={}), options(own))
    assert (found.findings, found.errors) == ((), {})


def test_only_the_namespaces_of_the_rule_are_asked() -> None:
    seen = snapshot(certificate(), certificate("b", namespace="team-b"), certificate("c", namespace=""))
    assert [one.resource.name for one in detected(seen, *rules('namespaces: ["team-*"]')).findings] == ["b"]


def test_settings_hold_for_kinds_of_ones_own() -> None:
    seen = snapshot(certificate())
    (finding,) = detected(
        seen,
        *rules(),
        graces={"CertificateNotReady": timedelta(minutes=9)},
        severities={"CertificateNotReady": "P3"},
    ).findings
    assert (finding.grace, finding.severity) == (timedelta(minutes=9), "P3")
    assert detected(seen, *rules(), disabled=frozenset({"CertificateNotReady"})).findings == ()


@pytest.mark.parametrize("mark", ["true", "certificatenotready", "NotReady, CertificateNotReady"])
def test_an_object_that_is_marked_is_muted_and_counted(mark: str) -> None:
    found = detected(snapshot(certificate(annotations={indexing.IGNORE: mark})), *rules())
    assert (found.findings, found.muted) == ((), 1)


def test_a_namespace_that_is_marked_mutes_what_is_in_it() -> None:
    space = objects.Namespace(metadata=objects.Meta(name="payments", annotations={indexing.IGNORE: "true"}))
    found = detected(snapshot(certificate(), namespaces=[space]), *rules())
    assert (found.findings, found.muted) == ((), 1)


def test_an_object_without_an_answer_is_told_and_the_others_are_found() -> None:
    text = RULE.replace("object.?status.?conditions.orValue([])", "object.status.conditions")
    found = detected(snapshot({"metadata": {"name": "new"}}, certificate()), *rules(text=text))
    assert [one.resource.name for one in found.findings] == ["web"]
    (told,) = found.errors.values()
    assert told.startswith("The rule in rules.yaml:1 has no answer for 1 of 2 objects (new: ")


def test_one_bad_rule_does_not_end_the_sweep_or_silence_another() -> None:
    bad = RULE.replace("CertificateNotReady", "Bad").replace("object.?status", "object.nothing.?status")
    found = detected(snapshot(certificate()), *rules(text=bad + RULE))
    assert [one.kind for one in found.findings] == ["CertificateNotReady"]
    assert list(found.errors) == ["Bad"]


def test_a_slow_rule_is_cut_and_what_it_found_until_then_is_kept() -> None:
    clock = itertools.count(0.0, 0.4)
    own = custom.of(rules(), (), lambda: next(clock))
    found = detection.detect(snapshot(*(certificate(str(number)) for number in range(50))), options(own))
    assert 0 < len(found.findings) < 50
    (told,) = found.errors.values()
    assert "took longer than 2 s and was cut short after" in told


def test_many_rules_share_the_time_of_a_sweep() -> None:
    text = "".join(RULE.replace("CertificateNotReady", f"Kind{number}") for number in range(100))
    own = custom.of(rules(text=text), (), time.monotonic)
    assert {detector._seconds for detector in own.detectors if isinstance(detector, custom.RuleDetector)} == {0.3}


def test_a_rule_that_matches_everything_is_cut() -> None:
    found = detected(snapshot(*(certificate(str(number)) for number in range(1500))), *rules())
    assert len(found.findings) == custom.MOST_FINDINGS
    assert "matches more than 1000 objects" in found.errors["CertificateNotReady"]


def test_a_message_that_cannot_be_made_or_is_endless_does_not_lose_the_finding() -> None:
    text = RULE.replace("object.metadata.name +", "object.spec.name +")
    (finding,) = detected(snapshot(certificate()), *rules(text=text)).findings
    assert finding.message.startswith("CertificateNotReady holds; its message could not be made (Key not found")
    (finding,) = detected(snapshot(certificate("x" * 900)), *rules()).findings
    assert len(finding.message) == custom.LONGEST_MESSAGE


def test_secrets_in_a_message_of_a_broken_rule_are_redacted() -> None:
    text = RULE.replace("object.?status.?conditions.orValue([])", "object.status.conditions")
    name = "postgres://app:" + "hunter2" + "hunter2@db/x"
    assert "hunter2" not in str(detected(snapshot({"metadata": {"name": name}}), *rules(text=text)).errors)


ALWAYS = """\
- kind: CertificateNotReady
  resource: {apiVersion: cert-manager.io/v1, kind: Certificate}
  when: "true"
  message: object.metadata.name
"""
TEXTS = st.text(max_size=8)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
META = st.dictionaries(st.sampled_from(["name", "namespace", "uid", "labels", "annotations", "ownerReferences"]), ODD)
OBJECTS = st.fixed_dictionaries({}, optional={"metadata": META | ODD, "status": ODD, "spec": ODD})


@settings(deadline=None, max_examples=80)
@given(st.lists(OBJECTS, max_size=4))
def test_no_object_however_odd_ends_a_sweep(listed: list[model.Json]) -> None:
    given_ = rules("since: object.metadata.name", "cause: object.spec.x", 'namespaces: ["*"]')
    always = rules(text=ALWAYS)
    for found in (detected(snapshot(*listed), *given_), detected(snapshot(*listed), *always)):
        assert all(custom.flaw_of(finding, ("CertificateNotReady",)) == "" for finding in found.findings)


# --- Python detectors


INFO = symptoms.KindInfo("QueueStuck", "P2", timedelta(0), "https://example.org", "a queue does not move")
REF = model.ResourceRef("Queue", "payments", "orders", "uid-1")
FOUND = model.Finding("QueueStuck", "P2", REF, REF, "The queue orders does not move.", NOW, "stuck")


class Queues:
    """A Python detector that does what a test says."""

    KINDS = (INFO,)
    reads = ("pods", "acme.io/v1/Queue")
    resources = (("acme.io/v1", "Queue"),)

    def __init__(self, *given_: Any, hang: threading.Event | None = None, error: BaseException | None = None) -> None:
        self.given = given_
        self.hang = hang
        self.error = error

    def detect(self, _snapshot: model.Snapshot, _index: model.Index) -> Iterable[Any]:
        yield from self.given
        if self.hang is not None:
            self.hang.wait(20)
        if self.error is not None:
            raise self.error


def guarded(*given_: Any, seconds: float = 5.0, **more: Any) -> custom.Guarded:
    return custom.Guarded(Queues(*given_, **more), "acme-detectors: queues", seconds)


def asked(plugin: custom.Guarded) -> detection.Detection:
    own = custom.of((), (plugin,), time.monotonic)
    return detection.detect(model.Snapshot("prod", NOW, rests=own.rests), options(own))


def test_a_python_detector_is_asked_beside_the_others() -> None:
    plugin = guarded(FOUND)
    own = custom.of(rules(), (plugin,), time.monotonic)
    assert own.wanted == (ruling.Wanted("acme.io/v1", "Queue"), ruling.Wanted("cert-manager.io/v1", "Certificate"))
    assert own.rests == {"CertificateNotReady": (CERTIFICATES,), "QueueStuck": ("pods", "acme.io/v1/Queue")}
    assert own.kinds["QueueStuck"].source == "acme-detectors: queues"
    found = asked(plugin)
    assert found.findings == (dataclasses.replace(FOUND, facts={"rule": "acme-detectors: queues"}),)
    assert found.errors == {}


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(3), RecursionError(), KeyError("y"), StopAsyncIteration()]
)
def test_whatever_a_python_detector_raises_is_an_error_of_its_kinds_alone(error: BaseException) -> None:
    found = asked(guarded(FOUND, error=error))
    assert [one.kind for one in found.findings] == ["QueueStuck"]
    assert found.errors == {"QueueStuck": f"The detector acme-detectors: queues broke off with {type(error).__name__}."}


def test_a_python_detector_that_hangs_is_left_behind_and_asked_again_once_it_is_back() -> None:
    hang = threading.Event()
    plugin = guarded(FOUND, hang=hang, seconds=0.05)
    found = asked(plugin)
    assert len(found.findings) == 1
    assert found.errors["QueueStuck"].endswith("took longer than 0.05 s and was left behind.")
    assert asked(plugin).errors["QueueStuck"].endswith("has not come back from an earlier sweep; it was not asked.")
    hang.set()
    for thread in plugin._left_behind:
        thread.join(5)
    assert asked(plugin).errors == {}


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"kind": "QueueStuck"}, "it is a dict"),
        (dataclasses.replace(FOUND, kind="NotReady"), "its kind is not one of KINDS"),
        (dataclasses.replace(FOUND, severity="high"), "its severity is not P1, P2 or P3"),  # type: ignore[arg-type]
        (dataclasses.replace(FOUND, since=datetime(2026, 1, 1)), "its `since` is no time with a time zone"),  # noqa: DTZ001
        (dataclasses.replace(FOUND, grace=5), "its grace is no timedelta"),  # type: ignore[arg-type]
        (dataclasses.replace(FOUND, owner=None), "its resource or owner is no ResourceRef"),  # type: ignore[arg-type]
        (dataclasses.replace(FOUND, owner=msgspec.structs.replace(REF, name=3)), "its resource or owner is no"),
        (dataclasses.replace(FOUND, message=None), "its message, cause, container or node is no text"),  # type: ignore[arg-type]
        (dataclasses.replace(FOUND, message="x" * 501), "its message is longer than 500"),
        (dataclasses.replace(FOUND, facts={"a": 1}), "its facts are no texts"),  # type: ignore[dict-item]
    ],
)
def test_what_is_no_finding_is_told_and_goes_no_further(given_: Any, told: str) -> None:
    found = asked(guarded(FOUND, given_, FOUND))
    assert len(found.findings) == 1
    assert f"gave a finding that is none: {told}" in found.errors["QueueStuck"]


def test_a_python_detector_that_finds_without_end_is_cut() -> None:
    found = asked(guarded(*[FOUND] * 1100))
    assert len(found.findings) == custom.MOST_FINDINGS
    assert "found more than 1000 things" in found.errors["QueueStuck"]


class Bare:
    """No detector at all."""

    def detect(self, _snapshot: model.Snapshot, _index: model.Index) -> Iterator[model.Finding]:
        yield FOUND


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "it has no KINDS"),
        ({"KINDS": ("x",)}, "it has no KINDS"),
        ({"KINDS": (dataclasses.replace(INFO, kind="no name"),)}, "has no good name"),
        ({"KINDS": (dataclasses.replace(INFO, severity="P9"),)}, "QueueStuck has no severity P1, P2 or P3"),  # type: ignore[arg-type]
        ({"KINDS": (dataclasses.replace(INFO, condition=""),)}, "QueueStuck has no condition"),
        ({"KINDS": (INFO,)}, "it has no `reads`"),
        ({"KINDS": (INFO,), "reads": "pods"}, "it has no `reads`"),
        ({"KINDS": (INFO,), "reads": ("pod",)}, "`reads` names 'pod', which is no list of the snapshot"),
        ({"KINDS": (INFO,), "reads": (), "resources": ("a/v1",)}, "`resources` holds what is no pair"),
        ({"KINDS": (INFO,), "reads": (), "detect": None}, "it has no `detect(snapshot, index)`"),
    ],
)
def test_what_is_no_detector_is_refused_with_what_to_do(fields: dict[str, Any], told: str) -> None:
    plugin = Bare()
    for name, value in fields.items():
        setattr(plugin, name, value)
    with pytest.raises(custom.Faulty) as refused:
        custom.Guarded(plugin, "x")
    assert told in str(refused.value)
