"""The rules of diagnosis together: every kind has one, and none says more than its evidence. Each: tests/bot/causes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.flow import diagnosing
from k8s import detection, model
from tests.bot.causes import dossiers as d
from tests.k8s.detectors import examples


@pytest.mark.parametrize("kind", ["NodeNotReady", "NodePressure", "JobFailed", "ReplicasMissing"])
def test_kinds_that_no_action_mends_say_what_a_person_should_do(kind: str) -> None:
    node = model.ResourceRef("Node", "", "node-1", "uid-node")
    found = diagnosing.diagnose(d.problem(kind, subject=node), d.dossier("status", "events"), d.NOW)
    assert d.actions(found) == []
    assert found.next_step


def test_missing_evidence_lowers_a_high_confidence_and_is_kept() -> None:
    found = diagnosing.diagnose(
        d.problem("OOMKilled", facts={"memory_limit": "1Gi"}),
        d.dossier("status", missing=("the current log: timed out",)),
        d.NOW,
    )
    assert found.confidence == "medium"
    assert found.missing == ("the current log: timed out",)


def test_every_kind_of_the_catalogue_has_a_rule() -> None:
    assert set(detection.KINDS) == set(diagnosing.RULES)


def test_secrets_in_what_the_cluster_says_do_not_reach_the_cause() -> None:
    url = "postgres://app:" + "hunter2" + "hunter2@db/x"
    found = diagnosing.diagnose(
        d.problem("CrashLoopBackOff"), d.dossier("log", facts={"error_line": f"fatal: {url}"}), d.NOW
    )
    assert "hunter2" not in found.cause
    missing = d.problem("ConfigError", facts={"missing": f"Secret {url}", "class": "missing"})
    told = diagnosing.diagnose(missing, d.dossier("events"), d.NOW)
    assert "Create Secret" in told.next_step
    assert "hunter2" not in told.next_step + told.cause + told.reason


TEXTS = st.text(max_size=60)
FACTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["error_line", "missing_name", "rollout_diff", "rollout_at", "rollout_revision", "scaled_from", "scaled_to"],
        TEXTS,
    ),
)


@given(
    kind=st.sampled_from([*detection.KINDS, "Unheard"]), facts=FACTS, found=st.dictionaries(TEXTS, TEXTS, max_size=4)
)
def test_only_evidence_that_is_there_is_cited_and_nothing_raises(
    kind: str, facts: dict[str, str], found: dict[str, str]
) -> None:
    facts = {name: text for name, text in facts.items() if not name.startswith("scaled") or text.isdecimal()}
    shown = d.problem(kind, ready=1)
    shown = replace(shown, findings=(replace(shown.primary, facts=found),))
    given_ = replace(d.dossier("status", "rollout"), facts=facts)
    diagnosis = diagnosing.diagnose(shown, given_, d.NOW)
    assert set(diagnosis.cites) <= {piece.number for piece in given_.evidence}
    assert diagnosis.cause
    assert diagnosis.next_step
    assert all(candidate.action.workload == d.API for candidate in diagnosis.candidates)


@pytest.mark.parametrize("kind", [kind for kind in detection.KINDS if not detection.report_only(kind)])
def test_the_example_of_every_kind_gets_a_diagnosis_of_its_own(kind: str) -> None:
    alone = detection.Options(enabled=frozenset((kind,)), disabled=frozenset(detection.KINDS) - {kind})
    shown = detection.detect(examples.EXAMPLES[kind].broken, alone).problems[0]
    found = diagnosing.diagnose(shown, d.dossier("status", "events", "scheduling"), d.NOW)
    assert found.cites
    assert found.next_step
    assert found.reason != "there is no rule for this kind: it is what was found, not why"


def test_why_a_revision_that_failed_is_not_put_back_is_told_and_the_rollout_is_not_blamed() -> None:
    why = "Revision 3 was failing when it was replaced: WK-7 (CrashLoopBackOff) was open."
    rolled = d.rolled_out("image: web:1 → web:2", healthy="")
    facts = {"error_line": "panic: boom", **rolled, "refuted": why, "failed_before": why}
    found = diagnosing.diagnose(d.problem("CrashLoopBackOff"), d.dossier("log", "rollout", facts=facts), d.NOW)
    assert d.actions(found) == []
    assert found.next_step.endswith(f"{why} So no undo is proposed.")
    assert "It began with" not in found.cause
    assert found.kind == "application"


def test_an_undo_past_a_revision_that_failed_is_proposed_with_the_reason() -> None:
    why = "Revision 3 was failing when it was replaced: WK-7 (CrashLoopBackOff) was open."
    facts = {"error_line": "panic: boom", **d.rolled_out("image: web:1 → web:2", healthy="2"), "refuted": why}
    found = diagnosing.diagnose(d.problem("CrashLoopBackOff"), d.dossier("log", "rollout", facts=facts), d.NOW)
    assert d.actions(found) == [model.RolloutUndo(d.API, 2)]
    assert found.next_step.endswith(why)
