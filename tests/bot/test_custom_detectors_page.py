"""docs/custom-detectors.md: its rules and its Python are what they say, on objects as their controllers write them."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from bot import plugins
from k8s import custom, detection, model, ruling

PAGE = (Path(__file__).parents[2] / "docs/custom-detectors.md").read_text()
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


def block(language: str, start: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (found,) = [text for tagged, text in blocks if tagged == language and text.startswith(start)]
    return str(found)


def found(own: custom.Custom, name: str, *objects: model.Json) -> tuple[model.Finding, ...]:
    seen = model.Snapshot("prod", NOW, custom={name: objects}, rests=own.rests)
    detected = detection.detect(seen, detection.Options(own=own))
    assert detected.errors == {}
    return detected.findings


def rules() -> custom.Custom:
    parsed, faults = ruling.parse(block("yaml", "- kind"), "rules.yaml", tuple(detection.KINDS))
    assert faults == ()
    return custom.of(parsed, (), time.monotonic)


def named(name: str, **more: Any) -> model.Json:
    return {"metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"}, **more}


def test_the_rule_for_certificates_finds_what_cert_manager_has_not_issued() -> None:
    failed = {
        "type": "Ready",
        "status": "False",
        "reason": "DoesNotExist",
        "message": "Issuing certificate as Secret does not exist",
        "lastTransitionTime": "2026-11-21T03:00:00Z",
    }
    issuing = {"type": "Issuing", "status": "True"}
    objects = [
        named("fresh"),
        named("empty", status={}),
        named("good", status={"conditions": [issuing, {"type": "Ready", "status": "True"}]}),
        named("web", status={"conditions": [issuing, failed]}),
        named("bare", status={"conditions": [{"type": "Ready", "status": "Unknown"}]}),
    ]
    bare, web = sorted(found(rules(), "cert-manager.io/v1/Certificate", *objects), key=lambda one: one.resource.name)
    assert web.message == "Certificate web is not ready: Issuing certificate as Secret does not exist"
    assert (web.since, web.cause) == (datetime(2026, 11, 21, 3, tzinfo=UTC), "DoesNotExist")
    assert bare.message == "Certificate bare is not ready: cert-manager does not say why"
    assert (bare.since, bare.cause) == (NOW, "")


def test_the_rule_for_rollouts_finds_what_argo_calls_degraded() -> None:
    told = "ProgressDeadlineExceeded: ReplicaSet shop-7d4 has timed out progressing."
    objects = [
        named("fresh"),
        named("good", status={"phase": "Healthy"}),
        named("shop", status={"phase": "Degraded", "message": told}),
        named("mute", status={"phase": "Degraded"}),
    ]
    messages = {one.resource.name: one.message for one in found(rules(), "argoproj.io/v1alpha1/Rollout", *objects)}
    assert messages == {
        "shop": f"Rollout shop is degraded: {told}",
        "mute": "Rollout mute is degraded: no reason is given",
    }


def test_the_python_detector_of_the_page_keeps_to_the_contract() -> None:
    module = ModuleType("acme_detectors.queues")
    exec(block("python", "from collections"), module.__dict__)  # noqa: S102 - the page's own code
    own = custom.of((), (custom.Guarded(module, "acme-detectors: queues"),), time.monotonic)
    stuck, fine = named("orders", status={}), named("mails", status={"consumers": 2})
    (finding,) = found(own, "acme.io/v1/Queue", stuck, fine)
    assert finding.message == "Queue orders has no consumer."


def test_the_fault_that_the_page_shows_is_the_one_that_is_told() -> None:
    text = block("yaml", "- kind").replace("object.?status", "objct.?status", 1)
    _, (fault,) = ruling.parse(text, "rules.yaml")
    assert block("", "WATCHKEEPER_DETECTORS_FILE") == f"{plugins.VARIABLE}: {fault}\n"


def test_the_rights_of_the_page_are_for_the_resources_of_its_rules() -> None:
    role, _binding = yaml.safe_load_all(block("yaml", "apiVersion: rbac"))
    granted = {(group, verb) for rule in role["rules"] for group in rule["apiGroups"] for verb in rule["verbs"]}
    assert granted == {(wanted.group, "list") for wanted in rules().wanted}
