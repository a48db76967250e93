"""Every kind of the catalogue has an example that shows it, and look-alikes that stay silent."""

import pytest

from k8s import detection, model
from tests.k8s.detectors import examples

_LOOK_ALIKES = [
    pytest.param(kind, snapshot, id=f"{kind}: {name}")
    for kind, example in examples.EXAMPLES.items()
    for name, snapshot in example.look_alikes.items()
]


EVERYTHING = detection.Options(enabled=frozenset(detection.KINDS))


def test_every_kind_has_its_example_and_a_look_alike() -> None:
    assert set(examples.EXAMPLES) == set(detection.KINDS)
    assert [kind for kind, example in examples.EXAMPLES.items() if not example.look_alikes] == []


@pytest.mark.parametrize("kind", detection.KINDS)
def test_the_example_shows_its_kind_with_the_defaults_of_the_catalogue(kind: str) -> None:
    found = detection.detect(examples.EXAMPLES[kind].broken, EVERYTHING)
    assert not found.errors
    finding = next(finding for finding in (*found.findings, *found.risks) if finding.kind == kind)
    assert finding.severity == detection.KINDS[kind].severity
    assert finding.grace == detection.KINDS[kind].grace
    assert finding.message.endswith(".")
    assert finding.cause
    assert (kind in found.problems[0].kinds) != detection.report_only(kind)


@pytest.mark.parametrize(("kind", "snapshot"), _LOOK_ALIKES)
def test_a_look_alike_is_silent(kind: str, snapshot: model.Snapshot) -> None:
    found = detection.detect(snapshot, EVERYTHING)
    assert not found.errors
    assert kind not in {finding.kind for finding in (*found.findings, *found.risks)}
